"""Frames and detach keys, however their bytes are cut."""

import os
import signal
import socket
import struct
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli.streams import FORWARDED, DetachKeys, Frames, Session, parse_detach_keys


def cut(content: bytes, places: list[int]) -> list[bytes]:
    """The content in pieces, cut at these places."""
    borders = sorted({0, len(content), *(place % (len(content) + 1) for place in places)})
    return [content[start:stop] for start, stop in pairwise(borders)]


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=8),
    st.lists(st.integers(0, 400)),
)
def test_frames_come_apart_wherever_they_are_cut(
    frames: list[tuple[int, bytes]], places: list[int]
) -> None:
    wire = b"".join(struct.pack(">BxxxI", stream, len(c)) + c for stream, c in frames)
    out, err = os.pipe(), os.pipe()
    reader = Frames(out[1], err[1])

    for piece in cut(wire, places):
        reader.feed(piece)

    os.close(out[1])
    os.close(err[1])
    said = {1: os.read(out[0], 4096), 2: os.read(err[0], 4096)}
    os.close(out[0])
    os.close(err[0])
    for stream, content in said.items():
        assert content == b"".join(c for number, c in frames if number == stream)


@pytest.mark.parametrize(
    ("typed", "passed", "complete"),
    [
        ([b"abc"], b"abc", False),
        ([b"\x10\x11"], b"", True),
        ([b"a\x10", b"\x11b"], b"a", True),
        ([b"\x10", b"x"], b"\x10x", False),
        ([b"\x10\x10\x11"], b"\x10", True),
        ([b"\x10"], b"", False),
        ([b"\x11\x10"], b"\x11", False),
    ],
)
def test_detach_keys_are_held_back_until_it_is_clear(
    typed: list[bytes], passed: bytes, complete: bool
) -> None:
    keys = DetachKeys(b"\x10\x11")

    assert b"".join(keys.filter(part) for part in typed) == passed
    assert keys.complete is complete


def test_no_detach_keys_pass_everything() -> None:
    assert DetachKeys(b"").filter(b"\x10\x11abc") == b"\x10\x11abc"


@pytest.mark.parametrize(
    ("text", "keys"),
    [("ctrl-p,ctrl-q", b"\x10\x11"), ("ctrl-@,x", b"\x00x"), ("ctrl-[", b"\x1b"), ("", b"")],
)
def test_detach_keys_are_written_as_docker_writes_them(text: str, keys: bytes) -> None:
    assert parse_detach_keys(text) == keys


KEYS = st.characters(codec="utf-8", exclude_characters=",")


@given(st.text() | st.lists(KEYS | KEYS.map("ctrl-{}".format)).map(",".join))
def test_any_text_is_detach_keys_or_refused(text: str) -> None:
    try:
        keys = parse_detach_keys(text)
    except ValueError as refusal:
        assert str(refusal) == (f"invalid detach keys {text!r}: expected for example ctrl-p,ctrl-q")
        return

    named = [key for key in text.split(",") if key]
    plain = "".join(key for key in named if len(key) == 1)
    assert len(keys) == len(plain.encode()) + sum(key.startswith("ctrl-") for key in named)
    assert all(key.isascii() for key in named if key.startswith("ctrl-"))


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-pp", "ctrl-ß", "pq", "a,,b"])
def test_other_detach_keys_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid detach keys"):
        parse_detach_keys(text)


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put back what a session catches: it lives as long as its command."""
    before = {name: signal.getsignal(getattr(signal, name)) for name in FORWARDED}
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


@pytest.mark.usefixtures("handlers")
def test_the_third_termination_leaves_a_daemon_that_does_not_answer() -> None:
    told: list[str] = []
    ours, theirs = socket.socketpair()

    def tell(name: str) -> None:
        """Passing one on takes for ever: the user presses again, and again."""
        told.append(name)
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGINT)
        told.append("still here")
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("the third one was survived")

    session = Session(
        ours,
        b"",
        tty=False,
        stdin=False,
        on_signal=tell,
        on_resize=lambda height, width: None,
    )
    signal.raise_signal(signal.SIGTERM)

    with theirs, pytest.raises(SystemExit, match="got 3 SIGTERM/SIGINTs, forcefully exiting"):
        session.run()

    assert told == ["SIGTERM", "still here"]
    assert ours.fileno() == -1
