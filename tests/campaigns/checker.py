"""The independent checker: a stopped root against its clients' log.  Uses no product code.

It reads a copy of the database, so that a crashed root stays as the crash left it.
"""

import hashlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.campaigns.history import History


def check(root: Path, log: Path, *, swept: bool = False, power_loss: bool = False) -> list[str]:
    """Every violation, in words; ``swept``: no orphans; ``power_loss``: chunks may be gone."""
    with tempfile.TemporaryDirectory(prefix="checker-") as copy:
        for path in root.glob("registry.db*"):
            if not path.name.endswith("-shm"):
                shutil.copy(path, copy)
        with sqlite3.connect(Path(copy) / "registry.db") as rows:
            found = list(check_rows(rows, root, History(log), swept, power_loss))
        rows.close()
    return found


def check_rows(
    rows: sqlite3.Connection, root: Path, history: History, swept: bool, power_loss: bool
) -> Iterator[str]:
    query = rows.execute
    name_of = dict(query("SELECT id, name FROM repositories"))
    if (integrity := query("PRAGMA integrity_check").fetchall()) != [("ok",)]:
        yield f"integrity_check: {integrity}"
    if broken := query("PRAGMA foreign_key_check").fetchall():
        yield f"foreign_key_check: {broken}"
    files = {path.name: path for path in (root / "blobs").glob("*/*")}
    trash = {row[0] for row in query("SELECT physical FROM trash")}
    blobs = {row[0]: row[1:] for row in query("SELECT digest, size, physical, state FROM blobs")}
    for digest, (size, physical, state) in blobs.items():
        algorithm, _, encoded = digest.partition(":")
        content = files[physical].read_bytes() if physical in files else None
        if content is None or state != "ok":
            yield f"blob {digest}: {state} row, {'no' if content is None else 'a'} file {physical}"
        elif len(content) != size or hashlib.new(algorithm, content).hexdigest() != encoded:
            yield f"blob {digest}: file {physical} has other bytes"
        if physical in trash:
            yield f"blob {digest}: {physical} is in the trash"
    named = {row[1] for row in blobs.values()} | trash
    sessions = {row[0] for row in query("SELECT id FROM uploads")}
    uploads = {path.name: path.stat().st_size for path in (root / "uploads").iterdir()}
    # Before its row is taken, a session's bytes are already under their last name.
    for name in [name for name in files if name not in named] + list(uploads):
        if swept and name[-36:] not in sessions:
            yield f"file {name} belongs to nobody"
    for session, offset in history.sessions.items():
        if not power_loss and uploads.get(session, -1) < offset:
            yield f"upload {session}: {uploads.get(session)} bytes, acknowledged {offset}"
    members = {(name_of[n], d) for n, d in query("SELECT repository_id, digest FROM repo_blobs")}
    stored = query("SELECT repository_id, digest, media_type, content FROM manifests")
    manifests = {(name_of[row[0]], row[1]): row[2:] for row in stored}
    changes = query("SELECT repository_id, tag, digest FROM tag_history")
    past = {(name_of[row[0]], *row[1:]) for row in changes}
    yield from check_manifests(history, manifests, members, past)
    tags = query("SELECT repository_id, name, digest FROM tags")
    present = {
        "blob": {(name, digest): digest for name, digest in members},
        "manifest": {(name, digest): digest for name, digest in manifests},
        "tag": {(name_of[number], tag): digest for number, tag, digest in tags},
    }
    for kind, repository, reference in list(history.writes):
        if kind == "untag":
            continue
        may, key = history.allowed(kind, repository, reference), (repository, reference)
        if kind == "blob" and history.leases.get(key, 0.0) < history.now:
            may.add(None)  # collected, unless a manifest names it: that is checked there
        if (value := present[kind].get(key)) not in may:
            yield f"{kind} {repository} {reference}: is {value}, may be {sorted(map(str, may))}"
    for kind, found in present.items():
        for repository, reference in found:
            if (kind, repository, reference) not in history.writes:
                yield f"{kind} {repository} {reference}: nobody pushed it"


def check_manifests(
    history: History,
    manifests: dict[tuple[str, str], tuple[str, bytes]],
    members: set[Any],
    past: set[Any],
) -> Iterator[str]:
    """Bytes, references, and that a manifest and its tags came together."""
    for (repository, digest), (media_type, content) in manifests.items():
        where = f"manifest {repository} {digest}"
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            yield f"{where}: other bytes"
        document = json.loads(content)
        for blob in [document.get("config"), *document.get("layers", ())]:
            if blob is not None and (repository, blob["digest"]) not in members:
                yield f"{where}: names blob {blob['digest']}, which is gone"
        for child in document.get("manifests", ()):
            may = history.allowed("manifest", repository, child["digest"])
            if (repository, child["digest"]) not in manifests and None not in may:
                yield f"{where}: names manifest {child['digest']}, which is gone"
        pushes = history.pushes.get((repository, digest), [])
        if any(push["media_type"] != media_type for push in pushes):
            yield f"{where}: pushed as another media type than {media_type}"
        if len(pushes) == 1 and any((repository, t, digest) not in past for t in pushes[0]["tags"]):
            yield f"{where}: came without its tags"
