"""The quickstart's own little client: is a registry there, and does it keep what it is given?

Usage: first_image.py ping HOST:PORT             exits 0 when a registry answers there
       first_image.py push HOST:PORT NAME FILE   pushes an image, with the secret of NAME in FILE
       first_image.py pull HOST:PORT NAME FILE   pulls it, and compares every byte
"""

import gzip
import io
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import httpx2

from oci import mediatype
from oci.descriptor import Descriptor, Platform
from oci.digest import Digest
from oci.encoding import encode_image_config, image_manifest

NAME = "hello"


@dataclass(frozen=True)
class FirstImage:
    """An image of one layer, the same at each run."""

    layer: bytes
    config: bytes
    manifest: bytes


def main() -> int:
    """Do what the first argument says; the exit code is the answer."""
    match sys.argv[1:]:
        case ["ping", host]:
            credentials = None
        case ["push" | "pull", host, name, file]:
            credentials = (name, Path(file).read_text().strip())
        case _:
            sys.stderr.write((__doc__ or "") + "\n")
            return 2
    command = {"ping": ping, "push": push, "pull": pull}[sys.argv[1]]
    with httpx2.Client(base_url=f"http://{host}", auth=credentials, timeout=10) as client:
        try:
            return command(client)
        except httpx2.HTTPStatusError as error:
            refusals = error.response.json().get("errors", [])
            sys.stderr.write(f"Error: {'; '.join(each['message'] for each in refusals)}\n")
        except httpx2.HTTPError as error:
            sys.stderr.write(f"Error: {host}: {error}\n")
        return 1


def ping(client: httpx2.Client) -> int:
    """0 when something that speaks the distribution protocol answers."""
    return 0 if client.get("/v2/").status_code in (200, 401) else 1


def push(client: httpx2.Client) -> int:
    """Push the image."""
    image = _image()
    for blob in (image.layer, image.config):
        _push_blob(client, blob)
    client.put(
        f"/v2/{NAME}/manifests/latest",
        content=image.manifest,
        headers={"Content-Type": mediatype.OCI_MANIFEST},
    ).raise_for_status()
    sys.stdout.write(f"{NAME}:latest {Digest.of(image.manifest)}: pushed\n")
    return 0


def pull(client: httpx2.Client) -> int:
    """Pull the image, and compare every byte."""
    image = _image()
    pulled = client.get(f"/v2/{NAME}/manifests/latest").raise_for_status().content
    same = pulled == image.manifest and all(
        client.get(f"/v2/{NAME}/blobs/{Digest.of(blob)}").raise_for_status().content == blob
        for blob in (image.layer, image.config)
    )
    verdict = "pulled, every byte the same" if same else "pulled, and NOT the same"
    sys.stdout.write(f"{NAME}:latest {Digest.of(pulled)}: {verdict}\n")
    return 0 if same else 1


def _image() -> FirstImage:
    layer_tar = _layer("hello.txt", b"Hello from Slipway.\n")
    layer = gzip.compress(layer_tar, mtime=0)
    config = encode_image_config(platform=Platform.host(), diff_ids=[Digest.of(layer_tar)])
    manifest = image_manifest(
        config=Descriptor(mediatype.OCI_CONFIG, Digest.of(config), len(config)),
        layers=[Descriptor(mediatype.OCI_LAYER_GZIP, Digest.of(layer), len(layer))],
    )
    return FirstImage(layer, config, manifest)


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
