"""uvicorn has the internals that the server needs; without one the server does not start."""

import pytest
import uvicorn.server
from uvicorn.protocols.http import flow_control, httptools_impl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from registry.background import BackgroundTasks
from registry.errors import StartupError
from registry.server import Server, ServerIncompatible, listen
from registry.server.uvicorn_compat import check_internals, missing_internals
from tests.support.registry.raw_http import Probe
from tests.support.registry.settings import default_limits


def test_this_uvicorn_has_all_of_it() -> None:
    assert missing_internals() == []
    check_internals()


def test_a_server_does_not_start_on_another_uvicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(HttpToolsProtocol, "_start_asgi_task")

    with listen("127.0.0.1", 0) as listener, pytest.raises(ServerIncompatible) as refused:
        Server(Probe(), listener, limits=default_limits(), background=BackgroundTasks())

    assert isinstance(refused.value, StartupError)
    assert str(refused.value) == (
        f"uvicorn {uvicorn.__version__} lacks HttpToolsProtocol._start_asgi_task, which this "
        "server builds on: install the version that this release of the registry asks for"
    )


class _Cycle(httptools_impl.RequestResponseCycle):
    """As one that calls its state by another name."""

    def __init__(self, **given: object) -> None:
        super().__init__(**given)  # type: ignore[arg-type]  # blanks
        del self.waiting_for_100_continue


class _Protocol(HttpToolsProtocol):
    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]  # passed on
        del self.pipeline


class _Flow(flow_control.FlowControl):
    def __init__(self, transport: object) -> None:
        """As one without ``read_paused``."""


class _State(uvicorn.server.ServerState):
    def __init__(self) -> None:
        super().__init__()
        del self.tasks


def test_a_parameter_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httptools_impl, "RequestResponseCycle", lambda scope: None)

    assert "RequestResponseCycle(on_response)" in missing_internals()


@pytest.mark.parametrize(
    ("place", "changed", "missing"),
    [
        (
            "uvicorn.protocols.http.httptools_impl.HttpToolsProtocol",
            _Protocol,
            "HttpToolsProtocol.pipeline",
        ),
        (
            "uvicorn.protocols.http.flow_control.FlowControl",
            _Flow,
            "FlowControl.read_paused",
        ),
        ("registry.server.uvicorn_compat.ServerState", _State, "ServerState.tasks"),
    ],
)
def test_an_attribute_that_is_gone_is_named(
    monkeypatch: pytest.MonkeyPatch, place: str, changed: type, missing: str
) -> None:
    monkeypatch.setattr(place, changed)

    assert missing in missing_internals()
