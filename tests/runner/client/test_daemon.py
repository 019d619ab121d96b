"""DaemonClient: which daemon it starts, and which it does not."""

from pathlib import Path

import pytest

from runner.client import DaemonClient, DaemonUnreachable, start


def test_no_daemon_is_started_on_a_socket_whose_root_nobody_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(start, "start_daemon", started.append)
    monkeypatch.delenv("RUNNER_ROOT", raising=False)
    path = str(tmp_path / "s")

    with pytest.raises(DaemonUnreachable, match="start one with 'runner daemon --socket"):
        DaemonClient(path).version()
    monkeypatch.setenv("RUNNER_ROOT", str(tmp_path))
    with pytest.raises(DaemonUnreachable, match="no daemon answers"):
        DaemonClient(path).version()

    assert started == [path]
