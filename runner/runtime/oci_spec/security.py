"""SecurityProfile: capabilities, seccomp, AppArmor, masked and read-only paths.

At least as strict as docker's defaults: https://docs.docker.com/engine/security/
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from runner.errors import BadRequest
from runner.runtime.oci_spec import capabilities, seccomp
from runner.runtime.oci_spec.host import Host
from runner.schema import ContainerOptions

MASKED_PATHS: Final = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
    "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
    "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
)  # fmt: skip
READ_ONLY_PATHS: Final = (
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
)  # fmt: skip

# The first of these that is loaded on the host; no profile is loaded by us.
_APPARMOR_DEFAULTS: Final = ("slipway-default", "docker-default")


@dataclass(frozen=True, slots=True)
class SecurityProfile:
    """The result of ``--cap-add``, ``--cap-drop`` and ``--security-opt``."""

    capabilities: tuple[str, ...]
    seccomp: Mapping[str, Any] | None
    apparmor: str = ""
    no_new_privileges: bool = False
    open_system_paths: bool = False


def profile(options: ContainerOptions, host: Host) -> SecurityProfile:
    """Parse the options; BadRequest for one that is unknown or not supported by this host."""
    if options.privileged:
        raise BadRequest("privileged containers are not offered: add capabilities by name")
    bounding = capabilities.bounding_set(options.cap_add, options.cap_drop, host.capabilities)
    asked = _security_options(options)
    rules = _seccomp_document(asked.get("seccomp", ""), host)
    return SecurityProfile(
        capabilities=bounding,
        seccomp=None
        if rules is None
        else seccomp.resolve(rules, bounding, host.architecture, host.kernel),
        apparmor=_apparmor(asked.get("apparmor", ""), host),
        no_new_privileges=_flag("no-new-privileges", asked.get("no-new-privileges", "false")),
        open_system_paths=asked.get("systempaths") == "unconfined",
    )


def paths(chosen: SecurityProfile, host: Host) -> dict[str, list[str]]:
    """The spec's ``maskedPaths`` and ``readonlyPaths``."""
    if chosen.open_system_paths:
        return {"maskedPaths": [], "readonlyPaths": []}
    thermal = [f"/sys/devices/system/cpu/cpu{n}/thermal_throttle" for n in range(host.cpus)]
    # On v1 the runtime mounts a tmpfs there that stays writable around the read-only groups.
    cgroup = ["/sys/fs/cgroup"] if host.cgroups.version == 1 else []
    return {
        "maskedPaths": [*MASKED_PATHS, *thermal],
        "readonlyPaths": [*READ_ONLY_PATHS, *cgroup],
    }


def _security_options(options: ContainerOptions) -> dict[str, str]:
    asked: dict[str, str] = {}
    for text in options.security_opt:
        # Old clients write a colon for "="; a JSON profile contains colons.
        separator = "=" if "=" in text.split(":", 1)[0] or ":" not in text else ":"
        name, _, value = text.partition(separator)
        if name == "no-new-privileges":
            value = value or "true"
        elif name == "systempaths" and value != "unconfined":
            raise BadRequest(f"invalid --security-opt {text!r}: expected systempaths=unconfined")
        elif name == "label" and value != "disable":
            raise BadRequest(f"invalid --security-opt {text!r}: this host has no SELinux")
        elif name not in ("seccomp", "apparmor", "systempaths", "label"):
            raise BadRequest(
                f"invalid --security-opt {text[:80]!r}: expected no-new-privileges or seccomp=…"
            )
        asked[name] = value
    return asked


def _flag(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise BadRequest(f"invalid --security-opt {name}={value!r}: expected true or false")
    return value == "true"


def _seccomp_document(value: str, host: Host) -> Mapping[str, Any] | None:
    """The profile in Docker's format: the default, none, or the JSON sent by the client."""
    if value == "unconfined":
        return None
    if value in ("", "builtin"):
        return host.seccomp_profile
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise BadRequest(
            f"invalid --security-opt seccomp={value[:40]!r}: "
            "expected unconfined, builtin or a profile's JSON"
        )
    return document


def _apparmor(value: str, host: Host) -> str:
    if value == "unconfined":
        return "unconfined" if host.apparmor_profiles else ""
    if not value:
        found = (name for name in _APPARMOR_DEFAULTS if name in host.apparmor_profiles)
        return next(found, "")
    if value not in host.apparmor_profiles:
        raise BadRequest(f"AppArmor profile {value!r} is not loaded on this host")
    return value
