"""No secret that is given anywhere, by mistake or not, is written or answered (rule LG-1)."""

import base64
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner

from registry.auth.secrets import mint
from registry.cli.entry import main
from registry.storage.disk.root import DATABASE
from tests.support import http
from tests.support.processes import NO_FLOOR, RegistryServer, make_registry_server

pytestmark = pytest.mark.takes(20)

PASSWORD = "Canary of a Password"  # noqa: S105
WRONG = "Canary that is Wrong"
TOKEN = mint().text
CANARIES = (PASSWORD, WRONG, TOKEN, TOKEN.split("_")[2])

BAD = [WRONG, TOKEN]


def command(root: Path, *arguments: str, given: str | None = None) -> int:
    program = CliRunner(env=NO_FLOOR)
    return program.invoke(main, [*arguments, "--root", str(root)], input=given).exit_code


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RegistryServer]:
    server = make_registry_server(tmp_path / "root", anonymous="none")
    assert not command(
        server.root, "setup", "--owner", "ada", "--password-file", "-", given=PASSWORD
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


def leaks(text: str) -> list[str]:
    encoded = [base64.b64encode(each.encode()).decode().rstrip("=") for each in CANARIES]
    quoted = [each.replace(" ", sign) for each in CANARIES for sign in ("%20", "+")]
    return [each for each in (*CANARIES, *encoded, *quoted) if each in text]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def requests(url: str) -> Iterator[httpx2.Response]:
    """Requests with a canary in each place that a client fills."""
    for bad in BAD:
        for given in (basic("ada", bad), basic(bad, bad), f"Bearer {bad}", f"Basic {bad}", bad):
            for path in ("/v2/", "/token", "/v2/_catalog", "/v2/team/app/tags/list"):
                yield http.get(f"{url}{path}", headers={"Authorization": given})
        good = {"Authorization": basic("ada", PASSWORD)}
        for headers in ({}, good):
            for key in ("account", "scope", "service", "client_id", "offline_token"):
                yield http.get(f"{url}/token", params={key: bad}, headers=headers)
            for key in ("n", "last"):
                yield http.get(f"{url}/v2/_catalog", params={key: bad}, headers=headers)
                yield http.get(f"{url}/v2/team/app/tags/list", params={key: bad}, headers=headers)
            for key in ("digest", "mount", "from", "digest-algorithm"):
                yield http.post(
                    f"{url}/v2/team/app/blobs/uploads/", params={key: bad}, headers=headers
                )
            yield http.put(f"{url}/v2/team/app/manifests/v1", params={"tag": bad}, headers=headers)
        for key in ("grant_type", "username", "password", "refresh_token", "scope", "service"):
            for grant_type in ("password", "refresh_token"):
                form = {"grant_type": grant_type, "username": "ada", "password": WRONG, key: bad}
                yield http.post(f"{url}/token", data=form)


def commands(root: Path) -> None:
    """Commands with a canary in each place that an operator fills."""
    for bad in BAD:
        command(root, "user", "add", "bob", "--password-file", "-", given=bad)
        command(root, "user", "password", "ada", "--password-file", "-", given=bad)
        command(root, "user", "password", "ada", "--password-file", "-", given=PASSWORD)
        command(root, "token", "add", "ada", "--label", bad)
        for words in (
            "setup --owner X --password-file -",
            "user add X --no-password",
            "user set X --disable",
            "user remove X",
            "group add X",
            "group remove X",
            "group join X ada",
            "group join web X",
            "robot add X",
            "robot remove X",
            "token add X",
            "token list X",
            "token revoke X",
            "grant add X pull team/app",
            "grant list X",
            "grant remove X team/app",
            "grant explain X pull team/app",
            "lock remove X",
            "repo delete X",
            "undelete X",
            "audit list --who X",
        ):
            command(root, *(bad if word == "X" else word for word in words.split()), given=bad)


def test_lg_1_no_canary_is_in_the_audit_the_log_or_an_answer(server: RegistryServer) -> None:
    command(server.root, "group", "add", "web")
    found: list[tuple[str, list[str]]] = []
    refused = 0
    for answer in requests(server.url):
        refused += answer.status_code >= 400
        # A refusal of another number or digest names the text; its sender alone sees that.
        is_echo = answer.url.path.startswith("/v2/") and answer.url.query
        told = answer.text if answer.status_code >= 400 and not is_echo else ""
        found.append((str(answer.url.path), leaks(f"{told}\n{dict(answer.headers)}")))
    commands(server.root)
    server.stop()

    with sqlite3.connect(server.root / DATABASE) as database:
        rows = list(map(str, database.execute("SELECT * FROM audit")))
    database.close()
    log = server.server.log.read_text()

    assert refused > 50
    assert [each for each in found if each[1]] == []
    assert any("login.fail" in row and "'ada'" in row for row in rows)
    assert any("user.add" in row and "'bob'" in row for row in rows)
    assert [row for row in rows if leaks(row)] == []
    assert "user add" in log
    assert [line for line in log.splitlines() if leaks(line)] == []
