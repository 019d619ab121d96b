"""ContainerOptions and MountOption: from the create body and back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import BadRequest
from runner.schema import ContainerOptions, MountOption, Ulimit

# Body that docker 28 sends for `docker run --network none alpine true`, but for empty lists.
FROM_THE_DOCKER_COMMAND: dict[str, Any] = {
    "Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": True,
    "AttachStderr": True, "Tty": False, "OpenStdin": False, "StdinOnce": False, "Env": None,
    "Cmd": ["true"], "Image": "alpine", "Volumes": {}, "WorkingDir": "", "Entrypoint": None,
    "OnBuild": None, "Labels": {},
    "HostConfig": {
        "Binds": None, "ContainerIDFile": "", "LogConfig": {"Type": "", "Config": {}},
        "NetworkMode": "none", "PortBindings": {},
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "AutoRemove": False,
        "VolumeDriver": "", "VolumesFrom": None, "ConsoleSize": [24, 80], "CapAdd": None,
        "CapDrop": None, "CgroupnsMode": "", "Dns": [], "DnsOptions": [], "DnsSearch": [],
        "ExtraHosts": None, "GroupAdd": None, "IpcMode": "", "Cgroup": "", "Links": None,
        "OomScoreAdj": 0, "PidMode": "", "Privileged": False, "PublishAllPorts": False,
        "ReadonlyRootfs": False, "SecurityOpt": None, "UTSMode": "", "UsernsMode": "",
        "ShmSize": 0, "Isolation": "", "CpuShares": 0, "Memory": 0, "NanoCpus": 0,
        "CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": [],
        "BlkioDeviceReadBps": [], "BlkioDeviceWriteBps": [], "CpuPeriod": 0, "CpuQuota": 0,
        "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpusetCpus": "", "CpusetMems": "",
        "Devices": [], "DeviceCgroupRules": None, "DeviceRequests": None,
        "MemoryReservation": 0, "MemorySwap": 0, "MemorySwappiness": -1,
        "OomKillDisable": False, "PidsLimit": 0, "Ulimits": [], "CpuCount": 0,
        "CpuPercent": 0, "IOMaximumIOps": 0, "IOMaximumBandwidth": 0, "MaskedPaths": None,
        "ReadonlyPaths": None,
    },
    "NetworkingConfig": {"EndpointsConfig": {}},
}  # fmt: skip


def test_zero_values_mean_not_said() -> None:
    options = ContainerOptions.from_json(FROM_THE_DOCKER_COMMAND)

    assert options == ContainerOptions(
        image="alpine",
        command=("true",),
        attach_stdout=True,
        attach_stderr=True,
        network_mode="none",
        console_size=(24, 80),
    )


def made(**host_config: Any) -> ContainerOptions:
    return ContainerOptions.from_json({"Image": "i", "HostConfig": host_config})


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "/a", "/a:/b", "a=b", "host", "none", "private", "80/tcp"])
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["Type", "Target", "Source", "Name", "/a", "Config"]), inner
        )
    ),
    max_leaves=5,
)
CONFIG = st.sampled_from([*sorted(FROM_THE_DOCKER_COMMAND), "ExposedPorts", "Healthcheck"])
HOST_CONFIG = st.sampled_from(sorted(FROM_THE_DOCKER_COMMAND["HostConfig"]))


@given(
    st.dictionaries(CONFIG, VALUES, max_size=2), st.dictionaries(HOST_CONFIG, VALUES, max_size=2)
)
def test_any_body_is_read_back_or_refused(
    config: dict[str, Any], host_config: dict[str, Any]
) -> None:
    try:
        options = ContainerOptions.from_json({"HostConfig": host_config, "Image": "i"} | config)
    except BadRequest as refusal:
        assert str(refusal)
        return

    assert ContainerOptions.from_json(json.loads(json.dumps(options.to_json()))) == options


@pytest.mark.parametrize("size", [[1], [1, 2, 3], [-1, 80], [24, 65_536], [True, 80], "24x80", 24])
def test_a_terminal_that_no_kernel_has_is_refused(size: object) -> None:
    with pytest.raises(BadRequest, match=r"ConsoleSize: expected \[height, width\], found"):
        made(ConsoleSize=size)


@pytest.mark.parametrize(
    ("said", "read"),
    [(None, None), ([], None), (["sh"], ("sh",)), ("sh", ("sh",)), ([""], ()), ("", ())],
)
def test_an_empty_string_clears_the_entrypoint_and_nothing_leaves_it(
    said: object, read: tuple[str, ...] | None
) -> None:
    options = ContainerOptions.from_json({"Image": "i", "Entrypoint": said})

    assert options.entrypoint == read
    assert ContainerOptions.from_json(options.to_json()) == options


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/a:/b", MountOption("bind", "/a", "/b", options=("create",))),
        ("/a/../c:/b/:ro", MountOption("bind", "/c", "/b", True, ("create",))),
        ("/a:/b:rw,rslave,z", MountOption("bind", "/a", "/b", options=("rslave", "create"))),
        ("data:/b", MountOption("volume", "data", "/b")),
        ("data:/b:ro,nocopy", MountOption("volume", "data", "/b", True, ("nocopy",))),
    ],
)
def test_binds_are_read_as_docker_reads_them(text: str, mount: MountOption) -> None:
    assert made(Binds=[text]).mounts == (mount,)


@pytest.mark.parametrize(
    "text", ["/a", "/a:b", ":/b", "/a:/", "/a:/b:rx", "/a:/b:ro:x", "data:/b:rslave", "/a:/b\0"]
)
def test_binds_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        made(Binds=[text])


def test_every_kind_of_mount_is_read() -> None:
    document = {
        "Image": "i",
        "Volumes": {"/anonymous": {}, "/scratch": {}},
        "HostConfig": {
            "Mounts": [
                {"Type": "bind", "Source": "/s", "Target": "/bind", "ReadOnly": True},
                {"Type": "volume", "Source": "v", "Target": "/volume"},
                {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 9, "Mode": 448}},
            ],
            "Tmpfs": {"/scratch": "size=64m,noexec"},
        },
    }

    mounts = {mount.target: mount for mount in ContainerOptions.from_json(document).mounts}

    assert mounts == {
        "/bind": MountOption("bind", "/s", "/bind", True),
        "/volume": MountOption("volume", "v", "/volume"),
        "/t": MountOption("tmpfs", "", "/t", options=("size=9", "mode=700")),
        "/scratch": MountOption("tmpfs", "", "/scratch", options=("size=64m", "noexec")),
        "/anonymous": MountOption("volume", "", "/anonymous"),
    }


def test_a_volume_that_is_declared_twice_is_one() -> None:
    document = {"Image": "i", "Volumes": {"/a/": {}, "/a": {}, "/b": {}},
                "HostConfig": {"Tmpfs": {"/b/.": ""}}}  # fmt: skip

    mounts = ContainerOptions.from_json(document).mounts

    assert mounts == (MountOption("tmpfs", "", "/b"), MountOption("volume", "", "/a"))


def test_fields_that_only_inspect_shows_survive() -> None:
    document = {
        "Image": "i",
        "ExposedPorts": {"80/tcp": {}},
        "HostConfig": {"ContainerIDFile": "/c"},
    }

    options = ContainerOptions.from_json(document)

    assert (options.exposed_ports, options.container_id_file) == (("80/tcp",), "/c")
    assert ContainerOptions.from_json(options.to_json()) == options


def test_an_image_must_be_named() -> None:
    with pytest.raises(BadRequest, match="no image was named"):
        ContainerOptions.from_json({})


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
sizes = st.integers(min_value=6 * 1024 * 1024, max_value=2**62)
mounts = st.builds(
    MountOption,
    st.just("volume"),
    texts,
    st.from_regex(r"/[a-z]{1,9}", fullmatch=True),
    st.booleans(),
    st.sampled_from([(), ("nocopy",)]),
    st.dictionaries(texts, texts, max_size=2),
)


@given(
    st.builds(
        ContainerOptions,
        image=texts,
        command=st.none() | st.lists(texts, min_size=1).map(tuple),
        entrypoint=st.none() | st.just(()) | st.lists(texts, min_size=1).map(tuple),
        env=st.lists(texts.filter(lambda text: not text.startswith("="))).map(tuple),
        user=texts,
        labels=st.dictionaries(texts, texts),
        tty=st.booleans(),
        memory=st.none() | sizes,
        memory_swap=st.none() | st.just(-1) | sizes,
        pids_limit=st.none() | st.just(-1) | st.integers(1, 10_000),
        stop_timeout=st.none() | st.integers(-1, 100),
        ulimits=st.lists(st.builds(Ulimit, texts, st.just(1), st.integers(1, 9))).map(tuple),
        mounts=st.lists(mounts, unique_by=lambda mount: mount.target, max_size=4).map(tuple),
        network_mode=st.sampled_from(["default", "none", "host"]),
    )
)
def test_options_survive_the_way_to_json_and_back(options: ContainerOptions) -> None:
    assert ContainerOptions.from_json(options.to_json()) == options
