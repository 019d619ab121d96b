"""A registry that lies: each lie is told in one sentence, and nothing that lies is kept."""

import bz2
import gzip
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.encoding import image_index, image_manifest
from oci.mediatype import (
    DOCKER_FOREIGN_GZIP,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
)
from runner.credentials import Credentials
from runner.errors import RunnerError
from tests.support.images import Image, Layer, a_layer, an_image, an_index
from tests.support.runner.fake_registry import FakeRegistry, Reply, envelope
from tests.support.runner.runner_images import RunnerImages

CANARY = Credentials("canary", "s3cret-canary")
SOURCE = an_image([a_layer({"file": b"x" * 5000})])
LAYER = SOURCE.layers[0]
BLOB = str(LAYER.descriptor.digest)
CONFIG = str(Digest.of(SOURCE.config))
# Nobody holds it.
A_SECRET = Descriptor(DOCKER_FOREIGN_GZIP, Digest.of(b"secret"), 6)
MANIFEST_REPLY = {"Content-Type": OCI_MANIFEST}


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as registry:
        registry.put(SOURCE)
        yield registry


def with_layers(*descriptors: Descriptor, image: Image = SOURCE) -> Image:
    """The same config with other layers written into the manifest."""
    config = Descriptor(OCI_CONFIG, Digest.of(image.config), len(image.config))
    return replace(image, manifest=image_manifest(config, descriptors))


def another_manifest(**changes: object) -> bytes:
    return json.dumps({**json.loads(SOURCE.manifest), **changes}).encode()


def sent(content: bytes, media_type: str = OCI_MANIFEST) -> Callable[[FakeRegistry], None]:
    """The registry sends this for any manifest, with no digest announced."""
    return lambda registry: registry.on(
        "GET", "/manifests/", Reply(body=content, headers={"Content-Type": media_type})
    )


def held(image: Image) -> Callable[[FakeRegistry], None]:
    return lambda registry: registry.put(image)


def answered(part: str, *replies: Reply) -> Callable[[FakeRegistry], None]:
    return lambda registry: registry.on("GET", part, *replies)


@dataclass(frozen=True)
class Lie:
    """A lie of the registry, and the refusal that the runner owes."""

    tell: Callable[[FakeRegistry], None]
    said: str


def bad_gzip() -> Layer:
    blob = b"\x1f\x8b\x08\x00 this is no gzip"
    return Layer(b"", blob, Descriptor(OCI_LAYER_GZIP, Digest.of(blob), len(blob)))


def cut_gzip() -> Layer:
    blob = LAYER.blob[:-20]
    return Layer(LAYER.tar, blob, Descriptor(OCI_LAYER_GZIP, Digest.of(blob), len(blob)))


def bzip2_layer() -> Layer:
    blob = bz2.compress(LAYER.tar)
    return Layer(LAYER.tar, blob, Descriptor(OCI_LAYER_GZIP, Digest.of(blob), len(blob)))


def not_a_tar() -> Layer:
    blob = gzip.compress(b"no tar at all" * 1000, mtime=0)
    content = b"no tar at all" * 1000
    return Layer(content, blob, Descriptor(OCI_LAYER_GZIP, Digest.of(blob), len(blob)))


def bomb() -> Layer:
    """A gzip of four gigabytes' worth of claims in one sparse header."""
    header = a_layer({"bomb": b""}).tar[:512]
    size = header[:124] + b"77777777777\0" + header[136:]
    checked = size[:148] + b" " * 8 + size[156:]
    total = f"{sum(checked):06o}\0 ".encode()
    tar = size[:148] + total + size[156:]
    blob = gzip.compress(tar, mtime=0)
    return Layer(tar, blob, Descriptor(OCI_LAYER_GZIP, Digest.of(blob), len(blob)))


def wrong_diff_id() -> Image:
    other = a_layer({"other": b"other"})
    image = with_layers(other.descriptor)
    return replace(image, layers=(other,))


LIES = {
    "manifest: other bytes than its digest header": Lie(
        answered(
            "/manifests/",
            Reply(
                body=SOURCE.manifest,
                headers={**MANIFEST_REPLY, "Docker-Content-Digest": str(Digest.of(b"other"))},
            ),
        ),
        "manifest has digest .*, expected",
    ),
    "manifest: a digest header that is none": Lie(
        answered(
            "/manifests/",
            Reply(
                body=SOURCE.manifest,
                headers={**MANIFEST_REPLY, "Docker-Content-Digest": "../../../etc/passwd"},
            ),
        ),
        "invalid digest",
    ),
    "manifest: more than 4 MiB": Lie(
        sent(b" " * (4 * 1024 * 1024) + SOURCE.manifest), "more than 4194304 bytes"
    ),
    "manifest: more than 4 MiB, chunked": Lie(
        answered("/manifests/", Reply(body=b" " * 5_000_000, headers=MANIFEST_REPLY, chunked=True)),
        "more than 4194304 bytes",
    ),
    "manifest: image and index at once": Lie(
        sent(another_manifest(manifests=[])), "manifests beside layers or config"
    ),
    "manifest: an index by its Content-Type, an image by itself": Lie(
        sent(SOURCE.manifest, OCI_INDEX), "expected the Content-Type"
    ),
    "manifest: no JSON": Lie(sent(b"<html>sign in</html>"), "not JSON"),
    "manifest: a web page": Lie(sent(b"<html></html>", "text/html"), "not JSON|media type"),
    "manifest: Docker's schema 1": Lie(
        sent(b'{"schemaVersion":1,"fsLayers":[]}', "application/json"), "media type"
    ),
    "manifest: a digest that is a path": Lie(
        sent(SOURCE.manifest.replace(BLOB.encode(), b"sha256:../../../../etc/shadow")),
        "invalid digest",
    ),
    "manifest: a negative size": Lie(
        sent(SOURCE.manifest.replace(b'"size":', b'"size":-')), "size"
    ),
    "manifest: truncated for ever": Lie(
        answered("/manifests/", Reply(body=SOURCE.manifest, headers=MANIFEST_REPLY, cut=20)),
        "cut off",
    ),
    "manifest: 500 for ever": Lie(
        answered("/manifests/", Reply(500, b"oops")), "refused to pull .*: 500"
    ),
    "manifest: 429 for ever": Lie(
        answered("/manifests/", envelope(429, "TOOMANYREQUESTS", "slow down")), "slow down"
    ),
    "manifest: terminal codes in the message": Lie(
        answered("/manifests/", envelope(404, "MANIFEST_UNKNOWN", r"\u001b[31mred")), r" \[31mred"
    ),
    "index: a manifest of another size than it says": Lie(
        lambda registry: registry.put(
            replace(
                an_index(SOURCE),
                manifest=image_index([replace(SOURCE.descriptor, size=1)]),
            )
        ),
        "the index says",
    ),
    "index: indexes in indexes": Lie(
        lambda registry: nested_indexes(registry, 6), "indexes in indexes"
    ),
    "config: other bytes": Lie(
        answered(f"/blobs/{CONFIG}", Reply(body=b"{" + b" " * (len(SOURCE.config) - 1))),
        "content has digest .*, expected",
    ),
    "config: not an image's": Lie(
        sent(another_manifest(config={**LAYER.descriptor.to_json(), "mediaType": "a/b"})),
        "not an image: its config is a/b",
    ),
    "config: enormous": Lie(
        sent(another_manifest(config={**json.loads(SOURCE.manifest)["config"], "size": 10**12})),
        "config of 1000000000000 bytes",
    ),
    "config: fewer diff_ids than layers": Lie(
        held(with_layers(LAYER.descriptor, LAYER.descriptor)), "2 layers, but 1 diff_ids"
    ),
    "layer: kept elsewhere": Lie(
        held(with_layers(replace(A_SECRET, urls=("http://169.254.169.254/latest",)))),
        "the registry does not hold it; foreign layers are never fetched from their URLs",
    ),
    "layer: of no known type": Lie(
        held(with_layers(replace(LAYER.descriptor, media_type="application/x-evil"))),
        "layer of unknown type application/x-evil",
    ),
    "layer: wrong bytes": Lie(
        answered(f"/blobs/{BLOB}", Reply(body=bytes(len(LAYER.blob)))), "digest|gzip"
    ),
    "layer: one wrong byte": Lie(
        answered(f"/blobs/{BLOB}", Reply(body=LAYER.blob[:-1] + bytes([LAYER.blob[-1] ^ 1]))),
        "content has digest|gzip",
    ),
    "layer: too long": Lie(
        answered(f"/blobs/{BLOB}", Reply(body=LAYER.blob + b"more")), "more than .* bytes"
    ),
    "layer: too long, chunked": Lie(
        answered(f"/blobs/{BLOB}", Reply(body=LAYER.blob + b"more", chunked=True)),
        "more than .* bytes",
    ),
    "layer: too short, and said to be whole": Lie(
        answered(f"/blobs/{BLOB}", Reply(body=LAYER.blob[:-5])), "has .* bytes, expected"
    ),
    "layer: nothing at all": Lie(answered(f"/blobs/{BLOB}", Reply()), "has 0 bytes, expected"),
    "layer: cut off for ever": Lie(
        answered(f"/blobs/{BLOB}", Reply(body=LAYER.blob, cut=10)), "cut off"
    ),
    "layer: the wrong range when resumed": Lie(
        answered(
            f"/blobs/{BLOB}",
            Reply(body=LAYER.blob, cut=50),
            Reply(206, LAYER.blob, {"Content-Range": f"bytes 0-9/{len(LAYER.blob)}"}),
        ),
        "Content-Range 'bytes 0-9/",
    ),
    "layer: 404": Lie(
        answered(f"/blobs/{BLOB}", envelope(404, "BLOB_UNKNOWN", "blob unknown to registry")),
        "404 BLOB_UNKNOWN: blob unknown to registry",
    ),
    "layer: 403 with a page": Lie(
        answered(f"/blobs/{BLOB}", Reply(403, b"<html>")), "403 Forbidden"
    ),
    "layer: another diff ID": Lie(held(wrong_diff_id()), "content has digest .*, expected"),
    "layer: no gzip": Lie(held(an_image([bad_gzip()])), "gzip"),
    "layer: gzip without an end": Lie(held(an_image([cut_gzip()])), "cut short|gzip"),
    "layer: in bzip2": Lie(
        held(an_image([bzip2_layer()])), "is compressed with bzip2, expected gzip or zstd"
    ),
    "layer: no tar": Lie(held(an_image([not_a_tar()])), "layer sha256:"),
    "layer: a header that promises gigabytes": Lie(held(an_image([bomb()])), "layer sha256:"),
    "layer: a path that climbs out": Lie(
        held(an_image([a_layer({"../../../../tmp/escaped": b"out"})])), "layer sha256:"
    ),
    "redirect: in a circle": Lie(
        answered(f"/blobs/{BLOB}", Reply(307, headers={"Location": f"/v2/app/blobs/{BLOB}"})),
        "more than 5 redirects",
    ),
    "redirect: without a Location": Lie(
        answered(f"/blobs/{BLOB}", Reply(307)), "307 without a Location"
    ),
    "redirect: to a file": Lie(
        answered(f"/blobs/{BLOB}", Reply(302, headers={"Location": "file:///etc/shadow"})),
        "expected an http or https URL",
    ),
    "redirect: to a URL with a password": Lie(
        answered(f"/blobs/{BLOB}", Reply(302, headers={"Location": "http://a:b@127.0.0.1:1/x"})),
        "credentials in it",
    ),
    "redirect: to what is no URL": Lie(
        answered(f"/blobs/{BLOB}", Reply(302, headers={"Location": "http://[::1"})), "Location"
    ),
    "realm: nothing": Lie(
        answered("/", Reply(401, headers={"WWW-Authenticate": "Bearer"})), "another server"
    ),
    "realm: what is no URL": Lie(
        answered("/", Reply(401, headers={"WWW-Authenticate": 'Bearer realm="http://[::1"'})),
        "token realm",
    ),
    "challenge: garbage": Lie(
        answered("/", Reply(401, headers={"WWW-Authenticate": '=,,"'})), "401"
    ),
}


def nested_indexes(registry: FakeRegistry, depth: int) -> None:
    content = SOURCE.manifest
    descriptor = SOURCE.descriptor
    for _ in range(depth):
        content = image_index([descriptor])
        digest = Digest.of(content)
        registry.manifests[f"/v2/app/manifests/{digest}"] = (OCI_INDEX, content)
        descriptor = Descriptor(OCI_INDEX, digest, len(content))
    registry.manifests["/v2/app/manifests/latest"] = (OCI_INDEX, content)


@pytest.mark.parametrize("name", LIES)
async def test_a_lie_is_told_and_leaves_nothing_that_lies(
    registry: FakeRegistry, runner: RunnerImages, name: str
) -> None:
    lie = LIES[name]
    lie.tell(registry)

    with pytest.raises(RunnerError, match=lie.said) as refused:
        await runner.images.pull("app", credentials=CANARY, progress=runner.on_progress)

    assert "\n" not in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert runner.images.list() == ()
    assert runner.lies() == []
    assert list(runner.store.layers.diff_ids()) == []
    # A partial blob is kept, to be resumed; once the registry is honest the pull succeeds.
    registry.behaviours.clear()
    registry.put(SOURCE)
    await runner.images.pull("app", credentials=CANARY, progress=runner.on_progress)
    assert runner.tags == ["app:latest"]


async def test_a_partial_blob_with_wrong_bytes_is_fetched_anew(
    registry: FakeRegistry, runner: RunnerImages
) -> None:
    partial = runner.root / "content/ingest" / BLOB.replace(":", "-")
    partial.write_bytes(LAYER.blob[:20] + b"?")

    await runner.images.pull("app", progress=runner.on_progress)

    assert runner.tags == ["app:latest"]
    assert runner.lies() == []
