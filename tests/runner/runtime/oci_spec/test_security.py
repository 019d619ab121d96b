"""SecurityProfile: seccomp, AppArmor, privileges and masked paths, as asked for."""

import json
from dataclasses import replace

import pytest

from tests.runner.runtime.oci_spec.conftest import HOST, spec


@pytest.mark.parametrize(
    ("options", "key", "value"),
    [
        (("no-new-privileges",), "noNewPrivileges", True),
        (("no-new-privileges:true",), "noNewPrivileges", True),
        (("no-new-privileges=false",), "noNewPrivileges", False),
    ],
)
def test_security_options_of_the_process(options: tuple[str, ...], key: str, value: object) -> None:
    assert spec(security_opt=options)["process"][key] == value


def test_a_profile_of_ones_own_and_none() -> None:
    own = json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"]})

    assert "seccomp" not in spec(security_opt=("seccomp=unconfined",))["linux"]
    assert spec(security_opt=(f"seccomp={own}",))["linux"]["seccomp"]["syscalls"] == []
    assert spec(security_opt=("systempaths=unconfined",))["linux"]["maskedPaths"] == []


def test_apparmor_only_where_it_is_loaded() -> None:
    loaded = replace(HOST, apparmor_profiles=frozenset({"docker-default", "mine"}))

    assert "apparmorProfile" not in spec()["process"]
    assert spec(loaded)["process"]["apparmorProfile"] == "docker-default"
    assert spec(loaded, security_opt=("apparmor=mine",))["process"]["apparmorProfile"] == "mine"
