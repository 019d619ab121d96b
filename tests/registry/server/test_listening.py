"""Listening: a port in use, or an address of another machine, is told in one sentence."""

import pytest

from registry.errors import StartupError
from registry.server import CannotListen, listen


def test_a_port_in_use_is_reported_in_one_sentence() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(CannotListen) as refused:
            listen("127.0.0.1", port)

    assert str(refused.value) == (
        f"cannot listen on 127.0.0.1:{port}: address already in use; end the program that has it, "
        "or give another with --listen"
    )
    assert isinstance(refused.value, StartupError)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.7"])
def test_an_address_that_is_not_local_is_reported(host: str) -> None:
    with pytest.raises(CannotListen, match=f"cannot listen on {host}:0: "):
        listen(host, 0)
