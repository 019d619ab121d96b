"""Container values: what a record keeps of the desired and the observed state."""

import json
from datetime import UTC, datetime

from oci.digest import Digest
from oci.image_config import ImageConfig
from runner.runtime.contract import ExitStatus
from runner.schema import ContainerOptions, MountOption
from runner.services.containers.container import Desired, MountPoint, Observed
from runner.services.containers.lifecycle import State
from tests.support.images import an_image

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
VOLUME = MountPoint("volume", "/root/v/_data", "/data", True, "store", ("nocopy",), True)


def test_a_desired_state_survives_its_record() -> None:
    config = ImageConfig.parse(an_image(labels={"a": "b"}).config)
    desired = Desired(
        NOON,
        Digest.of(config.content),
        config,
        ContainerOptions("app", command=("sleep", "1"), tty=True),
        "host",
        "SIGINT",
        -1,
        (VOLUME, MountPoint("tmpfs", "", "/run")),
    )

    again = Desired.from_json(json.loads(json.dumps(desired.to_json())))

    assert again == desired


def test_an_observed_state_survives_its_record() -> None:
    for observed in (
        Observed(),
        Observed(State.RUNNING, 17, started_at=NOON),
        Observed(State.EXITED, 0, 137, "gone", True, NOON, NOON),
    ):
        assert Observed.from_json(json.loads(json.dumps(observed.to_json()))) == observed


def test_a_container_that_never_ran_has_the_exit_code_0() -> None:
    assert Observed().exit_status == ExitStatus(0, datetime.fromtimestamp(0, UTC))


def test_an_exit_status_is_the_last_one() -> None:
    observed = Observed(State.EXITED, 0, 137, "killed", True, NOON, NOON)

    assert observed.exit_status == ExitStatus(137, NOON, True, "killed")


def test_a_volume_is_mounted_as_the_directory_that_it_is() -> None:
    assert VOLUME.to_option() == MountOption("volume", "/root/v/_data", "/data", True, ("nocopy",))
