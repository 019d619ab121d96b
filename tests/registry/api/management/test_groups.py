"""Groups and members."""

from tests.registry.api.management.conftest import Callers
from tests.support.registry.managed import Managed, refused


async def test_a_group_is_made_once_and_keeps_its_members(
    managed: Managed, callers: Callers
) -> None:
    created = await managed.call("PUT", "/groups/web", callers.owner, {})
    added = await managed.call("PUT", "/groups/web/members/bob", callers.owner)
    again = await managed.call("PUT", "/groups/web", callers.owner, {})

    assert (created.status_code, added.status_code, again.status_code) == (201, 204, 200)
    assert created.json()["members"] == []
    assert again.json()["members"] == ["bob"]
    listed = (await managed.call("GET", "/groups", callers.owner)).json()
    assert [each["name"] for each in listed["items"]] == ["web"]


async def test_members_join_and_leave_again_and_again(managed: Managed, callers: Callers) -> None:
    await managed.call("PUT", "/groups/web", callers.owner, {})

    for method, members in (("PUT", ["bob"]), ("DELETE", [])):
        for _ in range(2):
            answer = await managed.call(method, "/groups/web/members/bob", callers.owner)
            assert answer.status_code == 204
        shown = await managed.call("GET", "/groups/web", callers.owner)
        assert shown.json()["members"] == members


async def test_a_members_change_is_a_new_revision(managed: Managed, callers: Callers) -> None:
    etag = (await managed.call("PUT", "/groups/web", callers.owner, {})).headers["etag"]
    old = {**callers.owner, "If-Match": etag}
    await managed.call("PUT", "/groups/web/members/bob", callers.owner)

    refused(await managed.call("DELETE", "/groups/web", old), 412)
    refused(await managed.call("PUT", "/groups/web", old, {}), 412)
    new = {**callers.owner, "If-None-Match": "*"}
    refused(await managed.call("PUT", "/groups/web", new, {}), 412)


async def test_the_absent_and_groups_within_groups_are_refused(
    managed: Managed, callers: Callers
) -> None:
    await managed.call("PUT", "/groups/web", callers.owner, {})
    await managed.call("PUT", "/groups/all", callers.owner, {})
    put = "PUT", "DELETE"

    refused(await managed.call("GET", "/groups/absent", callers.owner), 404, "no group absent")
    refused(await managed.call("GET", "/groups/bob", callers.owner), 404, "no group bob")
    for path, status in (("absent/members/bob", 404), ("web/members/absent", 404),
                         ("all/members/web", 400)):  # fmt: skip
        refused(await managed.call(put[0], f"/groups/{path}", callers.owner), status)
    refused(await managed.call("PUT", "/groups/bob", callers.owner, {}), 409, "a user bob already")
    refused(await managed.call("PUT", "/groups/x", callers.owner, {"members": []}), 400, "members")


async def test_a_groups_grants_end_with_it(managed: Managed, callers: Callers) -> None:
    await managed.call("PUT", "/groups/leads", callers.owner, {})
    await managed.opened.grant("leads", "admin other/*")
    await managed.call("PUT", "/groups/leads/members/bob", callers.owner)
    assert (await managed.call("GET", "/locks", callers.bob)).status_code == 200

    for _ in range(2):
        assert (await managed.call("DELETE", "/groups/leads", callers.owner)).status_code == 204

    assert (await managed.call("GET", "/locks", callers.bob)).status_code == 403
