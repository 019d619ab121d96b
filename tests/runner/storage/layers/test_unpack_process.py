"""The child process that unpacks one layer: its result, or its refusal, is one JSON object."""

import gzip
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from oci.digest import Digest
from runner.storage.layers.unpack import Limits
from tests.support.runner.archives.tar_entries import archive, directory, entry, hard_link

LAYER = archive(directory(b"bin"), entry(b"bin/sh", content=b"#!"), entry(b"x/y"))


def unpack(
    root: Path, blob: bytes, compression: str = "none", limits: Limits | None = None
) -> tuple[int, dict[str, Any]]:
    """The child's exit code and its result."""
    child = [sys.executable, "-I", "-m", "runner.storage.layers.unpack_process"]
    done = subprocess.run(  # noqa: S603  (a fixed command of the test's own)
        [*child, compression, "sha256", json.dumps(asdict(limits or Limits()))],
        input=blob,
        stdout=subprocess.PIPE,
        cwd=root,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    ("blob", "declared"),
    [(LAYER, "none"), (gzip.compress(LAYER), "gzip"), (gzip.compress(LAYER), "zstd")],
    ids=["plain", "compressed", "of another compression than is said"],
)
def test_a_layer_is_unpacked_into_the_working_directory(
    tmp_path: Path, blob: bytes, declared: str
) -> None:
    code, result = unpack(tmp_path, blob, declared)

    assert code == 0
    assert (tmp_path / "bin/sh").read_bytes() == b"#!"
    assert result["diff_id"] == str(Digest.of(LAYER))
    assert (result["members"], result["total_bytes"]) == (3, 2)
    assert result["implicit"] == ["", "x"]


def test_a_link_to_a_lower_layer_is_told(tmp_path: Path) -> None:
    _, result = unpack(tmp_path, archive(hard_link(b"here", b"below")))

    assert result["links"] == [["here", "below"]]


@pytest.mark.parametrize(
    ("blob", "compression", "limits", "sentence"),
    [
        (b"no tar" * 1000, "none", Limits(), ""),
        (gzip.compress(LAYER)[:-20], "gzip", Limits(), ""),
        (LAYER, "none", Limits(members=2), "2"),
        (
            gzip.compress(bytes(2_000_000)),
            "gzip",
            Limits(ratio=10, ratio_from_bytes=1),
            "inflates to more than 10 times",
        ),
    ],
    ids=["no tar", "cut short", "too many members", "inflates without end"],
)
def test_a_layer_that_is_refused_ends_it_with_1(
    tmp_path: Path, blob: bytes, compression: str, limits: Limits, sentence: str
) -> None:
    code, result = unpack(tmp_path, blob, compression, limits)

    assert code == 1
    assert sentence in result["refused"]
