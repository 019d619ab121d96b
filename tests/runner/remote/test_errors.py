"""Refusals of a registry: our error by its status, its words made fit for a terminal."""

import json

import pytest

from runner.errors import (
    BadRequest,
    Forbidden,
    Kind,
    NotFound,
    RunnerError,
    Unauthorized,
    Unavailable,
)
from runner.remote.errors import MAX_MESSAGE_CHARACTERS, RemoteUntrusted, refusal


def envelope(*errors: tuple[str, str]) -> bytes:
    entries = [{"code": code, "message": message} for code, message in errors]
    return json.dumps({"errors": entries}).encode()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (413, BadRequest),
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
        (418, RemoteUntrusted),
        (302, RemoteUntrusted),
    ],
)
def test_a_status_is_an_error_of_ours(status: int, kind: type[RunnerError]) -> None:
    assert type(refusal("registry.test", "pull", status, b"")) is kind


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (envelope(("NAME_UNKNOWN", "no repository app")), "404 NAME_UNKNOWN: no repository app"),
        (envelope(("DENIED", "")), "404 DENIED"),
        (envelope(("DENIED", "a"), ("UNSUPPORTED", "b")), "404 DENIED: a; UNSUPPORTED: b"),
        (b"<html>", "404 Not Found"),
        (envelope(("DENIED", "a\x1b[31m\nb")), "404 DENIED: a [31m b"),
    ],
)
def test_the_registrys_words_are_told(body: bytes, sentence: str) -> None:
    assert str(refusal("registry.test", "pull app", 404, body)) == (
        f"registry.test refused to pull app: {sentence}"
    )


def test_a_status_without_a_meaning_is_told_as_one() -> None:
    assert str(refusal("r", "pull", 599, b"")) == "r refused to pull: 599 unknown status"


def test_a_message_has_an_end() -> None:
    said = str(refusal("r", "pull", 400, envelope(("DENIED", "x" * 5000))))

    assert len(said) == len("r refused to pull: 400 ") + MAX_MESSAGE_CHARACTERS


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("NAME_UNKNOWN", Kind.IMAGE_ABSENT_AT_REGISTRY),
        ("MANIFEST_UNKNOWN", Kind.IMAGE_ABSENT_AT_REGISTRY),
        ("BLOB_UNKNOWN", None),
    ],
)
def test_an_image_that_is_not_there_is_a_kind_of_its_own(code: str, kind: Kind | None) -> None:
    assert refusal("r", "pull", 404, envelope((code, "gone"))).kind == kind
