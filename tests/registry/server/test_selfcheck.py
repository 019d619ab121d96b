"""What we rely on in uvicorn is there, and if it were not, we would serve without it."""

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from registry.server import Limits, SlipwayProtocol
from registry.server.selfcheck import choose_protocol, missing_internals
from tests.support.raw_http import Probe, running, talk

LAST = b"GET /plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def test_this_uvicorn_has_all_of_it() -> None:
    assert missing_internals() == []
    assert choose_protocol() is SlipwayProtocol


def test_another_uvicorn_serves_without_sendfile_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(HttpToolsProtocol, "_start_asgi_task")

    with pytest.warns(RuntimeWarning, match=r"lacks HttpToolsProtocol\._start_asgi_task"):
        assert choose_protocol() is HttpToolsProtocol


def test_the_fall_back_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.server.serving.choose_protocol", lambda: HttpToolsProtocol)
    probe = Probe()

    with running(probe, Limits()) as server:
        [answer] = talk(server, LAST)

    assert answer.body == b"hello"
    assert "extensions" not in probe.scopes[0]
