import re

import pytest
from hypothesis import given

from oci.descriptor import Descriptor, InvalidPlatform, Platform, choose
from oci.digest import Digest
from oci.document import InvalidDocument
from oci.mediatype import (
    DOCKER_FOREIGN_GZIP,
    FOREIGN_LAYERS,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
)
from tests.support.strategies import descriptors, platforms


def a_document(**changes: object) -> dict[str, object]:
    document: dict[str, object] = {
        "mediaType": OCI_LAYER_GZIP,
        "digest": str(Digest.of(b"x")),
        "size": 1,
    }
    return {name: value for name, value in (document | changes).items() if value != "absent"}


@given(descriptors)
def test_a_descriptor_survives_the_wire(descriptor: Descriptor) -> None:
    assert Descriptor.from_json(descriptor.to_json()) == descriptor


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"size": True}, "config.size: found a boolean, expected a whole number"),
        ({"size": 1.0}, "config.size: found a number, expected a whole number"),
        ({"size": "1"}, "config.size: found a string"),
        ({"size": -1}, "config.size: found '-1', expected 0 to"),
        ({"size": 2**63}, "config.size: found '9223372036854775808', expected 0 to"),
        ({"size": "absent"}, "config.size: found nothing"),
        ({"digest": "sha256:12"}, "config.digest: invalid digest 'sha256:12': sha256 needs 64"),
        ({"digest": None}, "config.digest: found nothing, expected a string"),
        ({"mediaType": 1}, "config.mediaType: found a whole number, expected a string"),
        ({"mediaType": "a/" + "b" * 254}, "config.mediaType: found 'a/bbb"),
        ({"mediaType": "a/b\r\nc"}, "expected at most 255 printable characters"),
        ({"artifactType": "x"}, "config.artifactType: found 'x', expected type/subtype"),
        ({"annotations": {"a": 1}}, "config.annotations['a']: found a whole number"),
        ({"annotations": []}, "config.annotations: found an array, expected an object"),
        ({"data": "%%%"}, "config.data: expected base64, found '%%%'"),
        ({"platform": "linux"}, "config.platform: expected an object, found a string"),
        ({"urls": "https://x"}, "config.urls: found a string, expected an array"),
    ],
)
def test_in_4_a_wrong_field_is_refused_by_its_path(
    changes: dict[str, object], expected: str
) -> None:
    with pytest.raises(InvalidDocument, match=re.escape(expected)):
        Descriptor.from_json(a_document(**changes), "config")


@pytest.mark.parametrize(
    "media_type", ["", "text/html", "layer", "a/b; c=d", "a/" + "b" * 253, None, "absent"]
)
def test_any_media_type_that_clients_write_is_taken(media_type: str | None) -> None:
    found = Descriptor.from_json(a_document(mediaType=media_type), "config")

    assert found.media_type == ("" if media_type in (None, "absent") else media_type)


def test_in_6_urls_are_refused_but_on_foreign_layers() -> None:
    urls = ["https://elsewhere.test/layer"]

    for media_type in FOREIGN_LAYERS:
        foreign = Descriptor.from_json(a_document(mediaType=media_type, urls=urls))
        assert foreign.is_foreign
        assert foreign.urls == tuple(urls)

    with pytest.raises(InvalidDocument, match="expected on foreign layers only"):
        Descriptor.from_json(a_document(urls=urls))
    assert Descriptor.from_json(a_document(urls=urls), allow_urls=True).urls == tuple(urls)


def test_a_null_field_is_an_absent_one() -> None:
    document = a_document(urls=None, annotations=None, platform=None, data=None, artifactType=None)

    assert Descriptor.from_json(document) == Descriptor.from_json(a_document())


@given(platforms)
def test_a_platform_survives_being_written(platform: Platform) -> None:
    written = Platform.parse(str(platform))

    assert Platform.parse(str(written)) == written
    assert written.os == platform.os


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", "linux/amd64"),
        ("arm64", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/armhf", "linux/arm/v7"),
        ("x86_64", "linux/amd64"),
    ],
)
def test_a_platform_may_be_written_as_people_do(text: str, expected: str) -> None:
    assert str(Platform.parse(text)) == expected


@pytest.mark.parametrize(
    "text", ["", "linux", "linux/", "/", "a/b/c/d", "linux/amd 64", "li\nux/a"]
)
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InvalidPlatform, match=r"expected os/architecture\[/variant\]"):
        Platform.parse(text)


def test_the_host_has_a_platform() -> None:
    assert Platform.host().os == "linux"
    assert Platform.host().architecture not in ("", "x86_64", "aarch64")


def offered(*platforms: str | None, media_type: str = OCI_MANIFEST) -> list[Descriptor]:
    return [
        Descriptor(
            media_type,
            Digest.of(str((number, text)).encode()),
            1,
            platform=Platform.parse(text) if text else None,
        )
        for number, text in enumerate(platforms)
    ]


@pytest.mark.parametrize(
    ("offers", "wanted", "best"),
    [
        (["linux/arm64", "linux/amd64"], "linux/amd64", 1),
        (["linux/amd64", "linux/amd64"], "linux/amd64", 0),
        (["linux/amd64/v3", "linux/amd64/v2", "linux/amd64"], "linux/amd64/v2", 1),
        (["linux/amd64/v3", "linux/amd64"], "linux/amd64/v2", 1),
        (["linux/amd64/v3"], "linux/amd64", None),
        (["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7", 1),
        (["linux/arm/v5", "linux/arm/v6"], "linux/arm/v7", 1),
        (["linux/arm/v7"], "linux/arm/v6", None),
        (["linux/arm/v7", "linux/arm64/v8"], "linux/arm64", 1),
        (["linux/arm/v7"], "linux/arm64/v8", 0),
        (["linux/386"], "linux/amd64", 0),
        (["windows/amd64"], "linux/amd64", None),
        (["unknown/unknown"], "linux/amd64", None),
        ([None, "linux/amd64"], "linux/amd64", 1),
        ([None, "linux/s390x"], "linux/amd64", 0),
        ([], "linux/amd64", None),
    ],
)
def test_the_best_manifest_for_a_platform(
    offers: list[str | None], wanted: str, best: int | None
) -> None:
    descriptors = offered(*offers)

    chosen = choose(descriptors, Platform.parse(wanted))

    assert chosen == (None if best is None else descriptors[best])


@pytest.mark.parametrize(
    ("os", "architecture", "variant", "wanted"),
    [
        ("linux", "x86_64", "", "linux/amd64"),
        ("Linux", "AMD64", "", "linux/amd64"),
        ("", "amd64", "v1", "linux/amd64"),
        ("linux", "aarch64", "", "linux/arm64/v8"),
        ("linux", "arm64", "8", "linux/arm64"),
        ("linux", "armhf", "", "linux/arm/v7"),
        ("linux", "arm", "7", "linux/arm/v7"),
        ("linux", "i386", "", "linux/386"),
        ("", "", "", "linux/amd64"),
    ],
)
def test_a_platform_is_read_in_everybodys_words(
    os: str, architecture: str, variant: str, wanted: str
) -> None:
    platform = Platform(os, architecture, variant)
    descriptor = Descriptor(OCI_MANIFEST, Digest.of(b""), 0, platform=platform)

    assert choose([descriptor], Platform.parse(wanted)) == descriptor
    assert platform.matches(Platform.parse(wanted))


@pytest.mark.parametrize("wanted", ["windows/amd64", "linux/arm64", "linux/amd64/v3"])
def test_a_platform_suits_no_other(wanted: str) -> None:
    assert not Platform("linux", "amd64", "v2").matches(Platform.parse(wanted))


def test_only_manifests_and_indexes_are_chosen() -> None:
    layers = offered("linux/amd64", media_type=DOCKER_FOREIGN_GZIP)
    indexes = offered("linux/amd64", media_type=OCI_INDEX)

    assert choose(layers + indexes, Platform.parse("linux/amd64")) == indexes[0]
