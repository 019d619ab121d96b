"""Lists of containers: every filter alone and together."""

import pytest

from runner.daemon.api.container_filters import select
from runner.daemon.services import Services
from runner.errors import BadRequest
from tests.support.runner.asked import MIDDLE, NEW, OLD, FakeContainers, ask


@pytest.mark.parametrize(
    ("filters", "listed"),
    [
        ({}, "web-2 web-1 old"),
        ({"name": ["web-.*"]}, "web-2 web-1"),
        ({"name": ["^/old$"]}, "old"),
        ({"label": ["team"]}, "web-2 old"),
        ({"label": ["team=blue", "keep"]}, "old"),
        ({"ancestor": ["app"]}, "web-1 old"),
        ({"ancestor": [""]}, ""),
        ({"ancestor": ["sha256:"]}, ""),
        ({"ancestor": [str(OLD.image_id)[:15]], "name": ["old"]}, "old"),
        ({"exited": ["3"]}, "web-1"),
        ({"exited": ["-3", "137"]}, ""),
        ({"id": [NEW.id[:8]]}, "web-2"),
        ({"network": ["host"]}, "web-2"),
        ({"status": ["exited", "dead"]}, "web-1"),
        ({"volume": ["/data"]}, "web-1"),
        ({"volume": ["used"]}, "web-1"),
        ({"before": ["web-2"]}, "web-1 old"),
        ({"since": ["web-1"]}, "web-2"),
        ({"since": [MIDDLE.id[:12]], "label": ["keep"]}, ""),
    ],
)
async def test_a_list_of_containers_shows_what_its_filters_say(
    filters: dict[str, list[str]], listed: str, services: Services, containers: FakeContainers
) -> None:
    containers.all = (NEW, MIDDLE, OLD)

    documents = await ask(services, "GET", "/containers/json", filters)

    assert [one["Names"][0][1:] for one in documents] == listed.split()


@pytest.mark.parametrize("value", ["", "-", "x", "\uff13", "1_0", "9" * 5000])
async def test_an_exit_code_is_a_short_number(value: str, services: Services) -> None:
    with pytest.raises(BadRequest, match="expected an exit code"):
        await ask(services, "GET", "/containers/json", {"exited": [value]})


def test_a_stopped_container_bounds_a_list_of_running_ones() -> None:
    shown = select((NEW, MIDDLE, OLD), {"since": ["web-1"]}, everything=False, limit=None)

    assert shown == [NEW]
