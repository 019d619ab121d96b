"""Progress of a pull: a bar for each layer on a terminal."""

import os

import pytest

from tests.runner.cli.test_terminal import Terminal
from tests.support.images import a_busybox_image
from tests.support.processes import RegistryServer
from tests.support.runner.runners import Runner
from tests.support.runner.slow_registry import a_slow_registry

pytestmark = pytest.mark.needs_root


def test_a_terminal_sees_a_bar_for_each_layer(
    shared_runner: Runner, shared_registry: RegistryServer
) -> None:
    with a_slow_registry(a_busybox_image({"etc/l": os.urandom(3_000_000)}), "slow") as (
        host,
        go_on,
        _,
    ):
        terminal = Terminal(shared_runner.argv("pull", f"{host}/slow:3"), (40, 120))
        try:
            terminal.expect("━".encode())
            go_on.set()
            terminal.expect(f"{host}/slow:3\r\n".encode())
            assert terminal.process.wait(60) == 0
        finally:
            terminal.close()
    shared_runner("rmi", f"{host}/slow:3")
