"""Image documents of the Engine API, made from values."""

from datetime import UTC, datetime

import pytest

from oci.descriptor import Platform
from oci.digest import Digest
from oci.encoding import encode_image_config
from oci.image_config import ImageConfig
from runner.daemon.api.image_documents import deletion, history_item, inspection, summary, unix_time
from runner.schema.times import NEVER
from runner.services.images.details import HistoryStep, ImageDetails, ImageSummary
from runner.services.images.removals import Deleted

ID, LAYER = Digest.of(b"config"), Digest.of(b"layer")


@pytest.mark.parametrize(
    ("created", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", -1),
        ("1901-01-01T00:00:00.123456789+02:00", -2177460000),
        ("0001-01-01T00:00:00Z", -62135596800),
        ("0001-01-01T00:00:00+14:00", -62135596800),
        ("9999-12-31T23:59:59-12:00", 253402300799),
        ("0000-00-00T00:00:00Z", 0),
        ("yesterday", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_any_time_has_a_number(created: str | None, seconds: int) -> None:
    assert unix_time(created) == seconds
    assert datetime.fromtimestamp(seconds, UTC).year >= 1


def test_a_summary_has_the_names_and_the_size_twice() -> None:
    image = ImageSummary(
        ID, ("app:1",), ("app@sha256:00",), 2, "1970-01-01T00:01:00Z", 12, {"team": "blue"}
    )

    document = summary(image)

    assert (document["RepoTags"], document["RepoDigests"]) == (["app:1"], ["app@sha256:00"])
    assert (document["Size"], document["VirtualSize"], document["Containers"]) == (12, 12, 2)
    assert (document["Created"], document["Labels"]) == (60, {"team": "blue"})


def test_a_corrupt_image_has_every_field_of_a_summary() -> None:
    corrupt = summary(ImageSummary(ID, ("app:1",), (), 0))

    assert corrupt.keys() == summary(ImageSummary(ID, (), (), 0, "", 1, {"a": "b"})).keys()
    assert (corrupt["Created"], corrupt["Size"], corrupt["Labels"]) == (0, 0, {})


def test_an_inspection_has_the_config_as_it_was_pushed() -> None:
    content = encode_image_config(Platform("linux", "arm64", variant="v8"), [LAYER], user="1000")
    details = ImageDetails(ID, ImageConfig.parse(content), ("app:1",), (), 7, 60.0)

    document = inspection(details)

    assert (document["Architecture"], document["Variant"]) == ("arm64", "v8")
    assert document["RootFS"]["Layers"] == [str(LAYER)]
    assert document["Config"]["User"] == "1000"
    assert document["Metadata"]["LastTagTime"] == "1970-01-01T00:01:00.000000Z"


def test_an_image_without_a_tag_was_never_tagged() -> None:
    content = encode_image_config(Platform("linux", "amd64"), [])

    document = inspection(ImageDetails(ID, ImageConfig.parse(content), (), (), 0, None))

    assert document["Metadata"]["LastTagTime"] == NEVER
    assert "Variant" not in document


def test_only_the_newest_step_of_a_history_has_an_id() -> None:
    newest = history_item(HistoryStep(None, "CMD sh", "", 0, ID, ("app:1",)))
    older = history_item(HistoryStep("1970-01-01T00:00:05Z", "ADD /", "from a test", 9))

    assert (newest["Id"], newest["Tags"]) == (str(ID), ["app:1"])
    assert (older["Id"], older["Tags"]) == ("<missing>", None)
    assert (older["Created"], older["Size"], older["Comment"]) == (5, 9, "from a test")


def test_a_removal_names_a_reference_or_a_digest() -> None:
    assert deletion(Deleted(ID, untagged="app:1")) == {"Untagged": "app:1"}
    assert deletion(Deleted(ID, deleted=LAYER)) == {"Deleted": str(LAYER)}
