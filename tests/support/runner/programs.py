"""Programs that run in a container: each a command, and a coroutine that does the same.

The real runtime runs the command, a fake one the coroutine that goes with these very arguments.
"""

import asyncio
import signal
from typing import Final

from tests.support.runner.fake_process import SIGWINCH, FakeProcess, Program

Command = tuple[str, ...]

PROGRAMS: Final[dict[Command, Program]] = {}


def _register(program: Program, *command: str) -> Command:
    PROGRAMS[command] = program
    return command


async def _true(process: FakeProcess) -> int:
    return 0


async def _false(process: FakeProcess) -> int:
    return 1


async def _sleep(process: FakeProcess) -> int:
    """As a first process that traps no signal: only SIGKILL ends it."""
    await asyncio.Event().wait()
    return 0


async def _exit_7(process: FakeProcess) -> int:
    return 7


async def _both(process: FakeProcess) -> int:
    process.out("out\n")
    process.err("err\n")
    process.out("no newline")
    return 3


async def _copy(process: FakeProcess) -> int:
    while chunk := await process.read():
        process.out(chunk.decode())
    return 0


async def _copy_and_fail(process: FakeProcess) -> int:
    await _copy(process)
    process.err("err\n")
    return 9


async def _ready(process: FakeProcess) -> int:
    process.trap(signal.SIGUSR1)
    process.out("ready\n")
    await process.signal()
    process.out("bye\n")
    return 5


async def _one_two(process: FakeProcess) -> int:
    process.out("one\n")
    await process.read()
    process.out("two\n")
    return 6


async def _size(process: FakeProcess) -> int:
    process.trap(SIGWINCH)
    while True:
        height, width = process.size
        process.out(f"{height} {width}\n")
        await process.signal()


TRUE: Final = _register(_true, "true")
FALSE: Final = _register(_false, "false")
SLEEP: Final = _register(_sleep, "sleep", "100")
EXIT_7: Final = _register(_exit_7, "sh", "-c", "exit 7")
# Writes to both outputs, the last of it without a newline, and ends with 3.
BOTH: Final = _register(
    _both, "sh", "-c", "echo out; echo err >&2; sleep 0.1; printf 'no newline'; exit 3"
)
CAT: Final = _register(_copy, "cat")
CAT_9: Final = _register(_copy_and_fail, "sh", "-c", "cat; echo err >&2; exit 9")
# Ends with 5 at a SIGUSR1, which it waits for from "ready" on; no other signal but SIGKILL ends it.
READY: Final = _register(
    _ready, "sh", "-c", "trap 'echo bye; exit 5' USR1; echo ready; while :; do sleep 0.05; done"
)
# Says two once it has read a line; ends with 6.
ONE_TWO: Final = _register(_one_two, "sh", "-c", "echo one; read line; echo two; exit 6")
# Says its terminal's size at first and whenever it changes.
SIZE: Final = _register(
    _size, "sh", "-c", "trap 'stty size' WINCH; stty size; while sleep 0.05; do :; done"
)
