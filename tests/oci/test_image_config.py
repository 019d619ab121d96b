import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.descriptor import Platform
from oci.digest import Digest
from oci.encoding import encode_image_config
from oci.image_config import MAX_CONFIG_BYTES, Healthcheck, History, ImageConfig, ImageConfigInvalid
from tests.support.strategies import platforms, texts

AMD64 = Platform("linux", "amd64")
lists = st.lists(texts, max_size=3).map(tuple)
unique = st.lists(texts, max_size=3, unique=True).map(tuple)
number = st.integers(0, 2**63 - 1)


@given(
    platforms,
    st.fixed_dictionaries(
        {
            "created": st.none() | texts,
            "author": texts,
            "env": lists,
            "entrypoint": lists,
            "cmd": lists,
            "user": texts,
            "working_dir": texts,
            "labels": st.dictionaries(texts, texts, max_size=2),
            "exposed_ports": unique,
            "volumes": unique,
            "stop_signal": texts,
            "shell": lists,
            "healthcheck": st.none()
            | st.builds(Healthcheck, st.just(("CMD", "x")), number, number, number, number, number),
            "history": st.lists(
                st.builds(History, st.none() | st.just("2026"), texts, texts, texts, st.booleans()),
                max_size=2,
            ).map(tuple),
        }
    ),
    st.lists(st.binary(max_size=3).map(Digest.of), max_size=3).map(tuple),
)
def test_an_image_config_survives_the_wire(
    platform: Platform, fields: dict[str, Any], diff_ids: tuple[Digest, ...]
) -> None:
    content = encode_image_config(platform, diff_ids, **fields)

    config = ImageConfig.parse(content)

    assert config == ImageConfig(content, platform, diff_ids=diff_ids, **fields)
    assert config.image_id == Digest.of(content)


def test_the_example_of_the_specification_is_read() -> None:
    config = ImageConfig.parse(
        b"""{
        "created": "2015-10-31T22:22:56.015925234Z", "architecture": "amd64", "os": "linux",
        "config": {"User": "alice", "ExposedPorts": {"8080/tcp": {}}, "Env": ["FOO=oci_is_a"],
          "Entrypoint": ["/bin/my-app-binary"], "Cmd": ["--foreground"],
          "Volumes": {"/var/job-result-data": {}}, "WorkingDir": "/home/alice",
          "Labels": {"com.example": "x"}, "ArgsEscaped": true, "Memory": 5},
        "rootfs": {"type": "layers", "diff_ids": [
          "sha256:c6f988f4874bb0add23a778f753c65efe992244e148a1d2ec2a8b664fb66bbd1"]},
        "history": [{"created_by": "CMD", "empty_layer": true}]}"""
    )

    assert config.user == "alice"
    assert config.volumes == ("/var/job-result-data",)
    assert config.exposed_ports == ("8080/tcp",)
    assert config.history == (History(created_by="CMD", empty_layer=True),)
    assert str(config.diff_ids[0]).startswith("sha256:c6f988")


def test_go_writes_null_for_what_is_empty() -> None:
    document = json.loads(encode_image_config(AMD64, []))
    document["config"] = dict.fromkeys(("Env", "Cmd", "Entrypoint", "Labels", "Volumes", "User"))
    document["history"] = None

    config = ImageConfig.parse(json.dumps(document).encode())

    assert (config.env, config.cmd, config.labels, config.user) == ((), (), {}, "")


def parsed(**changes: Any) -> ImageConfig:
    document = json.loads(encode_image_config(AMD64, [])) | changes
    return ImageConfig.parse(json.dumps(document).encode())


@pytest.mark.parametrize("empty", ["", None])
def test_what_an_image_leaves_out_is_gos_zero_value(empty: str | None) -> None:
    config = parsed(
        os=empty,
        architecture=empty,
        rootfs={"type": empty, "diff_ids": []},
        history=[None, {"empty_layer": None}],
        config={
            "Env": [None],
            "Labels": {"a": None},
            "Healthcheck": {"Test": None, "Interval": None, "Retries": None},
        },
    )

    assert config.platform == Platform("linux", "")
    assert config.history == (History(), History())
    assert config.env == ("",)
    assert config.labels == {"a": ""}
    assert config.healthcheck == Healthcheck()


def test_a_command_may_be_one_text() -> None:
    config = parsed(config={"Cmd": "/bin/true", "Entrypoint": "/run", "Shell": "sh"})

    assert (config.cmd, config.entrypoint, config.shell) == (("/bin/true",), ("/run",), ("sh",))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"os": 5}, "os: found a whole number, expected a string"),
        ({"architecture": 5}, "architecture: found a whole number, expected a string"),
        ({"rootfs": None}, "rootfs: found nothing, expected an object"),
        ({"rootfs": {"type": "tar"}}, "rootfs.type: found 'tar', expected 'layers'"),
        ({"rootfs": {"type": "layers", "diff_ids": ["x"]}}, "rootfs.diff_ids: invalid digest 'x'"),
        ({"config": []}, "config: expected an object, found an array"),
        ({"config": {"Env": [1]}}, "config.Env[0]: found a whole number"),
        ({"config": {"Env": "A=b"}}, "config.Env: found a string, expected an array"),
        ({"config": {"User": "\0"}}, "config.User: contains a NUL character"),
        ({"config": {"Volumes": ["/a"]}}, "config.Volumes: found an array"),
        ({"config": {"Volumes": {"\0": {}}}}, "contains a NUL character"),
        ({"config": {"Labels": {"a": 1}}}, "config.Labels['a']: found a whole number"),
        ({"config": {"Healthcheck": {"Retries": True}}}, "Retries: found a boolean"),
        ({"history": [{"empty_layer": 1}]}, "history[0].empty_layer: found a whole number"),
    ],
)
def test_a_broken_config_is_refused_with_a_reason(changes: dict[str, Any], expected: str) -> None:
    document = json.loads(encode_image_config(AMD64, [])) | changes

    with pytest.raises(ImageConfigInvalid, match=re.escape(expected)):
        ImageConfig.parse(json.dumps(document).encode())


def test_an_image_config_has_at_most_4_mib() -> None:
    with pytest.raises(ImageConfigInvalid, match="expected at most 4194304"):
        ImageConfig.parse(b" " * (MAX_CONFIG_BYTES + 1))
