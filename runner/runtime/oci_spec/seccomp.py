"""Seccomp: a profile in Docker's format → the spec's ``linux.seccomp`` for one container.

https://docs.docker.com/engine/security/seccomp/
https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#seccomp

The default profile is ``seccomp.json`` beside this file.  Its list of system calls comes from
Debian's /usr/share/containers/seccomp.json (package golang-github-containers-common, Apache-2.0,
by the containers/common authors), made as strict as Docker's and brought up to Linux 6.14:

- Anything unlisted is EPERM.  (runc itself answers ENOSYS for calls newer than the profile, so
  that a newer libc falls back.)
- Of the socket families only those in use are allowed: not AF_ALG (CVE-2026-31431), not
  AF_VSOCK, none of the dead ones.  A 32-bit program can still ask for any family through
  socketcall(2), whose arguments no filter can see; refusing that would refuse 32-bit networking.
- process_vm_readv(2) and process_vm_writev(2) need CAP_SYS_PTRACE, name_to_handle_at(2) needs
  CAP_DAC_READ_SEARCH: nothing common asks for them, and each has been a step of an escape.
- No x32: hardly any program uses it, and it would make each container start slower.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from runner.errors import BadRequest

Document = Mapping[str, Any]

# Docker's names for architectures → libseccomp's.
ARCHITECTURES: Final = {
    "amd64": "SCMP_ARCH_X86_64",
    "arm64": "SCMP_ARCH_AARCH64",
    "arm": "SCMP_ARCH_ARM",
    "386": "SCMP_ARCH_X86",
    "ppc64le": "SCMP_ARCH_PPC64LE",
    "riscv64": "SCMP_ARCH_RISCV64",
    "s390x": "SCMP_ARCH_S390X",
}


@cache
def default_profile() -> Document:
    """The default profile in Docker's format; callers must not modify it."""
    text = Path(__file__).with_name("seccomp.json").read_text(encoding="utf-8")
    document: Document = json.loads(text)
    return document


def resolve(
    profile: Document, capabilities: Sequence[str], architecture: str, kernel: tuple[int, int]
) -> dict[str, Any]:
    """Keep the rules that apply to a container with these capabilities on this machine.

    ``kernel`` is (major, minor).  Raises BadRequest for a profile that is not in Docker's format.
    """
    try:
        rules = [
            _rule(rule)
            for rule in profile.get("syscalls") or []
            if _applies(rule, frozenset(capabilities), architecture, kernel)
        ]
        resolved = {
            "defaultAction": profile["defaultAction"],
            "architectures": _architectures(profile, architecture),
            "syscalls": rules,
        }
        for name in ("defaultErrnoRet", "flags", "listenerPath", "listenerMetadata"):
            if profile.get(name) is not None:
                resolved[name] = profile[name]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadRequest(f"invalid seccomp profile: {error!r}") from None
    return resolved


def _applies(
    rule: Document, capabilities: frozenset[str], architecture: str, kernel: tuple[int, int]
) -> bool:
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    wanted, unwanted = includes.get("caps") or (), excludes.get("caps") or ()
    arches, no_arches = includes.get("arches") or (), excludes.get("arches") or ()
    return (
        (not arches or architecture in arches)
        and architecture not in no_arches
        and capabilities.issuperset(wanted)
        and capabilities.isdisjoint(unwanted)
        and ("minKernel" not in includes or kernel >= _version(includes["minKernel"]))
        and ("minKernel" not in excludes or kernel < _version(excludes["minKernel"]))
    )


def _rule(rule: Document) -> dict[str, Any]:
    # "name" is of the format's first version.
    names = rule.get("names") or [rule["name"]]
    resolved: dict[str, Any] = {"names": list(names), "action": rule["action"]}
    if rule.get("errnoRet") is not None:
        resolved["errnoRet"] = rule["errnoRet"]
    if rule.get("args"):
        resolved["args"] = [_argument(argument) for argument in rule["args"]]
    return resolved


def _argument(argument: Document) -> dict[str, Any]:
    resolved = {name: argument[name] for name in ("index", "value", "op")}
    # A masked comparison is value & arg == valueTwo; Docker's format omits a 0.
    return {**resolved, "valueTwo": argument.get("valueTwo") or 0}


def _architectures(profile: Document, architecture: str) -> list[str]:
    """This machine's architecture, and the others whose programs it runs."""
    if profile.get("architectures"):
        return list(profile["architectures"])
    native = ARCHITECTURES.get(architecture)
    chosen: Iterable[Document] = profile.get("archMap") or []
    for entry in chosen:
        if entry["architecture"] == native:
            return [native, *(entry.get("subArchitectures") or [])]
    return [native] if native else []


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)
