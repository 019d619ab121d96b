"""Fields of a create body that are not offered are refused by name, never forgotten."""

from typing import Any

import pytest

from runner.errors import BadRequest
from runner.schema import ContainerOptions


def made(**host_config: Any) -> ContainerOptions:
    return ContainerOptions.from_json({"Image": "i", "HostConfig": host_config})


@pytest.mark.parametrize(
    ("host_config", "sentence"),
    [
        ({"MemorySwappiness": 0}, "HostConfig.MemorySwappiness: 0 is not supported, only -1"),
        ({"Runtime": "crun"}, "HostConfig.Runtime: 'crun' is not supported"),
        ({"MaskedPaths": []}, "HostConfig.MaskedPaths: other paths"),
        ({"Annotations": {"a": "b"}}, "HostConfig.Annotations is not supported"),
        ({"UsernsMode": "host"}, "HostConfig.UsernsMode is not supported"),
        ({"NewInApi199": {"Deep": [1]}}, "HostConfig.NewInApi199 is not supported"),
        ({"memory": 2**30}, "HostConfig.memory is not supported"),
        ({"Binds": ["/a:/b:ro,rw"]}, "found ro and rw"),
        ({"Binds": ["/a:/b:rslave,rshared"]}, "found rslave and rshared"),
        (
            {"Mounts": [{"Type": "volume", "Target": "/x", "BindOptions": {"NonRecursive": True}}]},
            "Mounts.BindOptions is not supported",
        ),
        (
            {"Mounts": [{"Type": "volume", "Target": "/x", "VolumeOptions": {"Subpath": "s"}}]},
            "VolumeOptions.Subpath is not supported",
        ),
        (
            {"Mounts": [{"Type": "bind", "Source": "/", "Target": "/x",
                         "BindOptions": {"ReadOnlyForceRecursive": True}}]},
            "BindOptions.ReadOnlyForceRecursive is not supported",
        ),
    ],
)  # fmt: skip
def test_fields_of_the_host_that_would_be_forgotten_are_refused(
    host_config: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        made(**host_config)
    assert sentence in str(caught.value)


def on(network: str, **endpoint: object) -> dict[str, object]:
    return {"NetworkingConfig": {"EndpointsConfig": {network: endpoint}}}


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (on("default", IPAMConfig={"IPv4Address": "10.0.0.9"}), "default.IPAMConfig is not"),
        (on("default", MacAddress="02:42:ac:11:00:02"), "default.MacAddress is not supported"),
        (on("default", Aliases=["db"]), "default.Aliases is not supported"),
        (on("backend"), "network 'backend' is not offered: this version of the runner"),
        (on("host"), "network 'host': the network mode is 'default'"),
        ({"MacAddress": "02:42:ac:11:00:02"}, "MacAddress is not supported"),
        ({"ArgsEscaped": True}, "ArgsEscaped is not supported"),
        ({"Healthcheck": ["CMD", "true"]}, "Healthcheck: expected an object"),
        ({"Volumes": {"data": {}}}, "invalid mount target 'data': expected an absolute path"),
        ({"Volumes": {"/": {}}}, "invalid mount target '/'"),
        ({"Volumes": {"/a/..": {}}}, "invalid mount target '/'"),
        ({"ExposedPorts": {"http": {}}}, "invalid exposed port 'http'"),
        ({"NetworkDisabled": True, "HostConfig": {"NetworkMode": "host"}}, "NetworkDisabled"),
        ({"cmd": ["true"]}, "cmd is not supported"),
    ],
)
def test_fields_of_the_container_that_would_be_forgotten_are_refused(
    document: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        ContainerOptions.from_json({"Image": "i", **document})
    assert sentence in str(caught.value)


def test_zero_values_of_what_is_not_offered_ask_for_nothing() -> None:
    host_config: dict[str, Any] = {
        "Devices": [], "Dns": None, "CpuRealtimePeriod": 0, "MemorySwappiness": -1,
        "Isolation": "", "NewInApi199": {"Deep": {"Deeper": ""}}, "OomKillDisable": False,
        "NetworkMode": "none",
    }  # fmt: skip
    document = {
        "Image": "i", "HostConfig": host_config, "MacAddress": "", "NetworkDisabled": True,
        "Healthcheck": {"Test": ["NONE"], "Interval": None}, "OnBuild": ["RUN true"],
        **on("none", IPAMConfig={}, Aliases=None, MacAddress="", GwPriority=0),
    }  # fmt: skip

    expected = ContainerOptions("i", network_mode="none", healthcheck={"Test": ["NONE"]})
    assert ContainerOptions.from_json(document) == expected
