"""The checker: silent about a correct root, and not about a loss."""

import ast
import asyncio
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.campaigns.acknowledgements import AcknowledgementLog
from tests.campaigns.checker import check
from tests.campaigns.clients import Client, World
from tests.campaigns.crash import SETTINGS
from tests.campaigns.history import History
from tests.campaigns.zygote import CrashingRegistry, Zygote
from tests.support.ports import free_port

Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def worked(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ``root``, on which clients have worked, and ``log``."""
    place = tmp_path_factory.mktemp("worked")
    log = AcknowledgementLog(place / "log")
    settings = {**SETTINGS, "REGISTRY_GC__LEASE_SECONDS": "3600"}
    registry = CrashingRegistry(zygote, place / "root", free_port(), settings)
    world = World(log, 1, 3600.0)
    registry.start()
    asyncio.run(work(world, registry.port))
    registry.stop()
    log.down()
    log.close()
    assert world.violations == []
    return place


async def work(world: World, port: int) -> None:
    client = Client(world, 0)
    client.connection.port = port
    for _ in range(4):
        await client.push_image()
        await client.push_index()
        await client.push_loose()
    await client.mount()
    await client.delete_manifest()
    await client.delete_tag()
    await client.delete_blob()
    client.connection.close()


def sql(*statements: str) -> Damage:
    def damage(place: Path) -> None:
        with closing(sqlite3.connect(place / "root/registry.db", isolation_level=None)) as rows:
            for statement in statements:
                assert rows.execute(statement).rowcount != 0, statement

    return damage


def a_blob_file(place: Path) -> Path:
    with closing(sqlite3.connect(place / "root/registry.db")) as rows:
        [(physical,)] = rows.execute("SELECT physical FROM blobs LIMIT 1")
    return place / "root/blobs" / str(physical)[:2] / str(physical)


def flip_a_bit(place: Path) -> None:
    file = a_blob_file(place)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o600)
    file.write_bytes(content)


def cut_short(place: Path) -> None:
    os.truncate(a_blob_file(place), 1)


def lose_a_file(place: Path) -> None:
    a_blob_file(place).unlink()


def leave_an_orphan(place: Path) -> None:
    name = "0" * 64 + "-00000000-0000-4000-8000-000000000000"
    (place / "root/blobs/00" / name).write_bytes(b"whose?")


def forget_an_upload(place: Path) -> None:
    lines = [
        {"event": "invoke", "n": 10_000, "op": "upload.append", "session": "s", "t": 1.0},
        {"event": "ok", "n": 10_000, "offset": 7, "t": 2.0},
    ]
    with (place / "log").open("a") as log:
        log.writelines(json.dumps(line) + "\n" for line in lines)


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a bit": (flip_a_bit, "other bytes"),
    "a file's end": (cut_short, "other bytes"),
    "a file": (lose_a_file, "no file"),
    "an orphan": (leave_an_orphan, "belongs to nobody"),
    "an upload's bytes": (forget_an_upload, "acknowledged 7"),
    "a tag": (sql("DELETE FROM tags WHERE rowid IN (SELECT min(rowid) FROM tags)"), "is None, may"),
    "a tag's last move": (
        sql(
            "UPDATE tags SET digest = (SELECT digest FROM manifests m WHERE m.digest != tags.digest"
            " AND m.repository_id = tags.repository_id LIMIT 1)"
            " WHERE 1 < (SELECT count(*) FROM manifests m"
            " WHERE m.repository_id = tags.repository_id)"
        ),
        "may be",
    ),
    "an acknowledged manifest": (
        sql(
            "DELETE FROM tags",
            "DELETE FROM manifest_edges",
            "DELETE FROM manifests WHERE rowid IN (SELECT min(rowid) FROM manifests)",
        ),
        "manifest ",
    ),
    "a manifest's bytes": (sql("UPDATE manifests SET content = CAST('{}' AS BLOB)"), "other"),
    "a named blob": (
        sql(
            "UPDATE manifest_edges SET blob = NULL",
            "DELETE FROM repo_blobs WHERE digest = (SELECT child FROM manifest_edges"
            " WHERE kind = 'layer' LIMIT 1)",
        ),
        "which is gone",
    ),
    "an acknowledged loose blob": (
        sql("DELETE FROM repo_blobs WHERE digest NOT IN (SELECT child FROM manifest_edges)"),
        "blob ",
    ),
    "a reference": (sql("UPDATE tags SET digest = 'sha256:0'"), "foreign_key_check"),
    "history": (sql("DELETE FROM tag_history"), "came without its tags"),
    "a blob in the trash": (
        sql(
            "INSERT INTO trash (physical, digest, size, deleted_at, epoch)"
            " SELECT physical, digest, size, 0, 0 FROM blobs LIMIT 1"
        ),
        "is in the trash",
    ),
    "somebody else's tag": (
        sql(
            "INSERT INTO tags SELECT repository_id, 'strange', digest, 1, 0 FROM manifests LIMIT 1"
        ),
        "nobody pushed it",
    ),
}


def test_a_correct_root_has_no_violations(worked: Path) -> None:
    assert check(worked / "root", worked / "log", swept=True) == []


@pytest.mark.parametrize("lost", DAMAGES)
def test_a_loss_in_a_root_is_reported(worked: Path, tmp_path: Path, lost: str) -> None:
    place = tmp_path / "copy"
    shutil.copytree(worked, place)
    damage, told = DAMAGES[lost]

    damage(place)

    found = check(place / "root", place / "log", swept=True)
    assert any(told in violation for violation in found), found


@pytest.mark.parametrize("name", ["checker", "history", "content", "wire", "uploading", "clients"])
def test_neither_the_checker_nor_the_clients_import_the_product(name: str) -> None:
    tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_text())

    imported = [
        module
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
        + [alias.name for alias in node.names]
    ]

    assert imported
    assert not {module.partition(".")[0] for module in imported} & {"registry", "oci", "runner"}


def history(tmp_path: Path, *lines: dict[str, Any]) -> History:
    path = tmp_path / "log"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return History(path)


def push(number: int, digest: str, begun: float, ended: float, end: str) -> list[dict[str, Any]]:
    what = {"repository": "r", "digest": digest, "tags": ["t"], "media_type": "m"}
    invoke = {"event": "invoke", "n": number, "op": "manifest.put", "t": begun, **what}
    return [invoke, {"event": end, "n": number, "t": ended}]


def in_order(*operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted((line for lines in operations for line in lines), key=lambda line: line["t"])


@pytest.mark.parametrize(
    ("second", "may"),
    [
        (push(2, "b", 3, 4, "ok"), {"b"}),
        (push(2, "b", 1.5, 4, "ok"), {"a", "b"}),
        (push(2, "b", 3, 4, "unknown"), {"a", "b"}),
        (push(2, "b", 3, 4, "fail"), {"a"}),
        (push(2, "b", 3, 4, "ok")[:1], {"a", "b"}),
    ],
    ids=["after", "beside", "unanswered", "refused", "on its way"],
)
def test_a_tag_may_have_any_digest_not_surely_overwritten(
    tmp_path: Path, second: list[dict[str, Any]], may: set[str]
) -> None:
    read = history(tmp_path, *in_order(push(1, "a", 1, 2, "ok"), second))

    assert read.allowed("tag", "r", "t") == may


def test_unanswered_requests_of_a_killed_server_do_not_happen_later(tmp_path: Path) -> None:
    unknown = push(1, "a", 1, 2, "unknown")

    read = history(tmp_path, *unknown, {"event": "down", "t": 3.0}, *push(2, "b", 4, 5, "ok"))

    assert read.allowed("tag", "r", "t") == {"b"}


def test_answers_after_the_power_cut_are_not_acknowledgements(tmp_path: Path) -> None:
    first, second, third = (
        push(1, "a", 1, 2, "ok"),
        push(2, "b", 3, 5, "ok"),
        push(3, "c", 7, 8, "ok"),
    )
    cut, down = {"event": "cut", "t": 4.0}, {"event": "down", "t": 6.0}

    lost = history(tmp_path, *in_order(first, second, [cut, down]))
    went_on = history(tmp_path, *in_order(first, second, [cut, down], third))

    assert lost.allowed("tag", "r", "t") == {"a", "b"}
    assert went_on.allowed("tag", "r", "t") == {"c"}


@pytest.mark.parametrize(("victim", "may"), [("a", {"a"}), ("b", {None})])
def test_a_deleted_manifest_takes_the_tags_that_are_on_it(
    tmp_path: Path, victim: str, may: set[str | None]
) -> None:
    before = push(1, "b", 1, 2, "ok") if victim == "b" else push(1, "a", 1, 2, "ok")
    gone = {"op": "manifest.delete", "repository": "r", "digest": "b", "t": 3.0}
    deletion = [{"event": "invoke", "n": 2, **gone}, {"event": "ok", "n": 2, "t": 4.0}]

    read = history(tmp_path, *before, *deletion)

    assert read.allowed("tag", "r", "t") == may
