"""Upload commands: list and cancel open uploads; a client with many limits only itself."""

import pytest

from registry.admin.open_registry import OpenRegistry
from registry.errors import BlobUploadUnknown, CommandRefused
from tests.registry.admin.conftest import repository, told
from tests.support.registry.storage import body


async def test_the_open_uploads_are_listed_with_whose_they_are(opened: OpenRegistry) -> None:
    one = repository(opened, "team/one", "192.0.2.1")
    session = await one.uploads.start()
    await one.uploads.append(session.id, body(b"half"), start=None, length=None)
    other = await repository(opened, "team/two", "192.0.2.2").uploads.start()

    listed = await told(opened, "upload list")

    assert [
        (each["id"], each["repository"], each["identity"], each["address"], each["bytes"])
        for each in listed
    ] == [
        (session.id, "team/one", "anonymous", "192.0.2.1", 4),
        (other.id, "team/two", "anonymous", "192.0.2.2", 0),
    ]


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        ({"ids": [0]}, [1, 2]),
        ({"ids": [0, 2]}, [1]),
        ({"address": "192.0.2.1"}, [2]),
        ({"every": True}, []),
        ({"address": "192.0.2.9"}, [0, 1, 2]),
    ],
    ids=["one", "two", "of an address", "all", "of an address that has none"],
)
async def test_uploads_are_cancelled_with_their_bytes(
    opened: OpenRegistry, arguments: dict[str, object], left: list[int]
) -> None:
    one, two = (repository(opened, "team/app", f"192.0.2.{number}") for number in (1, 2))
    sessions = [(await each.uploads.start()).id for each in (one, one, two)]
    numbers = arguments.get("ids", [])
    assert isinstance(numbers, list)
    given = {**arguments, "ids": [sessions[number] for number in numbers]}

    cancelled = await told(opened, "upload cancel", **given)

    kept = [sessions[number] for number in left]
    assert {each["id"] for each in cancelled} == set(sessions) - set(kept)
    assert sorted(each["id"] for each in await told(opened, "upload list")) == sorted(kept)
    assert sorted(path.name for path in (opened.root.path / "uploads").iterdir()) == sorted(kept)


async def test_uploads_that_are_not_open_are_named_and_the_rest_cancelled(
    opened: OpenRegistry,
) -> None:
    session = (await repository(opened, "team/app", "").uploads.start()).id

    with pytest.raises(CommandRefused, match="no open upload another"):
        await told(opened, "upload cancel", ids=[session, "another"])

    assert await told(opened, "upload list") == []


async def test_a_client_whose_upload_is_cancelled_is_refused(opened: OpenRegistry) -> None:
    team = repository(opened, "team/app", "")
    session = await team.uploads.start()

    await told(opened, "upload cancel", every=True)

    with pytest.raises(BlobUploadUnknown):
        await team.uploads.append(session.id, body(b"more"), start=None, length=None)
