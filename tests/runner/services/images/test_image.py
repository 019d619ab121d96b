"""Image: its names by kind, and the record whose manifest counts."""

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.manifest import ImageManifest, parse_manifest
from oci.mediatype import OCI_MANIFEST
from runner.services.images.image import Image, is_tag
from runner.storage.records.values import ImageRecord
from tests.support.images import an_image

SOURCE = an_image(layers=2)
ID = SOURCE.image_config.image_id


def record(reference: str, updated: float, manifest: bytes = b"m") -> ImageRecord:
    digest = Digest.of(manifest)
    return ImageRecord(reference, Descriptor(OCI_MANIFEST, digest, 1), digest, ID, updated)


def image(*records: ImageRecord) -> Image:
    manifest = parse_manifest(SOURCE.manifest, SOURCE.media_type)
    assert isinstance(manifest, ImageManifest)
    return Image(ID, manifest, SOURCE.image_config, records)


def test_a_reference_is_a_tag_a_digest_or_an_id() -> None:
    tag, digest = record("r.test/app:1", 1), record(f"r.test/app@{Digest.of(b'')}", 2)
    found = image(tag, digest, record(str(ID), 3))

    assert found.tags == (tag,)
    assert found.digests == (digest,)
    assert not is_tag(str(ID))


def test_the_newest_record_has_the_manifest_that_counts() -> None:
    old, new = record("r.test/app:1", 1, b"old"), record("r.test/app:2", 2, b"new")

    assert image(new, old).manifest_digest == Digest.of(b"new")
    assert image(old, new).newest is new


def test_each_layer_has_its_diff_id_and_its_blob_lowest_first() -> None:
    assert image(record("r.test/app:1", 1)).layers == tuple(
        (layer.diff_id, layer.descriptor) for layer in SOURCE.layers
    )
