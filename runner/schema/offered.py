"""Refuse unsupported fields of a create body by name.

Engine API, ``ContainerConfig``, ``HostConfig`` and ``NetworkingConfig``.  No accepted field is
ignored: an unsupported one, such as a published port or a device, is a BadRequest.
https://docs.docker.com/engine/api/v1.44/#tag/Container/operation/ContainerCreate
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runner.errors import BadRequest, Kind
from runner.schema import fields
from runner.schema.host import FIELDS, NETWORK_MODES, ONLY_NETWORKS, network_not_offered

Document = Mapping[str, Any]

# Fields with a single supported value, besides unset.
_ONLY_VALUES: dict[str, object] = {
    "Isolation": "default",
    "MemorySwappiness": -1,
    "Runtime": "runc",
    "VolumeDriver": "local",
}


def _ports(host_config: Document, key: str) -> None:
    if host_config.get(key):
        raise BadRequest(
            f"ports cannot be published: {ONLY_NETWORKS}", kind=Kind.NETWORK_NOT_OFFERED
        )


def _check_value(host_config: Document, key: str) -> None:
    value, allowed = host_config.get(key), _ONLY_VALUES[key]
    # Swappiness 0 is a setting: never swap.
    if value not in (None, "", allowed) or isinstance(value, bool):
        raise BadRequest(f"HostConfig.{key}: {value!r} is not supported, only {allowed!r}")


def _default_paths(host_config: Document, key: str) -> None:
    # An empty list is not unset: it requests that nothing be masked.
    if host_config.get(key) is not None:
        raise BadRequest(f"HostConfig.{key}: other paths than the default ones are not offered")


def _restart_policy(host_config: Document, key: str) -> None:
    name = fields.text(fields.mapping(host_config, key), "Name")
    if name not in ("", "no"):
        raise BadRequest(f"restart policy {name!r} is not offered: expected 'no'")


# Fields of HostConfig without an option, each with its check.
_HOST_CHECKS: dict[str, Callable[[Document, str], None]] = {
    "PortBindings": _ports,
    "PublishAllPorts": _ports,
    **dict.fromkeys(_ONLY_VALUES, _check_value),
    "MaskedPaths": _default_paths,
    "ReadonlyPaths": _default_paths,
    "RestartPolicy": _restart_policy,
}
_HOST_FIELDS = (
    *(key for key, _ in FIELDS.values()), *_HOST_CHECKS,
    "Binds", "LogConfig", "Mounts", "Tmpfs", "Ulimits",
)  # fmt: skip

# OnBuild and Shell concern builds only and are ignored.
_CONFIG_FIELDS = (
    "HostConfig", "Image", "NetworkDisabled", "NetworkingConfig", "OnBuild", "Shell", "Volumes",
)  # fmt: skip


def refuse_unsupported(
    document: Document, host_config: Document, config_fields: Iterable[str]
) -> None:
    """Raise BadRequest for any unsupported field; ``config_fields`` are the supported ones."""
    for key, check in _HOST_CHECKS.items():
        check(host_config, key)
    fields.refuse_unknown(host_config, _HOST_FIELDS, "HostConfig.")
    fields.refuse_unknown(document, (*_CONFIG_FIELDS, *config_fields))
    mode = fields.text(host_config, "NetworkMode") or "default"
    if fields.boolean(document, "NetworkDisabled") and mode == "host":
        raise BadRequest("NetworkDisabled: the network mode 'host' says otherwise")
    _check_networks(fields.mapping(document, "NetworkingConfig"), mode)


def _check_networks(networking: Document, mode: str) -> None:
    """Refuse addresses and aliases, and networks other than that of the network mode."""
    fields.refuse_unknown(networking, ("EndpointsConfig",), "NetworkingConfig.")
    endpoints = fields.mapping(networking, "EndpointsConfig")
    for name in endpoints:
        if name not in NETWORK_MODES:
            raise network_not_offered(name)
        if name != mode:
            raise BadRequest(f"network {name!r}: the network mode is {mode!r}")
        endpoint = fields.mapping(endpoints, name)
        fields.refuse_unknown(endpoint, (), f"NetworkingConfig.EndpointsConfig.{name}.")
