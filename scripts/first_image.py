"""The quickstart's own little client: is a registry there, and does it keep what it is given?

Usage: first_image.py ping HOST:PORT   exits 0 when a registry answers there
       first_image.py flow HOST:PORT   pushes an image and pulls it back, over HTTP alone
"""

import gzip
import io
import sys
import tarfile

import httpx2

from oci import mediatype
from oci.descriptor import Descriptor, Platform
from oci.digest import Digest
from oci.encoding import encode_image_config, image_manifest

NAME = "hello"


def main() -> int:
    """Do what the first argument says; the exit code is the answer."""
    if len(sys.argv) != 3 or sys.argv[1] not in ("ping", "flow"):
        sys.stderr.write((__doc__ or "") + "\n")
        return 2
    with httpx2.Client(base_url=f"http://{sys.argv[2]}", timeout=10) as client:
        try:
            return ping(client) if sys.argv[1] == "ping" else flow(client)
        except httpx2.HTTPError as error:
            sys.stderr.write(f"Error: {sys.argv[2]}: {error}\n")
            return 1


def ping(client: httpx2.Client) -> int:
    """0 when something that speaks the distribution protocol answers."""
    return 0 if client.get("/v2/").status_code in (200, 401) else 1


def flow(client: httpx2.Client) -> int:
    """Push one image of one layer, pull it back, and compare every byte."""
    layer_tar = _layer("hello.txt", b"Hello from Slipway.\n")
    layer = gzip.compress(layer_tar, mtime=0)
    config = encode_image_config(platform=Platform.host(), diff_ids=[Digest.of(layer_tar)])
    manifest = image_manifest(
        config=Descriptor(mediatype.OCI_CONFIG, Digest.of(config), len(config)),
        layers=[Descriptor(mediatype.OCI_LAYER_GZIP, Digest.of(layer), len(layer))],
    )

    for blob in (layer, config):
        _push_blob(client, blob)
    client.put(
        f"/v2/{NAME}/manifests/latest",
        content=manifest,
        headers={"Content-Type": mediatype.OCI_MANIFEST},
    ).raise_for_status()

    pulled = client.get(f"/v2/{NAME}/manifests/latest").raise_for_status().content
    same = pulled == manifest and all(
        client.get(f"/v2/{NAME}/blobs/{Digest.of(blob)}").raise_for_status().content == blob
        for blob in (layer, config)
    )
    verdict = "pulled back, every byte the same" if same else "pulled back, and NOT the same"
    sys.stdout.write(f"{NAME}:latest {Digest.of(manifest)}: pushed, {verdict}\n")
    return 0 if same else 1


def _layer(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _push_blob(client: httpx2.Client, blob: bytes) -> None:
    started = client.post(f"/v2/{NAME}/blobs/uploads/").raise_for_status()
    location = httpx2.URL(started.headers["Location"]).copy_add_param(
        "digest", str(Digest.of(blob))
    )
    client.put(location, content=blob).raise_for_status()


if __name__ == "__main__":
    sys.exit(main())
