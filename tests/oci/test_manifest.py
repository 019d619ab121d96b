import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.encoding import image_index, image_manifest
from oci.errors import ErrorCode
from oci.manifest import (
    MAX_DESCRIPTORS,
    MAX_MANIFEST_BYTES,
    ImageIndex,
    ImageManifest,
    ManifestInvalid,
    parse_manifest,
)
from oci.mediatype import (
    DOCKER_FOREIGN_GZIP,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
)
from tests.support.calls import count_calls
from tests.support.images import an_image, an_index
from tests.support.strategies import descriptors, texts

CONFIG = Descriptor(OCI_CONFIG, Digest.of(b"{}"), 2)
LAYER = Descriptor(OCI_LAYER_GZIP, Digest.of(b"layer"), 5)


def a_document(**changes: object) -> bytes:
    document: dict[str, Any] = json.loads(image_manifest(CONFIG, [LAYER]))
    for name, value in changes.items():
        if value == "absent":
            del document[name]
        else:
            document[name] = value
    return json.dumps(document).encode()


def refusal(content: bytes, media_type: str | None = OCI_MANIFEST) -> str:
    with pytest.raises(ManifestInvalid) as refused:
        parse_manifest(content, media_type)
    assert refused.value.code is ErrorCode.MANIFEST_INVALID
    return str(refused.value)


@given(
    st.lists(descriptors, max_size=4),
    st.none() | descriptors,
    st.dictionaries(texts, texts, max_size=2),
    st.sampled_from([OCI_MANIFEST, DOCKER_MANIFEST]),
)
def test_a_manifest_survives_the_wire(
    layers: list[Descriptor],
    subject: Descriptor | None,
    annotations: dict[str, str],
    media_type: str,
) -> None:
    content = image_manifest(
        CONFIG, layers, media_type=media_type, subject=subject, annotations=annotations
    )

    manifest = parse_manifest(content, media_type)

    assert manifest == ImageManifest(
        content, media_type, CONFIG, tuple(layers), subject, None, annotations
    )
    assert manifest.digest == Digest.of(content)


@given(
    st.lists(descriptors, max_size=4),
    st.none() | descriptors,
    st.sampled_from([OCI_INDEX, DOCKER_LIST]),
)
def test_an_index_survives_the_wire(
    manifests: list[Descriptor], subject: Descriptor | None, media_type: str
) -> None:
    content = image_index(manifests, media_type=media_type, subject=subject)

    index = parse_manifest(content, media_type)

    assert index == ImageIndex(content, media_type, tuple(manifests), subject)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
field_names = st.sampled_from(
    ["schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "annotations"],
)


@given(st.dictionaries(field_names, json_values, max_size=5), st.sampled_from([OCI_INDEX, None]))
@example({"mediaType": "\0"}, None)
def test_in_4_any_document_is_a_manifest_or_is_refused_with_a_reason(
    changes: dict[str, Any], media_type: str | None
) -> None:
    document = json.loads(an_index().manifest) | changes
    content = json.dumps(document).encode()

    try:
        parsed = parse_manifest(content, media_type)
    except ManifestInvalid as refused:
        assert re.search(r"found|expected|is not JSON|beyond|surrogate", str(refused))
    else:
        assert parsed.content == content


@pytest.mark.parametrize("docker", [False, True])
def test_an_image_of_either_kind_is_read(docker: bool) -> None:
    image = an_image(layers=3, docker=docker)

    manifest = parse_manifest(image.manifest, image.media_type)

    assert isinstance(manifest, ImageManifest)
    assert [layer.digest for layer in manifest.layers] == [
        layer.descriptor.digest for layer in image.layers
    ]


def test_what_the_conformance_suite_pushes_is_accepted() -> None:
    empty = Descriptor(OCI_EMPTY, Digest.of(b"{}"), 2, data=b"{}")
    foreign = Descriptor(DOCKER_FOREIGN_GZIP, Digest.of(b"f"), 1, urls=("https://x.test/f",))
    nested = Descriptor(OCI_INDEX, Digest.of(b"i"), 1)
    subject = Descriptor(OCI_MANIFEST, Digest.of(b"s"), 1)
    accepted = [
        image_manifest(CONFIG, []),
        a_document(layers=None),
        a_document(layers="absent"),
        a_document(**{"org.test.unknown": {"nested": [1, 2.5, None, True]}}),
        image_manifest(empty, [empty], artifact_type="application/vnd.test", subject=subject),
        image_manifest(CONFIG, [foreign]),
        image_manifest(Descriptor("text/x-config", Digest.of(b"c"), 1), [LAYER]),
        image_manifest(CONFIG, [LAYER], annotations={"big": "a" * 3_900_000}),
        a_document(mediaType="absent"),
    ]

    for content in accepted:
        assert parse_manifest(content, OCI_MANIFEST).content == content
    for content in (image_index([]), image_index([nested])):
        assert isinstance(parse_manifest(content, OCI_INDEX), ImageIndex)


def test_a_foreign_layer_need_not_be_here() -> None:
    foreign = Descriptor(DOCKER_FOREIGN_GZIP, Digest.of(b"f"), 1)

    manifest = parse_manifest(image_manifest(CONFIG, [LAYER, foreign]), OCI_MANIFEST)

    assert isinstance(manifest, ImageManifest)
    assert manifest.blobs == (CONFIG, LAYER)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "not JSON"),
        (b"[]", "expected an object, found an array"),
        (b"\xff\xfe{\x00", "byte 0 is not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a":1,"a":1}', "the key 'a' appears twice in one object"),
        (b'{"schemaVersion":2,"x":{"b":1,"b":2}}', "the key 'b' appears twice"),
        (b'{"x":NaN}', "NaN is not JSON"),
        (b'{"x":-Infinity}', "-Infinity is not JSON"),
        (b'{"x":9223372036854775808}', "the number '9223372036854775808' is beyond"),
        (b'{"x":' + b"9" * 10_000 + b"}", "is beyond"),
        (b'{"x":' + b"[" * 200_000 + b"}", "nested too deeply"),
        (b'{"x":' * 200_000, "nested too deeply"),
        (b'{"x":"\\ud800"}', "half of a surrogate pair"),
        (a_document(schemaVersion=True), "schemaVersion: found a boolean"),
        (a_document(schemaVersion=2.0), "schemaVersion: found a number"),
        (a_document(schemaVersion=1), "schemaVersion is 1, expected 2"),
        (a_document(schemaVersion="absent"), "schemaVersion: found nothing"),
        (a_document(config="absent"), "config: found nothing, expected a descriptor"),
        (a_document(config=[]), "config: expected an object, found an array"),
        (a_document(layers={}), "layers: found an object, expected an array"),
        (a_document(layers=[5]), "layers[0]: expected an object, found a whole number"),
        (a_document(layers=[{}]), "layers[0].digest: found nothing"),
        (a_document(subject={"size": 1}), "subject.digest: found nothing"),
        (a_document(annotations={"a": 0}), "annotations['a']: found a whole number"),
        (a_document(annotations={"a": "\0"}), "expected a string without NUL"),
        (a_document(artifactType="x"), "artifactType: found 'x', expected type/subtype"),
        (a_document(fsLayers=[]), "found fsLayers"),
    ],
)
def test_in_4_a_broken_manifest_is_refused_with_a_reason(content: bytes, expected: str) -> None:
    assert expected in refusal(content)


def test_in_4_a_manifest_has_at_most_4_mib() -> None:
    content = b" " * (MAX_MANIFEST_BYTES + 1)

    with pytest.raises(ManifestInvalid, match="4194305 bytes, expected at most 4194304") as refused:
        parse_manifest(content, OCI_MANIFEST)

    assert refused.value.status == 413


def test_in_4_at_most_ten_thousand_layers_or_children() -> None:
    layer = {"mediaType": OCI_LAYER_GZIP, "digest": str(LAYER.digest), "size": 1}
    most = a_document(layers=[layer] * MAX_DESCRIPTORS)

    assert "found 10001 descriptors, expected at most 10000" in refusal(
        a_document(layers=[layer] * (MAX_DESCRIPTORS + 1))
    )
    assert len(most) < MAX_MANIFEST_BYTES
    assert isinstance(parse_manifest(most, OCI_MANIFEST), ImageManifest)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * MAX_MANIFEST_BYTES,
        b'{"a":' + b"[[]," * 1_000_000 + b"[]]}",
        b'{"x":"' + b"\\ud83d\\ude00" * 340_000 + b'"}',
        b"{" + b",".join(b'"%d":%d' % (n, n) for n in range(200_000)) + b"}",
    ],
    ids=["deep", "wide", "escapes", "keys"],
)
def test_in_4_no_body_of_4_mib_holds_the_server(content: bytes) -> None:
    calls = count_calls(lambda: refusal(content))

    # The loops over its characters are those of the C parser.
    assert calls < len(content) / 2


@pytest.mark.parametrize(
    ("sent", "own"),
    [(OCI_INDEX, OCI_MANIFEST), (OCI_MANIFEST, OCI_INDEX), (DOCKER_MANIFEST, OCI_MANIFEST)],
)
def test_in_5_the_body_must_agree_with_its_content_type(sent: str, own: str) -> None:
    text = refusal(a_document(mediaType=own), sent)

    assert f"mediaType is '{own}', expected the Content-Type '{sent}'" in text


def test_in_5_parameters_of_the_content_type_do_not_matter() -> None:
    parsed = parse_manifest(a_document(), f"{OCI_MANIFEST}; charset=utf-8")

    assert parsed.media_type == OCI_MANIFEST


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, OCI_INDEX, DOCKER_LIST, None])
@pytest.mark.parametrize("kept", ["layers", "config"])
@pytest.mark.parametrize("manifests", [[], None, [CONFIG.to_json()]])
def test_in_5_nothing_is_manifest_and_index_at_once(
    media_type: str | None, kept: str, manifests: object
) -> None:
    dropped = {"layers": "config", "config": "layers"}[kept]
    content = a_document(manifests=manifests, mediaType="absent", **{dropped: "absent"})

    assert "found manifests beside layers or config" in refusal(content, media_type)


def test_in_5_the_shape_must_be_that_of_the_media_type() -> None:
    index = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
    image = a_document(mediaType="absent")

    assert "found manifests, expected config and layers" in refusal(index, OCI_MANIFEST)
    assert "manifests: found nothing" in refusal(image, OCI_INDEX)


def test_in_6_urls_on_an_ordinary_layer_are_refused() -> None:
    layer = LAYER.to_json() | {"urls": ["https://elsewhere.test"]}

    assert "layers[0].urls" in refusal(a_document(layers=[layer]))


def test_an_unknown_media_type_is_refused_naming_the_four() -> None:
    text = refusal(a_document(mediaType="absent"), "application/json")

    for known in (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST):
        assert known in text
    assert "'application/json'" in text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (a_document(), OCI_MANIFEST),
        (a_document(mediaType="absent"), OCI_MANIFEST),
        (a_document(mediaType=DOCKER_MANIFEST), DOCKER_MANIFEST),
        (b'{"schemaVersion":2,"manifests":[]}', OCI_INDEX),
    ],
)
def test_without_a_content_type_the_document_decides(content: bytes, expected: str) -> None:
    assert parse_manifest(content, None).media_type == expected


@pytest.mark.parametrize(
    ("exact", "lookalike"),
    [
        ("config", "Config"),
        ("layers", "LAYERS"),
        ("layers", "layer\u017f"),  # a long s
        ("mediaType", "mediatype"),
        ("schemaVersion", "\u017fchemaVersion"),
        ("subject", "Subject"),
        ("config", "Manifests"),
        ("config", "FSLayers"),
    ],
)
def test_a_key_that_other_programs_take_for_another_is_refused(exact: str, lookalike: str) -> None:
    document: dict[str, Any] = json.loads(image_manifest(CONFIG, [LAYER]))
    document[lookalike] = document.get(exact)

    with pytest.raises(ManifestInvalid, match="expected that alone"):
        parse_manifest(json.dumps(document).encode(), None)


@pytest.mark.parametrize("lookalike", ["Digest", "SIZE", "URLs", "dige\u017ft"])
def test_nor_in_a_descriptor(lookalike: str) -> None:
    document: dict[str, Any] = json.loads(image_manifest(CONFIG, [LAYER]))
    document["layers"][0][lookalike] = "sha256:" + "0" * 64

    with pytest.raises(ManifestInvalid, match=r"layers\[0\]\.\S+: found beside"):
        parse_manifest(json.dumps(document).encode(), None)
