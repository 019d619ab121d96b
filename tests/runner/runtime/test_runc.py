"""Containers from create to delete, under real runc and conmon."""

import time

import pytest

from runner.runtime.contract import StdStream
from runner.runtime.errors import (
    CommandNotExecutable,
    CommandNotFound,
    RuntimeRefused,
)
from runner.runtime.oci_spec.users import User
from tests.runner.runtime.conftest import Engine

pytestmark = pytest.mark.needs_root


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
async def test_a_container_ends_with_its_own_code(engine: Engine, script: str, code: int) -> None:
    # As a child of the first process, which signals of its own namespace cannot end.
    command = script if code < 128 else f"sh -c '{script}'; exit $?"

    box = await engine.run("sh", "-c", command)

    status = await box.wait()
    assert (status.code, status.oom_killed, status.error) == (code, False, "")
    assert abs(status.finished_at.timestamp() - time.time()) < 60


async def test_too_much_memory_is_an_oom_kill(engine: Engine) -> None:
    script = "dd if=/dev/zero of=/dev/null bs=64M count=1"

    box = await engine.run("sh", "-c", script, memory=16 << 20)

    status = await box.wait()
    assert (status.code, status.oom_killed) == (137, True)


@pytest.mark.parametrize(
    ("program", "refusal", "words"),
    [
        ("nosuch", CommandNotFound, 'exec: "nosuch": executable file not found in $PATH'),
        ("/bin/nosuch", CommandNotFound, 'exec: "/bin/nosuch": stat /bin/nosuch: no such file'),
        ("/data.txt", CommandNotExecutable, 'exec: "/data.txt": permission denied'),
        ("/etc", CommandNotExecutable, 'exec: "/etc": permission denied'),
    ],
)
async def test_a_program_that_cannot_run_is_refused_in_one_sentence(
    engine: Engine, program: str, refusal: type[RuntimeRefused], words: str
) -> None:
    with pytest.raises(refusal) as refused:
        await engine.create(program)

    assert str(refused.value).startswith(words)
    assert "\n" not in str(refused.value)
    assert list((engine.run_dir / "r").iterdir()) == []


async def test_the_user_and_the_environment_are_the_containers(engine: Engine) -> None:
    box = await engine.run(
        "sh", "-c", "id; echo $HOME $HOSTNAME $WORD; pwd", user=User(1000, 1000, (1000, 2000)),
        env=("WORD=said",), working_dir="/work",
    )  # fmt: skip

    await box.wait()

    assert await box.output() == ("uid=1000 gid=1000 groups=1000,2000\n/work box said\n/work\n")


async def test_a_read_only_root_refuses_writes_and_its_tmpfs_does_not(engine: Engine) -> None:
    box = await engine.run(
        "sh", "-c", "echo x > /etc/x; echo x > /dev/shm/x && echo x > /etc/hosts || echo kept",
        read_only=True,
    )  # fmt: skip

    await box.wait()

    assert await box.output() == "kept\n"
    assert (await box.output(StdStream.STDERR)).count("Read-only file system") == 2


async def test_limits_are_in_force(engine: Engine) -> None:
    box = await engine.run("sleep", "60", memory=32 << 20, pids_limit=17, nano_cpus=500_000_000)

    def limit(controller: str, legacy: str, unified: str) -> list[str]:
        places = engine.host.cgroups.hierarchies
        name = legacy if controller in places else unified
        place = places.get(controller) or places[""]
        return (place / "slipway-test" / box.id / name).read_text().split()

    assert limit("memory", "memory.limit_in_bytes", "memory.max") == [str(32 << 20)]
    assert limit("pids", "pids.max", "pids.max") == ["17"]
    assert limit("cpu", "cpu.cfs_quota_us", "cpu.max")[0] == "50000"
