"""Images that ask for volumes where the kernel shows itself, to see behind the masks."""

import pytest

from runner.errors import BadRequest
from tests.support.images import a_busybox_image
from tests.support.runner.runner_containers import RunnerContainers

pytestmark = [pytest.mark.needs_root, pytest.mark.takes(20)]

# The runtime covers a masked path with the container's own /dev/null: whoever makes that, decides
# what is seen there.
TIMERS = "/proc/timer_list"


@pytest.mark.parametrize(
    "volume", ["/dev", "//dev/", "/x/../dev", "dev", "/proc", "/proc/keys", "/sys"]
)
async def test_an_image_cannot_put_a_volume_in_place_of_what_the_kernel_shows(
    runner: RunnerContainers, volume: str
) -> None:
    image = a_busybox_image({"dev/null": TIMERS}, volumes=[volume])
    await runner.images.add("hostile", image)

    code, stdout, stderr = await runner.run("cat", TIMERS, image="hostile")

    assert (code, stdout, stderr) == (0, "", "")
    assert runner.volumes.list() == ()


@pytest.mark.parametrize(
    "links",
    [
        {"d": "/dev"},
        {"d": "dev"},
        {"d": "../../dev/."},
        {"d": "e", "e": "/home/../dev"},
        {"d": "/dev/not-there"},
        {"d": "/proc"},
    ],
)
async def test_nor_by_way_of_a_link(runner: RunnerContainers, links: dict[str, str]) -> None:
    image = a_busybox_image({"dev/null": TIMERS, **links}, volumes=["/d"])
    await runner.images.add("hostile", image)
    container = await runner.create("cat", TIMERS, image="hostile")

    with pytest.raises(BadRequest, match=r"mount target /d leads to /(dev|proc)"):
        await runner.containers.start(container)


async def test_a_link_that_stays_among_the_images_own_files_is_followed(
    runner: RunnerContainers,
) -> None:
    image = a_busybox_image({"real/": b"", "real/file": b"kept\n", "d": "/real"}, volumes=["/d"])
    await runner.images.add("linked", image)

    code, stdout, _ = await runner.run("cat", "/real/file", image="linked")

    assert (code, stdout) == (0, "kept\n")
