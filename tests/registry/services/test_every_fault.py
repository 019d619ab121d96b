"""Every persistence call of every operation, failed or killed in turn, until none is left.

After each: the root is opened again, checked whole, and asked for what was acknowledged.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from oci.errors import OCIError
from registry.storage.disk.free_space import RESERVE
from tests.support.memory import directory_in_memory
from tests.support.registry.faults import Fault, FaultySystem, Plan, faulty_database
from tests.support.registry.integrity import wrongs
from tests.support.registry.operations import OPERATIONS, Operation, State, is_preserved, prepare
from tests.support.registry.storage import Service, a_service, pull_blob, push_blob

pytestmark = pytest.mark.takes(60)

ERRORS: tuple[Fault, ...] = ("ENOSPC", "EDQUOT", "EIO", "EMFILE", "short write")
MAX_CALLS = 60


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the roots are: every fault here is one of ours, and no disk has a part in it.

    On one, removing a root's 256 directories alone was measured at 0.7 of a fault's 1.6 s.
    """
    with directory_in_memory(tmp_path_factory.mktemp("faults")) as directory:
        yield directory


@pytest.fixture(scope="module")
def template(directory: Path) -> tuple[Path, State]:
    """A root prepared once, and copied for every fault."""
    path = directory / "template"

    async def make() -> State:
        async with a_service(path) as service:
            return await prepare(service)

    return path, asyncio.run(make())


@pytest.fixture
def roots(template: tuple[Path, State], directory: Path) -> Iterator[Iterator[tuple[Path, State]]]:
    """A fresh copy each time it is asked for the next."""
    root = directory / "root"
    # A ballast is 64 MiB of nothing; whoever opens a root without one takes one.
    without = shutil.ignore_patterns(RESERVE)

    def copies() -> Iterator[tuple[Path, State]]:
        while True:
            shutil.copytree(template[0], root, ignore=without)
            yield root, dict(template[1])
            shutil.rmtree(root)

    yield copies()
    shutil.rmtree(root, ignore_errors=True)


async def try_once(service: Service, operation: Operation, state: State, plan: Plan) -> bool:
    """Whether it was acknowledged; any other exception than a refusal is an error of ours."""
    with faulty_database(plan), plan.armed():
        try:
            await operation.run(service, state)
        except OCIError:
            return False
    return True


async def is_healthy(service: Service) -> bool:
    digest = await push_blob(service.repository("after"), b"small")
    return await pull_blob(service.repository("after"), digest) == b"small"


async def check(service: Service, operation: Operation, state: State, acknowledged: bool) -> None:
    assert await wrongs(service) == []
    assert await is_preserved(service)
    if "started" in state or operation is not OPERATIONS["start"]:
        happened = await operation.effect(service, state)
        assert happened or not acknowledged, "acknowledged, and lost"
    assert await wrongs(service) == []


async def meet_error(root: Path, operation: Operation, state: State, plan: Plan) -> bool:
    """One run with one fault: what is wrong with it is raised; whether a fault was met."""
    async with a_service(root, system=FaultySystem(plan)) as service:
        acknowledged = await try_once(service, operation, state, plan)
        assert acknowledged or plan.fired, "refused without a fault"
        assert not (acknowledged and plan.fired == "fsync"), "acknowledged, and not durable"
        assert await wrongs(service) == []
        assert await is_preserved(service)
        latched = service.database.guard.allow_writes()
        assert (latched is not None) == (plan.fault == "EIO" and plan.fired is not None)
        # Nobody has to do anything else for it to go on.
        assert await is_healthy(service)
    async with a_service(root) as service:
        await check(service, operation, state, acknowledged)
    return plan.fired is not None


@pytest.mark.parametrize("fault", ERRORS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_whose_kth_call_fails_changes_nothing(
    roots: Iterator[tuple[Path, State]], name: str, fault: Fault
) -> None:
    for at in range(1, MAX_CALLS):
        root, state = next(roots)
        if not asyncio.run(meet_error(root, OPERATIONS[name], state, Plan(fault, at))):
            return
    pytest.fail(f"{name} still met {fault} at call {MAX_CALLS}")


def run_and_die(root: Path, operation: Operation, state: State, plan: Plan) -> tuple[bool, bool]:
    """Run it in a child that is killed at a call; whether it was acknowledged, and killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:

        async def run() -> None:
            async with a_service(root, system=FaultySystem(plan)) as service:
                acknowledged = await try_once(service, operation, state, plan)
                os.write(writing, b"y" if acknowledged else b"n")
                os.kill(os.getpid(), signal.SIGKILL if plan.at % 2 else signal.SIGTERM)

        try:
            asyncio.run(run())
        finally:
            os._exit(3)
    os.close(writing)
    with open(reading, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the child ended by itself: something in it failed"
    return told == b"y", told == b""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_killed_at_its_kth_call_is_complete_or_absent(
    roots: Iterator[tuple[Path, State]], name: str, moment: str
) -> None:
    async def look(root: Path, state: State, acknowledged: bool) -> None:
        async with a_service(root) as service:
            await check(service, OPERATIONS[name], state, acknowledged)
            assert await is_healthy(service)

    for at in range(1, MAX_CALLS):
        root, state = next(roots)
        plan = Plan("kill", at, after=moment == "after")
        acknowledged, killed = run_and_die(root, OPERATIONS[name], state, plan)
        asyncio.run(look(root, state, acknowledged))
        if not killed:
            assert acknowledged
            return
    pytest.fail(f"{name} was still killed at call {MAX_CALLS}")
