"""Push: an image's exact bytes to the registry in its name.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.errors import OCIError
from oci.reference import Reference, RepositoryName
from runner.credentials import Credentials
from runner.errors import BadRequest, NotFound, RunnerError
from runner.remote.contract import PushResult, Registries, RegistryRepository
from runner.schema import ProgressEvent, PushedManifest
from runner.services.images.image import Image, is_tag
from runner.services.images.layers.files import FileRange
from runner.services.images.progress import LayerProgress
from runner.services.images.store import ImageStore
from runner.storage.records.values import ImageRecord
from runner.tasks.run_all import run_all

Report = Callable[[ProgressEvent], None]


class Pusher:
    """Pushes images; uploads at most ``parallel`` blobs at once, over all pushes."""

    def __init__(self, store: ImageStore, registries: Registries, parallel: int) -> None:
        self._store = store
        self._registries = registries
        self._slots = asyncio.Semaphore(parallel)

    async def push(
        self, reference: Reference, all_tags: bool, credentials: Credentials | None, report: Report
    ) -> Digest:
        """Push one tag, or every tag of the repository; returns the last digest."""
        records = self._records(reference, all_tags)
        repository = self._registries.repository(reference.host, reference.name, credentials)
        report(ProgressEvent(f"The push refers to repository [{repository}]"))
        for record in records:
            image = self._store.records.find(record.image_id)
            assert image is not None
            with self._store.protection.hold(
                {record.manifest, *(blob.digest for blob in image.manifest.all_blobs)}
            ):
                await self._push(repository, record, image, report)
        return records[-1].manifest

    def _records(self, reference: Reference, all_tags: bool) -> list[ImageRecord]:
        if reference.digest is not None:
            raise BadRequest("cannot push a digest reference: name a tag")
        if not all_tags:
            record = self._store.records.get(str(reference))
            found = [record] if record else []
        else:
            prefix = f"{reference.host}/{reference.name}:"
            every = self._store.records.all()
            found = [r for r in every if is_tag(r.reference) and r.reference.startswith(prefix)]
        if not found:
            familiar = reference.familiar(self._store.default_registry)
            raise NotFound(f"An image does not exist locally with the tag: {familiar}")
        return found

    async def _push(
        self, repository: RegistryRepository, record: ImageRecord, image: Image, report: Report
    ) -> None:
        layers = {layer.digest: layer for layer in image.manifest.layers}
        await run_all(
            self._push_layer(repository, image, layer, report) for layer in layers.values()
        )
        config = FileRange.whole(self._store.content.path(image.manifest.config.digest))
        await repository.push_blob(image.manifest.config, config.stream)
        content = image.manifest.content
        descriptor = Descriptor(image.manifest.media_type, record.manifest, len(content))
        tag = Reference.parse(record.reference, default_host=repository.address.host).tag
        assert tag is not None
        await repository.push_manifest(tag, descriptor, content)
        # Record the digest: the image can now be pulled by it.
        pinned = f"{repository}@{record.manifest}"
        await self._store.records.point([pinned], descriptor, record.manifest, image.id)
        report(ProgressEvent(f"{tag}: digest: {record.manifest} size: {len(content)}"))
        pushed = PushedManifest(str(tag), str(record.manifest), len(content))
        report(ProgressEvent(pushed=pushed))

    async def _push_layer(
        self, repository: RegistryRepository, image: Image, layer: Descriptor, report: Report
    ) -> None:
        progress = LayerProgress(layer, report)
        if layer.is_foreign:
            # Not to be distributed: docker's words for it.
            progress.status("Skipped foreign layer")
            return
        progress.status("Preparing")
        source = self._mount_source(repository, layer.digest)
        async with self._slots:

            async def opened() -> AsyncIterator[bytes]:
                await self._ensure(repository, image, layer)
                sent = 0
                blob = FileRange.whole(self._store.content.path(layer.digest))
                async for chunk in blob.stream():
                    yield chunk
                    sent += len(chunk)
                    progress.moved("Pushing", sent)

            outcome = await repository.push_blob(layer, opened, mount_from=source)
        mounted = outcome is PushResult.MOUNTED
        progress.status(f"Mounted from {source}" if mounted else outcome.value)

    def _mount_source(
        self, repository: RegistryRepository, digest: Digest
    ) -> RepositoryName | None:
        """Another repository of the same registry that holds the blob."""
        here = repository.address
        for image in self._store.records.images():
            if any(layer.digest == digest for layer in image.manifest.layers):
                for record in image.digests:
                    known = Reference.parse(record.reference, default_host=here.host)
                    if known.host == here.host and known.name != here.name:
                        return known.name
        return None

    async def _ensure(
        self, repository: RegistryRepository, image: Image, layer: Descriptor
    ) -> None:
        """Fetch the blob if missing: its layer may have been unpacked from another blob."""
        content = self._store.content
        if content.has(layer.digest):
            return
        failures = []
        for record in image.digests:
            known = Reference.parse(record.reference, default_host=self._store.default_registry)
            # The given credentials are for the registry of the push only.
            same = known.host == repository.address.host
            credentials = repository.address.credentials if same else None
            source = self._registries.repository(known.host, known.name, credentials)
            try:
                await self._fetch(source, layer)
            except (RunnerError, OCIError) as error:
                failures.append(str(error))
            else:
                return
        asked = "; ".join(failures) or "no registry is known to hold it"
        raise NotFound(f"layer {layer.digest} is not here, and could not be fetched: {asked}")

    async def _fetch(self, source: RegistryRepository, layer: Descriptor) -> None:
        async with self._store.content.ingest(layer.digest, layer.size) as ingest:
            if not ingest.complete:
                async with aclosing(source.fetch_blob(layer, ingest.offset)) as stream:
                    async for chunk in stream:
                        await ingest.append(chunk)
                await ingest.commit()
