"""PipeStreams: output to its end or the process's; input that nobody reads is dropped."""

import asyncio
import os

from runner.runtime.contract import StdStream
from runner.runtime.io import PipeStreams, set_size


async def collected(streams: PipeStreams) -> dict[StdStream, bytes]:
    found = {StdStream.STDOUT: b"", StdStream.STDERR: b""}
    async with asyncio.timeout(60):
        async for frame in streams.frames():
            found[frame.stream] += frame.content
    return found


async def test_output_comes_by_stream_until_every_writer_has_closed() -> None:
    (out, out_write), (err, err_write) = os.pipe(), os.pipe()
    streams = PipeStreams({StdStream.STDOUT: out, StdStream.STDERR: err}, None)
    os.write(out_write, b"said")
    os.write(err_write, b"complained")
    os.close(out_write)
    os.close(err_write)

    assert await collected(streams) == {
        StdStream.STDOUT: b"said",
        StdStream.STDERR: b"complained",
    }


async def test_the_end_of_the_process_ends_output_that_another_holds_open() -> None:
    out, held = os.pipe()
    streams = PipeStreams({StdStream.STDOUT: out}, None)
    reading = asyncio.create_task(collected(streams))
    os.write(held, b"the last of it")

    streams.finish()

    assert (await reading)[StdStream.STDOUT] == b"the last of it"
    await streams.aclose()
    os.close(held)


async def test_input_to_a_process_that_has_closed_its_stdin_is_dropped() -> None:
    stdin, ours = os.pipe()
    streams = PipeStreams({}, ours)
    os.close(stdin)

    await streams.write(b"x" * 1_000_000)

    await streams.aclose()


async def test_the_end_of_input_is_a_close_and_on_a_terminal_a_key() -> None:
    stdin, ours = os.pipe()
    streams = PipeStreams({}, ours)
    await streams.close_stdin()
    assert os.read(stdin, 10) == b""
    os.close(stdin)

    stdin, ours = os.pipe()
    terminal = PipeStreams({}, ours, terminal=True)
    await terminal.close_stdin()
    assert os.read(stdin, 10) == b"\x04"
    await terminal.aclose()
    os.close(stdin)


async def test_after_a_detach_a_writer_gets_no_sigpipe() -> None:
    out, written = os.pipe()
    streams = PipeStreams({StdStream.STDOUT: out}, None)

    await streams.aclose()
    for _ in range(4):
        # Twice as much as the pipe holds: only because somebody reads it does this go on.
        await asyncio.to_thread(os.write, written, bytes(32_768))
    os.close(written)


def test_a_size_beyond_what_a_terminal_has_is_clamped() -> None:
    master, slave = os.openpty()

    set_size(master, -5, 100_000)

    assert os.get_terminal_size(slave) == os.terminal_size((65_535, 0))
    os.close(master)
    os.close(slave)
