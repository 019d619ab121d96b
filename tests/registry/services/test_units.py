"""Every unit of work that the services submit: which repository it is on.

That each may run again from its start is proved beside it: see RerunningDatabase.
"""

from pathlib import Path

from oci.digest import Digest
from oci.reference import RepositoryName, Tag
from registry.trash.repositories import delete_repository, undelete_repository
from registry.trash.undelete import undelete_digest
from tests.support.images import an_image
from tests.support.registry.databases import RerunningDatabase, Written
from tests.support.registry.operations import OPERATIONS, prepare
from tests.support.registry.storage import a_service, push_image

# Units that change single rows, each by one statement that checks its conditions itself.
WITHOUT_REPOSITORY = {"gc"}


async def test_every_unit_says_which_repository_it_is_on(tmp_path: Path) -> None:
    written: set[Written] = set()
    for number, operation in enumerate(OPERATIONS.values()):
        async with a_service(tmp_path / str(number)) as service:
            assert isinstance(service.database, RerunningDatabase)
            await operation.run(service, await prepare(service))
            written.update(service.database.written)

    assert {each.purpose for each in written if each.on is None} <= WITHOUT_REPOSITORY
    assert {str(each.on) for each in written if each.on is not None} == {"team/app", "team/other"}


async def test_content_is_undeleted_in_one_repository_after_the_other(
    tmp_path: Path,
) -> None:
    image, names = an_image(), ["team/a", "team/b"]
    async with a_service(tmp_path / "root") as service:
        assert isinstance(service.database, RerunningDatabase)
        for name in names:
            await push_image(service.repository(name), image, Tag("v1"))
            await service.repository(name).manifests.delete(image.digest)
        layer = Digest.parse(str(next(iter(image.blobs))))
        del service.database.written[:]

        result = await undelete_digest(service.state, "operator", image.digest)
        await delete_repository(service.state, "operator", RepositoryName("team/a"))
        await undelete_repository(service.state, "operator", RepositoryName("team/a"))

        assert [str(each.on) for each in service.database.written] == [*names, "team/a", "team/a"]
        assert result.manifests == [str(image.digest)] * 2
        assert result.tags == ["v1", "v1"]
        assert await service.repository("team/b").blobs.stat(layer)
