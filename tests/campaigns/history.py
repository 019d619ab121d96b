"""History: the states that an acknowledgement log allows for each key.  Uses no product code."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOREVER = float("inf")
WRITES = ("put", "delete")


class Write:
    """One write of one key: when it was asked for, when it was over, what it left there."""

    def __init__(self, begun: float, value: str | None, victim: str | None = None) -> None:
        self.begun, self.ended, self.sure, self.value = begun, FOREVER, False, value
        self.victim = victim  # a manifest's deletion removes those tags alone that are on it

    def undoes(self, other: "Write") -> bool:
        hits = self.victim is None or self.victim == other.value
        return self.sure and self.begun > other.ended and hits


class History:
    """The log by key: writes by key, leases by blob, bytes promised to open sessions."""

    def __init__(self, path: Path) -> None:
        self.writes: dict[tuple[str, str, str], list[Write]] = defaultdict(list)
        self.pushes: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        self.leases: dict[tuple[str, str], float] = {}
        self.sessions: dict[str, int] = {}
        self.now = 0.0
        self._open: dict[int, tuple[dict[str, Any], list[Write]]] = {}
        self._unknown: list[Write] = []
        self._is_cut = False
        for text in path.read_bytes().splitlines():
            self._read(json.loads(text))

    def _read(self, line: dict[str, Any]) -> None:
        event, number = line["event"], line.get("n", 0)
        if event in ("cut", "down"):
            self._is_cut = event == "cut"
        if event == "ok" and self._is_cut:
            event = "unknown"  # told by a machine that had lost its power
        if event == "invoke":
            self._open[number] = line, list(self._invoke(line))
        elif event == "down":
            self.now = line["t"]
            pending = [write for _, writes in self._open.values() for write in writes]
            for write in [*self._unknown, *pending]:
                write.ended = min(write.ended, self.now)
            self._unknown.clear()
        elif event == "unknown":
            self._unknown += self._open.pop(number)[1]
        elif event in ("ok", "fail"):
            asked, writes = self._open.pop(number)
            for write in writes:
                write.ended, write.sure = line["t"], event == "ok"
                write.begun = write.begun if event == "ok" else FOREVER
            if event == "ok":
                self._ok(asked, line)

    def _invoke(self, line: dict[str, Any]) -> Iterator[Write]:
        noun, _, verb = line["op"].partition(".")
        repository = line.get("repository", "")
        keys: list[tuple[str, str, Write]] = []
        if verb in WRITES:
            value = line["digest"] if verb == "put" else None
            keys.append((noun, line.get("tag") or line["digest"], Write(line["t"], value)))
            keys += [("tag", tag, Write(line["t"], value)) for tag in line.get("tags", ())]
        if line["op"] == "manifest.delete":
            keys.append(("untag", "", Write(line["t"], None, line["digest"])))
        if line["op"] == "manifest.put":
            self.pushes[repository, line["digest"]].append(line)
        if line["op"] == "upload.end":
            self.sessions.pop(line["session"], None)
        for kind, reference, write in keys:
            self.writes[kind, repository, reference].append(write)
            yield write

    def _ok(self, asked: dict[str, Any], line: dict[str, Any]) -> None:
        if asked["op"] in ("blob.put", "blob.head"):
            key = asked["repository"], asked["digest"]
            share = 1.0 if asked["op"] == "blob.put" else 0.5
            self.leases[key] = max(self.leases.get(key, 0.0), asked["t"] + share * asked["lease"])
        elif asked["op"] == "upload.append":
            self.sessions[asked["session"]] = line["offset"]

    def allowed(self, kind: str, repository: str, reference: str) -> set[str | None]:
        """Values that a key may hold now: those that no sure write has surely followed."""
        never = Write(-2.0, None)
        never.ended = -1.0
        writes = [never, *self.writes.get((kind, repository, reference), ())]
        writes = [write for write in writes if write.begun != FOREVER]
        last = max((write.begun for write in writes if write.sure), default=-FOREVER)
        late = [write for write in writes if write.ended >= last]
        if kind == "tag":
            untags = self.writes.get(("untag", repository, ""), ())
            untags = [untag for untag in untags if untag.begun != FOREVER and untag.ended >= last]
            late += [untag for untag in untags if hits(untag, writes)]
        return {write.value for write in late if not any(w.undoes(write) for w in late)}


def hits(untag: Write, writes: list[Write]) -> bool:
    """Whether the tag may have been on the deleted manifest while that was deleted."""
    return any(
        write.value == untag.victim
        and write.begun < untag.ended
        and not any(w.undoes(write) and w.ended < untag.begun for w in writes)
        for write in writes
    )
