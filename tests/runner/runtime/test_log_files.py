"""Rotated logs: read in order, followed through any number of rotations, and bounded."""

import asyncio
import os
from pathlib import Path

from runner.runtime.log_files import LogFiles, rotate, rotated
from runner.runtime.logs import entries


def line(text: str) -> bytes:
    return f"2026-11-21T09:00:00Z stdout F {text}\n".encode()


def write(log: Path, *texts: str) -> None:
    with log.open("ab") as file:
        file.write(b"".join(map(line, texts)))


async def contents(log: Path) -> list[str]:
    return [entry.content.decode().strip() async for entry in entries(log)]


async def test_rotated_files_are_read_oldest_first_and_so_many_stay(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for text in ("one", "two", "three", "four"):
        rotate(log, keep=2)
        write(log, text)

    assert await contents(log) == ["two", "three", "four"]
    assert sorted(os.listdir(tmp_path)) == ["log", "log.1", "log.2"]


async def test_fewer_files_to_keep_remove_the_rest(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for text in ("one", "two", "three"):
        rotate(log, keep=5)
        write(log, text)

    rotate(log, keep=1)

    assert sorted(os.listdir(tmp_path)) == ["log.1"]
    assert await contents(log) == ["three"]


async def test_names_beside_the_log_are_no_part_of_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write(log, "one")
    write(tmp_path / "log.tmp", "not this")

    assert await contents(log) == ["one"]


async def test_following_goes_through_several_rotations_at_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write(log, "one")
    end = asyncio.Event()
    found = entries(log, ended=end.wait)
    first = await anext(found)

    write(log, "two")
    for text in ("three", "four", "five"):
        rotate(log, keep=9)
        write(log, text)
    end.set()
    rest = [entry.content async for entry in found]

    assert [first.content, *rest] == [b"one\n", b"two\n", b"three\n", b"four\n", b"five\n"]


async def test_a_file_that_is_read_may_be_dropped_meanwhile(tmp_path: Path) -> None:
    log = tmp_path / "log"
    write(log, "one", "two")
    files = LogFiles(log)
    lines = files.lines()
    assert next(lines).endswith(b"one")

    for text in ("three", "four"):
        rotate(log, keep=1)
        write(log, text)
    rest = [*lines]
    files.open_new()
    rest += [*files.lines()]

    files.close()
    assert [text.split()[-1] for text in rest] == [b"two", b"three", b"four"]
    assert not rotated(log, 2).exists()
