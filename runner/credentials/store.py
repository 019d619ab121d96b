"""CredentialStore: find, save and remove a registry's credentials in files and helpers."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.credentials import files, helpers
from runner.credentials.values import Credentials, canonical


@dataclass(frozen=True, slots=True)
class SaveResult:
    """The file or helper that credentials were saved to; ``plain`` if unencrypted."""

    where: str
    plain: bool


class CredentialStore:
    """The user's credentials: the standard files in order, and the helpers they name.

    Not cached, as another client may log in or out at any time.  Calls block on files and
    helper programs.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment

    def find(self, host: str, repository: str = "") -> Credentials | None:
        """The most specific credentials for a repository on ``host``, or None."""
        for path in files.paths(self._environment):
            document = files.read(path)
            helper = _helper(document, host, path)
            if helper and (found := helpers.get(helper, files.server_name(host))):
                return found
            if found := _find_entry(document, host, repository, path):
                return found
        return None

    def save(self, host: str, credentials: Credentials) -> SaveResult:
        """Save credentials for ``host`` in the file that has an entry for it, else in docker's."""
        path = self._path_of(host)
        document = files.read(path)
        server = files.server_name(host)
        helper = _helper(document, host, path)
        if helper:
            helpers.store(helper, server, credentials)
        auths = _without(files.object_field(document, "auths", path), host)
        auths[server] = {} if helper else credentials.to_entry()
        files.write(path, {**document, "auths": auths})
        if helper:
            return SaveResult(f"docker-credential-{helper}", plain=False)
        return SaveResult(str(path), plain=True)

    def remove(self, host: str) -> bool:
        """Remove ``host`` from every file and helper; False if there was no entry."""
        known = False
        for path in files.paths(self._environment):
            document = files.read(path)
            if helper := _helper(document, host, path):
                known = helpers.get(helper, files.server_name(host)) is not None or known
                helpers.erase(helper, files.server_name(host))
            auths = files.object_field(document, "auths", path)
            kept = _without(auths, host)
            if kept != auths:
                known = True
                files.write(path, {**document, "auths": kept})
        return known

    def _path_of(self, host: str) -> Path:
        """The first file with an entry for ``host``: it takes precedence over later ones."""
        for path in files.paths(self._environment):
            document = files.read(path)
            auths = files.object_field(document, "auths", path)
            if _helper(document, host, path) or _without(auths, host) != auths:
                return path
        if named := self._environment.get("REGISTRY_AUTH_FILE"):
            return Path(named)
        return files.docker_config(self._environment)


def _helper(document: Mapping[str, Any], host: str, path: Path) -> str | None:
    """The helper configured for ``host``, or for all hosts."""
    for key, helper in files.object_field(document, "credHelpers", path).items():
        if canonical(key) == canonical(host):
            return str(helper)
    store = document.get("credsStore")
    return store if isinstance(store, str) and store else None


def _find_entry(
    document: Mapping[str, Any], host: str, repository: str, path: Path
) -> Credentials | None:
    auths = files.object_field(document, "auths", path)
    named = {canonical(key): entry for key, entry in auths.items()}
    for key in files.keys(canonical(host), repository):
        if key in named:
            found = Credentials.from_entry(named[key], f"{path}: auths: {key}")
            if found:
                return found
    return None


def _without(auths: Mapping[str, Any], host: str) -> dict[str, Any]:
    """The entries without those for all of ``host``."""
    gone = canonical(host)
    return {key: entry for key, entry in auths.items() if canonical(key) != gone}
