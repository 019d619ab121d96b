"""registry upload: the same live and stopped."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from registry.cli import main
from tests.support import http
from tests.support.processes import RegistryServer, make_registry_server


def run(server: RegistryServer, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, [*arguments, "--root", str(server.root)])
    assert result.exit_code == code, result.output
    return result.output


def begin(server: RegistryServer) -> str:
    answer = http.post(f"{server.url}/v2/team/app/blobs/uploads/").raise_for_status()
    return answer.headers["docker-upload-uuid"]


@pytest.mark.parametrize("live", [True, False])
def test_uploads_are_listed_and_cancelled(tmp_path: Path, live: bool) -> None:
    server = make_registry_server(tmp_path / "root")
    server.start()
    try:
        first, second, third = (begin(server) for _ in range(3))
        if not live:
            server.stop()

        listed = run(server, "upload", "list").splitlines()
        named = run(server, "upload", "cancel", first)
        absent = run(server, "upload", "cancel", "another", code=1)
        rest = run(server, "upload", "cancel", "--address", "127.0.0.1")
        nothing = run(server, "upload", "cancel", "--all")
    finally:
        server.stop()

    assert [line.split("  ")[:4] for line in listed] == [
        [each, "team/app", "anonymous", "127.0.0.1"] for each in (first, second, third)
    ]
    assert named == f"{first} of team/app is cancelled\n"
    assert absent == (
        "Error: no open upload another; `registry upload list` shows those that are\n"
    )
    assert rest.endswith("2 uploads are cancelled\n")
    assert nothing == "0 uploads are cancelled\n"


def test_cancel_without_saying_which_cancels_nothing(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["upload", "cancel", "--root", str(tmp_path)])

    assert result.exit_code == 2
    assert "--address or --all" in result.output
