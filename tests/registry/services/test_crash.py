"""Killed at any moment: acknowledged writes are complete, others complete or absent."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection

from oci.digest import Digest
from registry.services.repositories import Repository
from tests.support.images import an_image
from tests.support.registry.storage import Service, a_service, push_image

pytestmark = pytest.mark.takes(10)

CHECKOUT = Path(__file__).parents[3]
ROUNDS = 6
PUSHERS = 4


async def push_forever(repository: Repository, number: int) -> None:
    """Runs in the process that is killed; every line it prints is an acknowledgement."""
    while True:
        image = an_image(layers=2, seed=f"{number}-{random.random()}")  # noqa: S311
        await push_image(repository, image)
        os.write(1, f"{image.digest}\n".encode())


async def push_until_killed(root: Path) -> None:
    async with a_service(root) as service:
        await asyncio.gather(
            *(push_forever(service.repository(f"r{n % 2}"), n) for n in range(PUSHERS))
        )


def kill_while_pushing(root: Path, after_lines: int) -> set[str]:
    command = (sys.executable, __file__, str(root))
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=CHECKOUT) as pusher:  # noqa: S603
        assert pusher.stdout is not None
        lines = [pusher.stdout.readline() for _ in range(after_lines)]
        pusher.send_signal(signal.SIGKILL)
        lines += pusher.stdout.readlines()
    return {line.decode().strip() for line in lines if line.endswith(b"\n")}


async def check_whole(service: Service) -> None:
    """Every row's bytes are there and are the digest's; every file is somebody's."""

    def judged(connection: Connection) -> list[object]:
        checks = ("integrity_check", "foreign_key_check")
        return [connection.exec_driver_sql(f"PRAGMA {check}").fetchall() for check in checks]

    assert await service.database.read(judged) == [[("ok",)], []]
    sessions = {session for (session,) in await service.rows("SELECT id FROM uploads")}
    blobs = await service.rows("SELECT digest, size, physical FROM blobs")
    for digest, size, physical in blobs:
        content = (service.root / "blobs" / physical[:2] / physical).read_bytes()
        assert (str(Digest.of(content)), len(content)) == (digest, size)
    named = {physical for _, _, physical in blobs}
    for name in map(os.path.basename, service.files()):
        assert name in named or name[-36:] in sessions


async def test_acknowledged_writes_survive_kill_9(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    for turn in range(ROUNDS):
        acknowledged |= await asyncio.to_thread(kill_while_pushing, tmp_path, 3 + 2 * turn)

        async with a_service(tmp_path) as service:
            await check_whole(service)
            manifests = await service.rows("SELECT digest FROM manifests")
            assert acknowledged <= {digest for (digest,) in manifests}

    assert len(acknowledged) >= 3 * ROUNDS


if __name__ == "__main__":
    asyncio.run(push_until_killed(Path(sys.argv[1])))
