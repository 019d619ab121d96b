"""HostConfig of a create body: each option is read, or refused by name."""

from typing import Any

import pytest

from runner.errors import BadRequest
from runner.schema import ContainerOptions


def made(**host_config: Any) -> ContainerOptions:
    return ContainerOptions.from_json({"Image": "i", "HostConfig": host_config})


@pytest.mark.parametrize(
    ("host_config", "sentence"),
    [
        ({"Devices": [{"PathOnHost": "/dev/kvm"}]}, "HostConfig.Devices"),
        ({"RestartPolicy": {"Name": "always"}}, "restart policy 'always'"),
        ({"LogConfig": {"Type": "syslog"}}, "log driver 'syslog'"),
        ({"NetworkMode": "container:x"}, "network 'container:x'"),
        ({"NetworkMode": "bridge"}, "network 'bridge' is not offered: this version of the runner"),
        ({"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}, "ports cannot be published: this"),
        ({"PublishAllPorts": True}, "ports cannot be published: this version"),
        ({"Memory": 1024}, "Minimum memory limit"),
        ({"Memory": -5}, "is negative"),
        ({"Memory": True}, "Memory: expected an integer, found True"),
        ({"Binds": "no list", "CapAdd": 7}, "CapAdd: expected a list, found 7"),
        ({"Binds": ["/a:/x", "/b:/x/"]}, "Duplicate mount point: /x"),
        ({"Mounts": [{"Type": "npipe", "Target": "/x"}]}, "invalid mount type 'npipe'"),
        ({"Mounts": [{"Type": "bind", "Source": "s", "Target": "/x"}]}, "absolute path"),
        ({"Ulimits": [{"Name": "nofile", "Soft": 9, "Hard": 1}]}, "above the hard limit"),
        ({"PidMode": "container:x"}, "PidMode 'container:x'"),
        ({"ConsoleSize": [1]}, "ConsoleSize: expected [height, width]"),
    ],
)
def test_an_option_that_is_not_offered_is_refused_by_name(
    host_config: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        made(**host_config)
    assert sentence in str(caught.value)
