"""Physical names: a file is an orphan unless a blob, the trash or an open session names it."""

import uuid
from typing import Literal

import pytest
from sqlalchemy import Connection

from oci.digest import Digest
from registry.storage.blobs.contract import StoredFile
from registry.storage.blobs.names import physical_name, session_of
from registry.storage.metadata import blobs, physical_names, uploads
from registry.storage.metadata.blobs import StoredBlob
from registry.storage.metadata.trash import put
from tests.support.registry.rows import EARLY, NAME

DIGEST = Digest.of(b"content")


def a_name(number: int) -> str:
    return physical_name(DIGEST, str(uuid.UUID(int=number)))


def a_file(name: str, kind: Literal["upload", "blob", "misnamed"] = "blob") -> StoredFile:
    session = name if kind == "upload" else session_of(name)
    return StoredFile(kind, name, 1, f"blobs/{name}", session)


def test_files_without_a_row_are_found_in_their_order(connection: Connection) -> None:
    files = [a_file(a_name(number)) for number in (3, 1, 2)]

    assert physical_names.without_row(connection, files) == files
    assert physical_names.without_row(connection, []) == []


def test_a_blob_and_the_trash_name_their_files(connection: Connection) -> None:
    blobs.add(connection, EARLY, DIGEST, StoredBlob(7, a_name(1)), corrupt=None)
    put.move_replaced_to_trash(connection, EARLY, DIGEST, a_name(2), 7)
    files = [a_file(a_name(number)) for number in (1, 2, 3)]

    assert physical_names.without_row(connection, files) == files[2:]


def test_an_open_session_stands_for_its_file_and_for_the_blob_it_becomes(
    connection: Connection,
) -> None:
    session = str(uuid.UUID(int=1))
    uploads.add(connection, EARLY, NAME, session, "sha256")
    other = a_file(str(uuid.UUID(int=2)), "upload")
    files = [a_file(session, "upload"), a_file(a_name(1)), other]

    assert physical_names.without_row(connection, files) == [other]


def test_a_misnamed_file_is_looked_for_by_the_last_part_of_its_path(connection: Connection) -> None:
    blobs.add(connection, EARLY, DIGEST, StoredBlob(7, a_name(1)), corrupt=None)
    file = a_file(f"ff/{a_name(1)}", "misnamed")

    assert physical_names.base_name(file) == a_name(1)
    assert physical_names.without_row(connection, [file]) == []


def test_more_files_than_one_statement_takes_are_asked_for_in_batches(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(physical_names, "NAMES_PER_BATCH", 2)
    for number in (1, 3, 5):
        digest = Digest.of(b"%d" % number)
        blobs.add(connection, EARLY, digest, StoredBlob(7, a_name(number)), corrupt=None)
    files = [a_file(a_name(number)) for number in range(6)]

    assert physical_names.without_row(connection, files) == [files[0], files[2], files[4]]
