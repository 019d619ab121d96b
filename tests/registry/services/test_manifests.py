"""Manifests: exact bytes in and out, and no dangling references."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest, DigestMismatch
from oci.encoding import image_index, image_manifest
from oci.http import encode_errors
from oci.manifest import ManifestInvalid
from oci.mediatype import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST
from oci.reference import Tag
from registry.errors import (
    ManifestReferencesMissing,
    ManifestTypeMismatch,
    ManifestUnknown,
    NameUnknown,
    PreconditionFailed,
)
from registry.services import manifest_push
from registry.services.manifests import PushedManifest
from registry.services.repositories import ManifestPolicy, Repository
from tests.support.images import Image, an_image, an_index
from tests.support.registry.storage import (
    Service,
    a_service,
    push_blob,
    push_blobs,
    push_image,
    push_index,
)

V1, V2, LATEST = Tag("v1"), Tag("v2"), Tag("latest")


async def tags_of(repository: Repository) -> list[str]:
    return [str(tag) for tag in (await repository.tags.list(last=None, n=None)).items]


def named_by(refusals: ManifestReferencesMissing) -> list[object]:
    return [error.detail for error in refusals.errors]


async def test_a_manifest_comes_back_byte_for_byte(repository: Repository) -> None:
    image = an_image(layers=2)
    await push_image(repository, image, V1)

    by_tag = await repository.manifests.pull(V1)
    by_digest = await repository.manifests.pull(image.digest)

    assert by_tag == by_digest
    assert (by_tag.content, by_tag.media_type) == (image.manifest, image.media_type)
    assert by_tag.digest == image.digest


async def test_stat_tells_the_same_without_the_bytes(repository: Repository) -> None:
    image = an_image()
    await push_image(repository, image, V1)

    stat = await repository.manifests.stat(V1)

    assert stat == await repository.manifests.stat(image.digest)
    assert (stat.digest, stat.media_type, stat.size) == (
        image.digest,
        image.media_type,
        len(image.manifest),
    )


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
async def test_an_index_and_its_children_come_back_byte_for_byte(
    repository: Repository, docker: bool
) -> None:
    index = an_index(docker=docker)
    await push_index(repository, index, LATEST)

    pulled = await repository.manifests.pull(LATEST)

    assert (pulled.content, pulled.media_type) == (index.manifest, index.media_type)
    for image in index.images:
        assert (await repository.manifests.pull(image.digest)).content == image.manifest


async def test_odd_spacing_and_unknown_fields_are_kept(repository: Repository) -> None:
    config = await push_blob(repository, b"{}")
    descriptor = f'{{"mediaType":"{OCI_CONFIG}","digest":"{config}","size":2,"x":[1e3]}}'
    content = f' {{"schemaVersion":2,\n"layers":[],"config":{descriptor},"y":null}}\n'.encode()

    pushed = await repository.manifests.push(V1, content, OCI_MANIFEST)

    assert pushed.digest == Digest.of(content)
    assert (await repository.manifests.pull(V1)).content == content


async def test_an_unknown_reference_names_the_unknown_part(repository: Repository) -> None:
    with pytest.raises(NameUnknown):
        await repository.manifests.pull(V1)
    await push_image(repository, an_image(), V1)

    with pytest.raises(ManifestUnknown, match="no tag v2"):
        await repository.manifests.pull(V2)
    with pytest.raises(ManifestUnknown):
        await repository.manifests.stat(Digest.of(b"nothing"))


async def test_a_push_by_the_wrong_digest_is_refused(repository: Repository) -> None:
    image = an_image()
    await push_blobs(repository, image.blobs.values())

    with pytest.raises(DigestMismatch):
        await repository.manifests.push(Digest.of(b"else"), image.manifest, image.media_type)


async def test_a_push_by_sha512_tags_with_sha512(repository: Repository) -> None:
    image = an_image()
    await push_blobs(repository, image.blobs.values())
    digest = Digest.of(image.manifest, "sha512")

    pushed = await repository.manifests.push(
        digest, image.manifest, image.media_type, tags=[V1, V2, V1]
    )

    assert (pushed.digest, pushed.tags) == (digest, (V1, V2))
    assert (await repository.manifests.stat(V1)).digest == digest
    with pytest.raises(ManifestUnknown):
        await repository.manifests.stat(image.digest)


async def test_the_same_bytes_by_two_algorithms_are_two_manifests(repository: Repository) -> None:
    image = an_image()
    long = Digest.of(image.manifest, "sha512")
    await push_image(repository, image, V1, long)
    await repository.manifests.push(long, image.manifest, image.media_type, tags=[V2])

    await repository.manifests.delete(image.digest)

    assert await tags_of(repository) == ["v2"]
    assert (await repository.manifests.pull(V2)).digest == long


async def test_pushing_again_changes_nothing(service: Service) -> None:
    repository, image = service.repository(), an_image()
    await push_image(repository, image, V1)

    await push_image(repository, image, V1)

    assert len(await service.rows("SELECT * FROM manifests")) == 1
    assert len(await service.rows("SELECT * FROM tag_history")) == 1


async def test_a_tag_moves_and_remembers(service: Service) -> None:
    repository, old, new = service.repository(), an_image(seed="old"), an_image(seed="new")
    await push_image(repository, old, V1)
    await push_image(repository, new, V1)
    await repository.manifests.delete(V1)
    await push_image(repository, old, V1)

    history = await service.rows("SELECT version, digest FROM tag_history ORDER BY id")

    assert (await repository.manifests.stat(V1)).digest == old.digest
    assert history == [(1, str(old.digest)), (2, str(new.digest)), (3, None), (4, str(old.digest))]
    assert await service.rows("SELECT version FROM tags") == [(4,)]


async def test_in_5_another_media_type_for_the_same_bytes_is_refused(
    repository: Repository,
) -> None:
    await push_blob(repository, b"{}")
    content = b'{"schemaVersion":2,"manifests":[]}'
    await repository.manifests.push(V1, content, OCI_INDEX)

    with pytest.raises(ManifestTypeMismatch, match="was pushed as"):
        await repository.manifests.push(
            V2, content, "application/vnd.docker.distribution.manifest.list.v2+json"
        )

    assert (await repository.manifests.pull(V1)).media_type == OCI_INDEX
    assert await tags_of(repository) == ["v1"]


async def test_a_manifest_that_is_none_changes_nothing(service: Service) -> None:
    with pytest.raises(ManifestInvalid):
        await service.repository().manifests.push(V1, b"{", OCI_MANIFEST)

    assert (await service.registry.names(last=None, n=None)).items == ()


async def test_every_missing_blob_is_named(service: Service) -> None:
    image = an_image(layers=3)
    repository = service.repository()
    await push_blob(repository, image.layers[1].blob)

    with pytest.raises(ManifestReferencesMissing) as refused:
        await repository.manifests.push(V1, image.manifest, image.media_type)

    missing = set(image.blobs) - {image.layers[1].descriptor.digest}
    named = named_by(refused.value)
    assert len(named) == 3
    assert all({"digest": str(digest)} in named for digest in missing)
    assert await service.rows("SELECT * FROM manifests") == []


async def test_az_6_a_blob_of_another_repository_is_missing(service: Service) -> None:
    image = an_image()
    await push_blobs(service.repository("private"), image.blobs.values())

    with pytest.raises(ManifestReferencesMissing):
        await service.repository("other").manifests.push(V1, image.manifest, image.media_type)

    members = await service.rows(
        "SELECT DISTINCT name FROM repo_blobs JOIN repositories ON id = repository_id"
    )
    assert members == [("private",)]


async def test_a_manifest_of_another_repository_is_missing(service: Service) -> None:
    index = an_index()
    await push_index(service.repository("private"), index)

    with pytest.raises(ManifestReferencesMissing):
        await service.repository("other").manifests.push(V1, index.manifest, index.media_type)


async def test_an_index_may_name_blobs(repository: Repository) -> None:
    """BuildKit keeps caches as an index over layers."""
    layer = await push_blob(repository, b"cache layer")
    content = image_index([Descriptor(OCI_LAYER_GZIP, layer, 11)])

    await repository.manifests.push(Tag("cache"), content, OCI_INDEX)

    assert (await repository.manifests.pull(Tag("cache"))).content == content


async def test_a_foreign_layer_need_not_be_here(repository: Repository) -> None:
    config = await push_blob(repository, b"{}")
    foreign = Descriptor(
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        Digest.of(b"elsewhere"),
        9,
        urls=("https://example.test/layer",),
    )
    content = image_manifest(Descriptor(OCI_CONFIG, config, 2), [foreign])

    await repository.manifests.push(V1, content, OCI_MANIFEST)

    assert (await repository.manifests.pull(V1)).content == content


async def test_the_same_layer_twice_is_two_edges(service: Service) -> None:
    layer = an_image().layers[0]
    image = an_image(layers=[layer, layer])

    await push_image(service.repository(), image, V1)

    edges = await service.rows("SELECT kind, child FROM manifest_edges ORDER BY position")
    assert [kind for kind, _ in edges] == ["config", "layer", "layer"]


@pytest.mark.parametrize(
    ("sparse", "index_is_stored", "image_is_stored"),
    [("refuse", False, False), ("index", True, False), ("any", True, True)],
)
async def test_sparse_decides_which_references_may_be_absent(
    tmp_path: Path,
    sparse: Literal["refuse", "index", "any"],
    index_is_stored: bool,
    image_is_stored: bool,
) -> None:
    index, image = an_index(), an_image()
    async with a_service(tmp_path, policy=ManifestPolicy(sparse)) as service:
        repository = service.repository()

        assert await is_stored(repository, index.manifest, index.media_type) is index_is_stored
        assert await is_stored(repository, image.manifest, image.media_type) is image_is_stored


async def test_a_sparse_push_reports_the_absent_digests(tmp_path: Path) -> None:
    index = an_index()
    async with a_service(tmp_path, policy=ManifestPolicy("index")) as service:
        repository = service.repository()
        await push_image(repository, index.images[1])

        pushed = await repository.manifests.push(V1, index.manifest, index.media_type)

        assert pushed.absent == (index.images[0].digest,)


async def test_a_tag_moves_only_from_where_it_was_expected(repository: Repository) -> None:
    old, new = an_image(seed="old"), an_image(seed="new")
    await push_image(repository, old, V1)
    await push_blobs(repository, new.blobs.values())

    with pytest.raises(PreconditionFailed, match=str(old.digest)):
        await repository.manifests.push(V1, new.manifest, new.media_type, if_match=new.digest)
    with pytest.raises(PreconditionFailed):
        await repository.manifests.push(V1, new.manifest, new.media_type, if_absent=True)
    with pytest.raises(PreconditionFailed, match="does not exist"):
        await repository.manifests.push(V2, new.manifest, new.media_type, if_match=old.digest)
    await repository.manifests.push(V1, new.manifest, new.media_type, if_match=old.digest)
    await repository.manifests.push(V2, new.manifest, new.media_type, if_absent=True)

    assert (await repository.manifests.stat(V1)).digest == new.digest
    assert await tags_of(repository) == ["v1", "v2"]


async def test_of_many_that_create_one_tag_one_does(repository: Repository) -> None:
    images = [an_image(seed=str(n)) for n in range(8)]
    for image in images:
        await push_blobs(repository, image.blobs.values())

    outcomes = await asyncio.gather(
        *(
            repository.manifests.push(V1, image.manifest, image.media_type, if_absent=True)
            for image in images
        ),
        return_exceptions=True,
    )

    winners = [outcome for outcome in outcomes if isinstance(outcome, PushedManifest)]
    assert len(winners) == 1
    assert (await repository.manifests.stat(V1)).digest == winners[0].digest


async def is_stored(repository: Repository, content: bytes, media_type: str) -> bool:
    try:
        await repository.manifests.push(Digest.of(content), content, media_type)
    except ManifestReferencesMissing:
        return False
    return True


async def absent(service: Service) -> int:
    rows = await service.rows(
        "SELECT * FROM manifest_edges WHERE blob IS NULL AND manifest IS NULL"
    )
    return len(rows)


async def test_an_absent_edge_is_linked_once_its_content_is_pushed(tmp_path: Path) -> None:
    image = an_image(layers=2)
    async with a_service(tmp_path, policy=ManifestPolicy("any")) as service:
        repository = service.repository()
        await repository.manifests.push(V1, image.manifest, image.media_type)
        before = await absent(service)

        await push_blobs(service.repository("elsewhere"), image.blobs.values())
        elsewhere = await absent(service)
        await push_blobs(repository, image.blobs.values())

        assert (before, elsewhere, await absent(service)) == (3, 3, 0)


async def test_an_absent_platform_is_linked_once_it_is_pushed(tmp_path: Path) -> None:
    index = an_index()
    async with a_service(tmp_path, policy=ManifestPolicy("index")) as service:
        repository = service.repository()
        await repository.manifests.push(V1, index.manifest, index.media_type)
        before = await absent(service)

        await push_image(repository, index.images[0])

        assert (before, await absent(service)) == (2, 1)


async def test_deleting_a_child_makes_its_edge_absent(service: Service) -> None:
    index, repository = an_index(), service.repository()
    await push_index(repository, index, V1)

    await repository.manifests.delete(index.images[0].digest)

    assert await absent(service) == 1
    assert (await repository.manifests.pull(V1)).content == index.manifest
    await push_image(repository, index.images[0])
    assert await absent(service) == 0


async def test_deleting_a_tag_leaves_manifest_and_other_tags(repository: Repository) -> None:
    image = an_image()
    await push_image(repository, image, V1, V2)

    await repository.manifests.delete(V1)

    assert await tags_of(repository) == ["v2"]
    assert (await repository.manifests.stat(image.digest)).digest == image.digest
    with pytest.raises(ManifestUnknown):
        await repository.manifests.pull(V1)
    with pytest.raises(ManifestUnknown):
        await repository.manifests.delete(V1)


async def test_deleting_a_manifest_deletes_every_tag_on_it(repository: Repository) -> None:
    image, other = an_image(), an_image(seed="other")
    await push_image(repository, image, V1, V2)
    await push_image(repository, other, LATEST)

    await repository.manifests.delete(image.digest)

    assert await tags_of(repository) == ["latest"]
    with pytest.raises(ManifestUnknown):
        await repository.manifests.pull(image.digest)
    with pytest.raises(ManifestUnknown):
        await repository.manifests.delete(image.digest)


async def test_deleting_in_an_unknown_repository_is_refused(repository: Repository) -> None:
    with pytest.raises(NameUnknown):
        await repository.manifests.delete(V1)


async def test_a_big_manifest_is_stored(repository: Repository) -> None:
    image: Image = an_image(annotations={f"key-{n}": "A" * 10_000 for n in range(390)})

    await push_image(repository, image, V1)

    assert len(image.manifest) > 3_900_000
    assert (await repository.manifests.pull(V1)).content == image.manifest


async def test_every_change_leaves_one_line_of_audit(service: Service) -> None:
    repository, image = service.repository(), an_image(layers=0)
    await push_image(repository, image, V1)
    await repository.manifests.delete(V1)
    await repository.manifests.delete(image.digest)

    actions = [action for (action,) in await service.rows("SELECT action FROM audit ORDER BY id")]

    assert actions == ["blob.push", "manifest.push", "tag.delete", "manifest.delete"]


async def test_the_audit_says_from_which_digest_a_tag_was_moved_or_deleted(
    service: Service,
) -> None:
    repository, old, new = service.repository(), an_image(seed="old"), an_image(seed="new")
    await push_image(repository, old, V1)
    await push_image(repository, new)
    for _ in range(2):
        await repository.manifests.push(V1, new.manifest, new.media_type, tags=[V2])
    await repository.manifests.delete(V1)

    rows = await service.rows(
        "SELECT target, detail FROM audit WHERE action IN ('manifest.push', 'tag.delete')"
    )

    both = {"tags": ["v1", "v2"]}
    assert [(target, json.loads(detail or "{}")) for target, detail in rows[:4]] == [
        (str(old.digest), {"tags": ["v1"]}),
        (str(new.digest), {}),
        (str(new.digest), {**both, "moved": {"v1": str(old.digest)}}),
        (str(new.digest), both),
    ]
    assert rows[4:] == [("v1", str(new.digest))]


async def test_only_the_first_of_many_absent_references_are_listed(
    repository: Repository,
) -> None:
    """An answer that named ten thousand took 2.65 MB."""
    layers = [Descriptor(OCI_LAYER_GZIP, Digest.of(b"%d" % n), 1) for n in range(10_000)]
    content = image_manifest(layers[0], layers)

    with pytest.raises(ManifestReferencesMissing) as refused:
        await repository.manifests.push(Digest.of(content), content, OCI_MANIFEST)

    assert len(refused.value.errors) == ManifestReferencesMissing.MAX_ERRORS + 1
    assert str(refused.value.errors[-1]) == (
        "manifest names 9900 more digests that are not in this repository"
    )
    assert len(encode_errors(refused.value.errors)) < 64 * 1024


async def test_a_large_manifest_is_read_away_from_the_loop(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    for name in ("parse_manifest", "check_digest", "new_manifest", "edges_of"):
        monkeypatch.setattr(manifest_push, name, recording(getattr(manifest_push, name), threads))
    layers = [Descriptor(OCI_LAYER_GZIP, Digest.of(b"%d" % n), 1) for n in range(10_000)]
    content = image_manifest(layers[0], layers)

    with pytest.raises(ManifestReferencesMissing):
        await repository.manifests.push(Digest.of(content), content, OCI_MANIFEST)

    assert len(threads) == 4
    assert threading.current_thread().name not in threads


def recording(step: Callable[..., Any], threads: list[str]) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        threads.append(threading.current_thread().name)
        return step(*arguments)

    return run
