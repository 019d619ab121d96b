"""Credentials files shared by clients: containers' auth.json and docker's config.json.

https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
"""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oci.docker_hub import DOCKER_HUB
from oci.document import InvalidDocument, parse_json
from runner.credentials.values import CredentialsInvalid, canonical

DOCKER_HUB_KEY = "https://index.docker.io/v1/"


def paths(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """The credentials files, in order of precedence."""
    home = Path(environment.get("HOME") or "/root")
    if named := environment.get("REGISTRY_AUTH_FILE"):
        found = [Path(named)]
    else:
        found = [home / ".config/containers/auth.json"]
        if runtime_directory := environment.get("XDG_RUNTIME_DIR"):
            found.insert(0, Path(runtime_directory) / "containers/auth.json")
    return (*found, docker_config(environment))


def docker_config(environment: Mapping[str, str]) -> Path:
    """docker's config.json, which most clients read."""
    home = Path(environment.get("HOME") or "/root")
    return Path(environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json"


def keys(host: str, repository: str = "") -> tuple[str, ...]:
    """The keys of a host's entries, most specific first; auth.json allows paths."""
    parts = repository.split("/") if repository else []
    scoped = [f"{host}/{'/'.join(parts[:count])}" for count in range(len(parts), 0, -1)]
    return (*scoped, host)


def server_name(host: str) -> str:
    """The key of a host in docker's file and helpers."""
    return DOCKER_HUB_KEY if canonical(host) == DOCKER_HUB else host


def read(path: Path) -> dict[str, Any]:
    """Read the file's JSON object; {} for a missing or empty file."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise CredentialsInvalid(f"{path}: {error.strerror}") from error
    try:
        # Some editors write a byte order mark.
        document = parse_json(content.decode(json.detect_encoding(content)) or "{}")
    except UnicodeDecodeError as error:
        raise CredentialsInvalid(f"{path}: not JSON: {error}") from error
    except InvalidDocument as error:
        raise CredentialsInvalid(f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise CredentialsInvalid(f"{path}: found {type(document).__name__}, expected an object")
    return document


def object_field(document: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    """The object under ``key``; {} if absent or null."""
    value = document.get(key) or {}
    if not isinstance(value, dict):
        raise CredentialsInvalid(f"{path}: {key} is {type(value).__name__}, expected an object")
    return value


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Replace the file atomically, with mode 0600; a missing directory is created with 0700."""
    # Keep a user's symlink: replace its target.
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w") as file:
            json.dump(document, file, indent="\t")
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise
