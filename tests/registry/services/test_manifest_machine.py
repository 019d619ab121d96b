"""Pushes and deletes as a state machine: in any order, rows match the repository's content."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from oci.digest import Digest
from oci.manifest import ImageIndex, ImageManifest, parse_manifest
from oci.reference import Tag
from registry.errors import BlobInUse, BlobUnknown, ManifestUnknown, NameUnknown
from registry.services.repositories import ManifestPolicy, Repository
from registry.storage.blobs.memory import MemoryBlobStore
from tests.support.images import Image, Index, a_layer, an_image, an_index
from tests.support.memory import fast_directory
from tests.support.registry.storage import Service, a_service, push_blob

T = TypeVar("T")

# Few things, and shared, so that deletes meet what others name.
LAYERS = [a_layer({"file": bytes([n])}) for n in range(3)]
IMAGES = [
    an_image([LAYERS[0]], seed="a"),
    an_image([LAYERS[0], LAYERS[1], LAYERS[1]], seed="b"),
    an_image([LAYERS[1], LAYERS[2]], seed="c"),
]
INDEXES = [an_index(IMAGES[0], IMAGES[1]), an_index(IMAGES[1], IMAGES[2])]
MANIFESTS: list[Image | Index] = [*IMAGES, *INDEXES]
BLOBS = sorted({content for image in IMAGES for content in image.blobs.values()})
TAGS = [Tag("v1"), Tag("v2")]


def named_by(manifest: Image | Index) -> list[Digest]:
    parsed = parse_manifest(manifest.manifest, manifest.media_type)
    if isinstance(parsed, ImageIndex):
        return [child.digest for child in parsed.manifests]
    assert isinstance(parsed, ImageManifest)
    return [parsed.config.digest, *(layer.digest for layer in parsed.layers)]


class ManifestMachine(RuleBasedStateMachine):
    """One repository that may be sparse, beside sets of what it should have."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = fast_directory()
        self.stack = AsyncExitStack()
        service = a_service(
            Path(self.folder.name), policy=ManifestPolicy("any"), store=MemoryBlobStore()
        )
        self.service: Service = self.run(self.stack.enter_async_context(service))
        self.blobs: set[Digest] = set()
        self.manifests: dict[Digest, Image | Index] = {}
        self.tags: dict[Tag, Digest] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @property
    def repository(self) -> Repository:
        return self.service.repository()

    @rule(content=st.sampled_from(BLOBS))
    def push_blob(self, content: bytes) -> None:
        self.blobs.add(self.run(push_blob(self.repository, content)))

    @rule(content=st.sampled_from(BLOBS))
    def delete_blob(self, content: bytes) -> None:
        digest = Digest.of(content)
        deleting = self.repository.blobs.delete(digest)
        if digest not in self.blobs:
            with pytest.raises(BlobUnknown):
                self.run(deleting)
        elif any(digest in named_by(manifest) for manifest in self.manifests.values()):
            with pytest.raises(BlobInUse):
                self.run(deleting)
        else:
            self.run(deleting)
            self.blobs.remove(digest)

    @rule(manifest=st.sampled_from(MANIFESTS), tags=st.sets(st.sampled_from(TAGS)))
    def push(self, manifest: Image | Index, tags: set[Tag]) -> None:
        pushing = self.repository.manifests.push(
            manifest.digest, manifest.manifest, manifest.media_type, tags=sorted(tags)
        )
        pushed = self.run(pushing)
        here = self.blobs | set(self.manifests)
        absent = [digest for digest in named_by(manifest) if digest not in here]
        assert list(pushed.absent) == list(dict.fromkeys(absent))
        self.manifests[manifest.digest] = manifest
        self.tags.update(dict.fromkeys(tags, manifest.digest))

    @rule(tag=st.sampled_from(TAGS))
    def delete_tag(self, tag: Tag) -> None:
        deleting = self.repository.manifests.delete(tag)
        if tag in self.tags:
            self.run(deleting)
            del self.tags[tag]
        else:
            with pytest.raises((ManifestUnknown, NameUnknown)):
                self.run(deleting)

    @precondition(lambda self: self.manifests)
    @rule(choice=st.integers(0, 4))
    def delete_manifest(self, choice: int) -> None:
        digest = sorted(self.manifests)[choice % len(self.manifests)]
        self.run(self.repository.manifests.delete(digest))
        del self.manifests[digest]
        self.tags = {tag: pointed for tag, pointed in self.tags.items() if pointed != digest}

    @invariant()
    def i3_edges_are_what_the_bytes_name(self) -> None:
        rows = self.run(
            self.service.rows(
                "SELECT parent, child, blob, manifest FROM manifest_edges ORDER BY parent, position"
            )
        )
        expected = [
            (str(digest), str(child), self.if_blob(child), self.if_manifest(child))
            for digest, manifest in sorted(self.manifests.items())
            for child in named_by(manifest)
        ]
        assert rows == expected

    def if_blob(self, digest: Digest) -> str | None:
        return str(digest) if digest in self.blobs else None

    def if_manifest(self, digest: Digest) -> str | None:
        return str(digest) if digest in self.manifests else None

    @invariant()
    def i4_every_reference_leads_somewhere(self) -> None:
        assert self.run(self.service.rows("PRAGMA foreign_key_check")) == []
        trashed = {name for (name,) in self.run(self.service.rows("SELECT physical FROM trash"))}
        named = {name for (name,) in self.run(self.service.rows("SELECT physical FROM blobs"))}
        assert not trashed & named

    @invariant()
    def tags_point_where_they_were_pointed(self) -> None:
        rows = self.run(self.service.rows("SELECT name, digest FROM tags"))
        assert dict(rows) == {str(tag): str(digest) for tag, digest in self.tags.items()}

    def teardown(self) -> None:
        for digest, manifest in self.manifests.items():
            stored = self.run(self.repository.manifests.pull(digest))
            assert stored.content == manifest.manifest
        self.run(self.stack.aclose())
        self.loop.close()
        self.folder.cleanup()


TestManifestMachine = ManifestMachine.TestCase
TestManifestMachine.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
