"""run_all: run coroutines concurrently; the first failure cancels the others and is raised.

A task group, asyncio's as well as anyio's, raises a group of exceptions; handlers expect one error.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from oci.errors import OCIError
from runner.errors import RunnerError


async def run_all(work: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Run all coroutines concurrently; on the first failure cancel the others and raise it."""
    try:
        async with asyncio.TaskGroup() as group:
            for piece in work:
                group.create_task(piece)
    except BaseExceptionGroup as failures:
        raise _first(failures) from None


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure to raise: a RunnerError or OCIError takes precedence."""
    refusals = [each for each in failures.exceptions if isinstance(each, RunnerError | OCIError)]
    return refusals[0] if refusals else failures.exceptions[0]
