"""Records: every value comes back from its JSON."""

import json

import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.mediatype import OCI_MANIFEST
from runner.storage.records.values import ContainerRecord, ImageRecord, Record, VolumeRecord

DIGEST = Digest.of(b"manifest")


@pytest.mark.parametrize(
    ("record", "key"),
    [
        (
            ImageRecord(
                "registry.test/app:1",
                Descriptor(OCI_MANIFEST, DIGEST, 8),
                DIGEST,
                Digest.of(b"config"),
                1.5,
            ),
            "registry.test/app:1",
        ),
        (ContainerRecord("c1", "web", {"image": "app"}, {"state": "running"}, 7), "c1"),
        (VolumeRecord("data", 2.5, {"team": "red"}, {"o": "x"}, anonymous=True), "data"),
    ],
    ids=["image", "container", "volume"],
)
def test_a_record_comes_back_from_its_json(record: Record, key: str) -> None:
    text = json.dumps(record.to_json())

    assert type(record).from_json(json.loads(text)) == record
    assert record.key == key
