"""MountOption: a mount requested by ``-v``, ``--mount`` or ``--tmpfs``.

Engine API, ``Mount`` and ``HostConfig.Binds``.
https://docs.docker.com/engine/api/v1.44/#tag/Container/operation/ContainerCreate
"""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from runner.errors import BadRequest
from runner.schema import fields

MountKind = Literal["bind", "volume", "tmpfs"]

PROPAGATIONS = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})


@dataclass(frozen=True, slots=True)
class MountOption:
    """``source`` is an absolute host path for ``bind``, a volume's name for ``volume`` ("" for an
    anonymous one), and "" for ``tmpfs``; ``target`` is absolute, inside the container.

    ``options`` by kind:
      bind: a propagation word (``rprivate`` when none), ``nonrecursive``, ``create`` (make the
        host directory when it is missing: what ``-v`` has always done);
      volume: ``nocopy`` (leave a new volume empty instead of copying the image's files);
      tmpfs: mount options as the kernel reads them (``size=65536k``, ``mode=1777``, ``noexec``).
    """

    kind: MountKind
    source: str
    target: str
    read_only: bool = False
    options: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read one element of ``HostConfig.Mounts``."""
        kind = fields.text(document, "Type") or "volume"
        source = fields.text(document, "Source")
        target = check_target(fields.text(document, "Target"))
        read_only = fields.boolean(document, "ReadOnly")
        fields.refuse_unknown(document, (*_MOUNT_FIELDS, _OPTIONS_FIELDS.get(kind, "")), "Mounts.")
        if kind == "bind":
            if not source.startswith("/"):
                raise BadRequest(f"invalid mount source {source!r}: a bind needs an absolute path")
            bind = fields.mapping(document, "BindOptions")
            return cls("bind", posixpath.normpath(source), target, read_only, _bind_options(bind))
        if kind == "volume":
            volume = fields.mapping(document, "VolumeOptions")
            fields.refuse_unknown(volume, ("DriverConfig", "Labels", "NoCopy"), "VolumeOptions.")
            _check_driver(fields.mapping(volume, "DriverConfig"))
            nocopy = ("nocopy",) if fields.boolean(volume, "NoCopy") else ()
            labels = fields.string_map(volume, "Labels")
            return cls("volume", source, target, read_only, nocopy, labels)
        if kind == "tmpfs":
            if source:
                raise BadRequest(f"invalid mount source {source!r}: a tmpfs has none")
            tmpfs = fields.mapping(document, "TmpfsOptions")
            fields.refuse_unknown(tmpfs, ("Mode", "Options", "SizeBytes"), "TmpfsOptions.")
            return cls("tmpfs", "", target, read_only, _tmpfs_options(tmpfs))
        raise BadRequest(f"invalid mount type {kind!r}: expected bind, volume or tmpfs")

    @classmethod
    def parse_bind(cls, text: str) -> Self:
        """Read one element of ``HostConfig.Binds``: ``source:target[:options]``."""
        parts = text.split(":")
        if len(parts) not in (2, 3) or not parts[0]:
            raise BadRequest(f"invalid volume {text!r}: expected source:target[:options]")
        source, target = parts[0], check_target(parts[1])
        words = [word for word in parts[2].split(",") if word] if len(parts) == 3 else []
        kind: MountKind = "bind" if source.startswith("/") else "volume"
        allowed = PROPAGATIONS if kind == "bind" else {"nocopy"}
        _check_exclusive(text, words)
        words = [word for word in words if word not in _IGNORED_OPTIONS]
        read_only = "ro" in words
        options = [word for word in words if word != "ro"]
        for word in options:
            if word not in allowed:
                known = ", ".join(sorted({"ro", "rw", *allowed, *_IGNORED_OPTIONS}))
                raise BadRequest(
                    f"invalid volume {text!r}: unknown option {word!r}, expected one of {known}"
                )
        if kind == "bind":
            source = posixpath.normpath(source)
            options.append("create")
        return cls(kind, source, target, read_only, tuple(options))

    @classmethod
    def parse_tmpfs(cls, target: str, options: str) -> Self:
        """Read one entry of ``HostConfig.Tmpfs``: target → ``size=64m,mode=1777,ro``."""
        words = [word for word in options.split(",") if word]
        read_only = "ro" in words
        kept = tuple(word for word in words if word not in ("ro", "rw"))
        return cls("tmpfs", "", check_target(target), read_only, kept)

    def to_json(self) -> dict[str, Any]:
        """The element of ``HostConfig.Mounts`` that ``from_json`` reads back as this."""
        document: dict[str, Any] = {"Type": self.kind, "Target": self.target}
        if self.source:
            document["Source"] = self.source
        if self.read_only:
            document["ReadOnly"] = True
        if self.kind == "bind":
            bind = dict(_bind_word(word) for word in self.options)
            document |= {"BindOptions": bind} if bind else {}
        elif self.kind == "volume":
            volume: dict[str, Any] = {"NoCopy": True} if "nocopy" in self.options else {}
            volume |= {"Labels": dict(self.labels)} if self.labels else {}
            document |= {"VolumeOptions": volume} if volume else {}
        elif self.options:
            document["TmpfsOptions"] = {"Options": [[word] for word in self.options]}
        return document


_MOUNT_FIELDS = ("Consistency", "ReadOnly", "Source", "Target", "Type")
_OPTIONS_FIELDS = {"bind": "BindOptions", "volume": "VolumeOptions", "tmpfs": "TmpfsOptions"}
_BIND_FIELDS = ("CreateMountpoint", "NonRecursive", "Propagation")
# z and Z relabel for SELinux; the next three are for a daemon in a virtual machine.
_IGNORED_OPTIONS = frozenset({"z", "Z", "cached", "consistent", "delegated", "rw"})

# Of each group a volume has one word, once: docker's rule.
_EXCLUSIVE = (
    frozenset({"ro", "rw"}),
    frozenset({"z", "Z"}),
    frozenset({"cached", "consistent", "delegated"}),
    frozenset({"nocopy"}),
    PROPAGATIONS,
)

_BIND_WORDS = {"nonrecursive": "NonRecursive", "create": "CreateMountpoint"}


def _bind_word(word: str) -> tuple[str, Any]:
    return ("Propagation", word) if word in PROPAGATIONS else (_BIND_WORDS[word], True)


def check_target(target: str) -> str:
    """The mount point, normalised; or BadRequest when it is relative, or the root itself."""
    if not target.startswith("/"):
        raise BadRequest(f"invalid mount target {target!r}: expected an absolute path")
    normal = "/" + posixpath.normpath(target).lstrip("/")
    if normal == "/":
        raise BadRequest("invalid mount target '/': the root is the image's")
    return normal


def _check_exclusive(text: str, words: Sequence[str]) -> None:
    for group in _EXCLUSIVE:
        found = [word for word in words if word in group]
        if len(found) > 1:
            expected = ", ".join(sorted(group))
            raise BadRequest(
                f"invalid volume {text!r}: found {' and '.join(found)}, "
                f"expected at most one of {expected}"
            )


def _bind_options(document: Mapping[str, Any]) -> tuple[str, ...]:
    fields.refuse_unknown(document, _BIND_FIELDS, "BindOptions.")
    propagation = fields.text(document, "Propagation")
    if propagation and propagation not in PROPAGATIONS:
        expected = ", ".join(sorted(PROPAGATIONS))
        raise BadRequest(f"invalid propagation {propagation!r}: expected one of {expected}")
    words = [propagation] if propagation else []
    words += [word for word, key in _BIND_WORDS.items() if fields.boolean(document, key)]
    return tuple(words)


def _tmpfs_options(document: Mapping[str, Any]) -> tuple[str, ...]:
    words = []
    if size := fields.integer(document, "SizeBytes"):
        words.append(f"size={size}")
    if mode := fields.integer(document, "Mode"):
        words.append(f"mode={mode:o}")
    pairs = document.get("Options") or []
    if not isinstance(pairs, list):
        raise BadRequest(f"TmpfsOptions.Options: expected a list of lists, found {pairs!r}")
    return (*words, *("=".join(fields.strings({"Options": pair}, "Options")) for pair in pairs))


def _check_driver(document: Mapping[str, Any]) -> None:
    name = fields.text(document, "Name")
    if name not in ("", "local"):
        raise BadRequest(f"invalid volume driver {name!r}: only 'local' is offered")
    if fields.mapping(document, "Options"):
        raise BadRequest("options of the volume driver are not supported")
