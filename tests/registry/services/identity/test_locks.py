"""Locks: a locked tag can be created, and then neither moved nor deleted (rules AZ-2, AZ-3)."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from oci.digest import Digest
from oci.reference import RepositoryName, Tag
from registry.auth.globs import Glob
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.errors import Absent, CommandRefused, Conflict, Invalid, TagLocked, TagMoveDenied
from registry.services import manifests as manifest_service
from registry.services.identity import locks
from registry.services.repositories import Repository
from registry.storage.database.contract import Connection
from registry.storage.metadata.identity import locks as lock_rows
from registry.trash.repositories import delete_repository, undelete_repository
from registry.trash.undelete import undelete_digest, undelete_tag
from tests.support.images import Image, an_image
from tests.support.registry.storage import Service, push_blobs, push_image

NAME = RepositoryName("team/app")
V1, V2, DEV = Tag("v1"), Tag("v2"), Tag("dev")
OLD, NEW = an_image(seed="old"), an_image(seed="new")


def as_role(service: Service, role: Role | None, name: RepositoryName = NAME) -> Repository:
    return service.registry.repository(name, "ci", may_push=True, role=role)


async def lock(service: Service, glob: str = "v*", pattern: str = "*", name: str = "all") -> None:
    await locks.put_lock(service.state, "op", name, Pattern(pattern), Glob(glob))


async def push(repository: Repository, image: Image, reference: Tag | Digest, *more: Tag) -> None:
    await repository.manifests.push(reference, image.manifest, image.media_type, tags=more)


@pytest.fixture
async def locked(service: Service) -> Repository:
    """Tags v1 and dev point to the old image, and v1 is locked; the new image's blobs are here."""
    repository = as_role(service, Role.ADMIN)
    await push_image(repository, OLD, V1, DEV)
    await push_blobs(repository, NEW.blobs.values())
    await lock(service)
    return repository


async def pointed(service: Service) -> dict[str, str]:
    rows = await service.rows(
        "SELECT tags.name, digest FROM tags JOIN repositories ON id = repository_id"
        " WHERE repositories.name = 'team/app'"
    )
    return {str(name): str(digest) for name, digest in rows}


Change = Callable[[Service, Repository], Coroutine[Any, Any, object]]

CHANGES: dict[str, Change] = {
    "push by tag": lambda _, repository: push(repository, NEW, V1),
    "push by digest with ?tag=": lambda _, repository: push(repository, NEW, NEW.digest, V1),
    "push of another tag with ?tag=": lambda _, repository: push(repository, NEW, DEV, V1),
    "delete of the tag": lambda _, repository: repository.manifests.delete(V1),
    "delete of the manifest": lambda _, repository: repository.manifests.delete(OLD.digest),
    "delete of the repository": lambda service, _: delete_repository(service.state, "op", NAME),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_locked_tag_is_neither_moved_nor_deleted_whichever_way(
    service: Service, locked: Repository, change: str
) -> None:
    before, audited = await pointed(service), await service.rows("SELECT count(*) FROM audit")

    with pytest.raises(TagLocked, match=r"tag v1 exists and lock all \(v\*\) holds it"):
        await CHANGES[change](service, locked)

    assert await pointed(service) == before
    assert await service.rows("SELECT count(*) FROM audit") == audited


@pytest.mark.parametrize("change", CHANGES)
async def test_without_the_lock_each_change_is_made(
    service: Service, locked: Repository, change: str
) -> None:
    before = await pointed(service)
    await locks.remove_lock(service.state, "op", "all")

    await CHANGES[change](service, locked)

    assert await pointed(service) != before


async def test_a_locked_tag_can_be_created_and_pushed_again_as_it_is(
    service: Service, locked: Repository
) -> None:
    await push(locked, NEW, V2)
    await push(locked, NEW, V2)
    await push(locked, OLD, V1)

    assert (await pointed(service))["v2"] == str(NEW.digest)
    with pytest.raises(TagLocked):
        await push(locked, OLD, V2)


async def test_a_tag_that_no_lock_holds_is_moved_and_deleted(
    service: Service, locked: Repository
) -> None:
    await push(locked, NEW, DEV)
    assert (await pointed(service))["dev"] == str(NEW.digest)

    await locked.manifests.delete(DEV)

    assert set(await pointed(service)) == {"v1"}


async def test_a_lock_holds_in_the_repositories_of_its_pattern_alone(service: Service) -> None:
    await lock(service, pattern="other/*")
    repository = as_role(service, Role.ADMIN)
    await push_image(repository, OLD, V1)

    await delete_repository(service.state, "op", NAME)

    assert await pointed(service) == {}


async def test_the_registrys_own_work_moves_no_locked_tag_either(
    service: Service, locked: Repository
) -> None:
    own = as_role(service, None)

    with pytest.raises(TagLocked):
        await push(own, NEW, V1)


async def test_undelete_brings_locked_tags_back_and_moves_none(
    service: Service, locked: Repository
) -> None:
    await locks.remove_lock(service.state, "op", "all")
    await locked.manifests.delete(OLD.digest)
    await push(locked, NEW, V1)
    await lock(service)

    found = await undelete_digest(service.state, "op", OLD.digest)

    assert (found.tags, found.skipped_tags) == (["dev"], ["v1"])
    assert await pointed(service) == {"v1": str(NEW.digest), "dev": str(OLD.digest)}
    with pytest.raises(CommandRefused, match="team/app:v1 exists"):
        await undelete_tag(service.state, "op", NAME, V1)
    assert (await pointed(service))["v1"] == str(NEW.digest)


async def test_a_deleted_repository_comes_back_with_its_locked_tags(
    service: Service, locked: Repository
) -> None:
    before = await pointed(service)
    await locks.remove_lock(service.state, "op", "all")
    await delete_repository(service.state, "op", NAME)
    await lock(service)

    await undelete_repository(service.state, "op", NAME)

    assert await pointed(service) == before


async def test_no_tag_of_many_is_gone_when_the_last_one_is_locked(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest_service, "TAGS_PER_BATCH", 2)
    monkeypatch.setattr(locks, "TAGS_PER_PAGE", 2)
    repository = as_role(service, Role.ADMIN)
    names = [f"a{number}" for number in range(6)]
    await push_image(repository, OLD, *map(Tag, names), Tag("z"))
    await lock(service, "z")

    for delete in (
        partial(repository.manifests.delete, OLD.digest),
        partial(delete_repository, service.state, "op", NAME),
    ):
        with pytest.raises(TagLocked, match="tag z exists"):
            await delete()

    assert set(await pointed(service)) == {*names, "z"}


@pytest.mark.parametrize("meanwhile", ["a lock", "a tag"])
async def test_a_repository_is_kept_for_a_lock_or_a_tag_that_came_meanwhile(
    service: Service, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """The tags are read before the transaction that deletes them."""
    repository = as_role(service, Role.ADMIN)
    await push_image(repository, OLD, DEV)
    await lock(service, "v*")
    write, is_done = service.database.write, False

    async def slow(unit: Any, **more: Any) -> Any:
        nonlocal is_done
        if not is_done:
            is_done = True
            await (lock(service, "d*", name="more") if meanwhile == "a lock"
                   else push(repository, OLD, V1))  # fmt: skip
        return await write(unit, **more)

    monkeypatch.setattr(type(service.database), "write", lambda _, unit, **more: slow(unit, **more))

    with pytest.raises(TagLocked):
        await delete_repository(service.state, "op", NAME)

    assert await pointed(service)


async def test_the_tags_are_not_read_under_the_write_lock(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = as_role(service, Role.ADMIN)
    await push_image(repository, OLD, *(Tag(f"a{number}") for number in range(9)))
    await lock(service)
    matched = 0
    find = lock_rows.find

    def counted(*given: Any) -> Any:
        nonlocal matched
        matched += 1
        return find(*given)

    unlocked = await locks.check_repository(service.state, NAME)
    monkeypatch.setattr(lock_rows, "find", counted)

    def unit(connection: Connection) -> bool:
        return unlocked.is_current(connection, NAME, 1)

    assert await service.database.write(unit, on=NAME)
    assert matched == 0


async def test_one_of_two_who_may_only_create_has_the_new_tag(service: Service) -> None:
    """Rule AZ-2: create or move is decided on the rows of the transaction."""
    first, second = (as_role(service, Role.CREATE) for _ in range(2))
    for image in (OLD, NEW):
        await push_blobs(first, image.blobs.values())

    for number in range(20):
        tag = Tag(f"r{number}")
        outcomes = await asyncio.gather(
            push(first, OLD, tag), push(second, NEW, tag), return_exceptions=True
        )

        refused = [outcome for outcome in outcomes if outcome is not None]
        assert [type(outcome) for outcome in refused] == [TagMoveDenied]
        winner = OLD if outcomes[0] is None else NEW
        assert (await pointed(service))[str(tag)] == str(winner.digest)


@pytest.mark.parametrize("role", [Role.CREATE, Role.PUSH, None])
async def test_moving_a_tag_needs_push(service: Service, role: Role | None) -> None:
    repository = as_role(service, role)
    await push_image(repository, OLD, DEV)
    await push_blobs(repository, NEW.blobs.values())
    await push(repository, OLD, DEV)

    if role is Role.CREATE:
        for move in (push(repository, NEW, DEV), push(repository, NEW, NEW.digest, DEV)):
            with pytest.raises(TagMoveDenied, match="moving it needs role push"):
                await move
    else:
        await push(repository, NEW, DEV)

    expected = OLD if role is Role.CREATE else NEW
    assert await pointed(service) == {"dev": str(expected.digest)}


async def test_a_lock_is_put_listed_and_removed_with_a_row_of_audit_each(
    service: Service,
) -> None:
    pattern, glob = Pattern("team/*"), Glob("v*")

    assert await locks.put_lock(service.state, "op", "releases", pattern, glob)
    assert not await locks.put_lock(service.state, "op", "releases", Pattern("*"), glob)
    [found] = await locks.list_locks(service.state)
    await locks.remove_lock(service.state, "op", "releases")

    assert (found.name, found.pattern, found.tags) == ("releases", Pattern("*"), glob)
    assert await service.rows("SELECT action, repository, target, detail FROM audit") == [
        ("lock.put", "team/*", "releases", "v*"),
        ("lock.put", "*", "releases", "v*"),
        ("lock.remove", "", "releases", ""),
    ]
    with pytest.raises(Absent, match="there is no lock releases"):
        await locks.remove_lock(service.state, "op", "releases")


async def test_a_lock_with_a_user_in_its_pattern_is_refused(service: Service) -> None:
    with pytest.raises(Invalid, match=r"pattern is \{user\}/\*, expected one without \{user\}"):
        await lock(service, pattern="{user}/*")
    with pytest.raises(Invalid):
        await lock(service, name="No Name")


async def test_there_is_a_most_of_locks_and_those_that_exist_can_be_replaced(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "MAX_LOCKS", 2)
    for name in ("one", "two"):
        await lock(service, name=name)

    with pytest.raises(Conflict, match="there are 2 locks"):
        await lock(service, name="three")
    await lock(service, "r*", name="two")

    found = [(each.name, str(each.tags)) for each in await locks.list_locks(service.state)]
    assert found == [("one", "v*"), ("two", "r*")]


@pytest.mark.parametrize(
    ("tag", "exists", "held"), [("v1", True, "all (v*)"), ("v9", False, "all (v*)"),
                                ("dev", True, ""), ("x", False, "")]
)  # fmt: skip
async def test_the_facts_of_a_tag_are_whether_it_exists_and_its_lock(
    service: Service, locked: Repository, tag: str, exists: bool, held: str
) -> None:
    found = await service.database.read(
        lambda connection: locks.tag_facts(connection, NAME, Tag(tag))
    )

    assert (found.tag, found.exists, found.lock) == (tag, exists, held)
