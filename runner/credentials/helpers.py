"""Credential helpers: programs named docker-credential-NAME that store secrets.

https://github.com/docker/docker-credential-helpers#development
"""

import json
import re
import subprocess

from oci.document import InvalidDocument, parse_json
from runner.credentials.values import Credentials, CredentialsInvalid, text

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)
TIMEOUT_SECONDS = 60
TOKEN_USERNAME = "<token>"  # noqa: S105 - the protocol's mark for "the secret is a token"
NOT_FOUND = "credentials not found"


def get(helper: str, server: str) -> Credentials | None:
    """Ask the helper; None if it holds nothing for this server."""
    answer = _run(helper, "get", server)
    if answer is None:
        return None
    where = f"docker-credential-{helper}"
    try:
        document = parse_json(answer)
    except InvalidDocument as error:
        raise CredentialsInvalid(f"{where}: the answer is not JSON") from error
    if not isinstance(document, dict):
        raise CredentialsInvalid(f"{where}: the answer is not a JSON object")
    username, secret = text(document, "Username", where), text(document, "Secret", where)
    if username == TOKEN_USERNAME:
        return Credentials(identity_token=secret)
    return Credentials(username, secret) if username or secret else None


def store(helper: str, server: str, credentials: Credentials) -> None:
    """Store a secret; passed on stdin, never in arguments or the environment."""
    token = credentials.identity_token
    document = {
        "ServerURL": server,
        "Username": TOKEN_USERNAME if token else credentials.username,
        "Secret": token or credentials.password,
    }
    _run(helper, "store", json.dumps(document))


def erase(helper: str, server: str) -> None:
    """Erase this server's credentials; no error if there are none."""
    _run(helper, "erase", server)


def _run(helper: str, action: str, given: str) -> str | None:
    if not NAME.fullmatch(helper):
        raise CredentialsInvalid(f"credential helper {helper!r}: not the name of a program")
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(  # noqa: S603 - the name is checked, the user's own file names it
            [program, action], input=given, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
        )
    except FileNotFoundError as error:
        raise CredentialsInvalid(f"{program} is configured, but not in PATH") from error
    except subprocess.TimeoutExpired as error:
        raise CredentialsInvalid(f"{program} {action}: no answer in {TIMEOUT_SECONDS} s") from error
    except UnicodeDecodeError as error:
        raise CredentialsInvalid(f"{program} {action}: the answer is not text") from error
    if done.returncode == 0:
        return done.stdout
    output = (done.stdout or done.stderr).strip()
    if NOT_FOUND in output.lower():
        return None
    raise CredentialsInvalid(f"{program} {action}: {output or f'exit code {done.returncode}'}")
