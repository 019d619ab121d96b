"""skopeo beside a collector that never rests: what it pushed is what it pulls, every time."""

import time
from pathlib import Path

from oci.digest import Digest
from tests.clients.conftest import Run
from tests.clients.layouts import blobs_of, write_layout
from tests.support import http
from tests.support.images import Image, an_image
from tests.support.processes import RegistryServer, registry_server

# Many times what one push of these images takes, which is all that a lease has to outlast.
LEASE_SECONDS = 4
# The shortest that the settings allow, but for the lease.
SETTINGS = {
    "REGISTRY_GC__INTERVAL_SECONDS": "0.1",
    "REGISTRY_GC__SWEEP_SECONDS": "0.1",
    "REGISTRY_GC__EPOCH_SECONDS": "0.05",
    "REGISTRY_GC__UNDELETE_SECONDS": "0",
    "REGISTRY_GC__LEASE_SECONDS": str(LEASE_SECONDS),
}
TIMEOUT_SECONDS = 60.0
# Enough that several passes fall between a push's first blob and its manifest.
LAYERS = 40
LEAST_ROUNDS = 3
NAME = "skopeo/collected"


def test_what_is_pushed_while_garbage_is_collected_comes_back_byte_for_byte(
    tmp_path: Path, run: Run
) -> None:
    kept = write_layout(tmp_path / "kept", an_image(layers=LAYERS, seed="kept"))
    images = [an_image(layers=LAYERS, seed=seed) for seed in ("one", "two")]
    layouts = [
        write_layout(tmp_path / f"here-{number}", image) for number, image in enumerate(images)
    ]

    with registry_server(tmp_path / "root", environment=SETTINGS) as registry:
        push(run, registry, kept, "kept")
        garbage = a_loose_blob(registry)
        rounds = 0
        deadline = time.monotonic() + TIMEOUT_SECONDS
        # Unreferenced blobs go meanwhile: the collector is at work, and these race with it.
        while is_kept(registry, garbage) or rounds < LEAST_ROUNDS:
            assert time.monotonic() < deadline, "nothing was collected"
            number = rounds % len(images)
            push(run, registry, layouts[number], "round")
            assert pull(run, registry, "round", tmp_path / f"back-{rounds}") == blobs_of(
                layouts[number]
            )
            delete(registry, images[number])
            rounds += 1

        assert pull(run, registry, "kept", tmp_path / "back") == blobs_of(kept)


def push(run: Run, registry: RegistryServer, layout: Path, tag: str) -> None:
    there = f"docker://{registry.host}/{NAME}:{tag}"
    insecure = "--dest-tls-verify=false"
    run("skopeo", "copy", "--preserve-digests", insecure, f"oci:{layout}:latest", there)


def pull(run: Run, registry: RegistryServer, tag: str, target: Path) -> dict[str, bytes]:
    there = f"docker://{registry.host}/{NAME}:{tag}"
    insecure = "--src-tls-verify=false"
    run("skopeo", "copy", "--preserve-digests", insecure, there, f"oci:{target}:latest")
    return blobs_of(target)


def delete(registry: RegistryServer, image: Image) -> None:
    http.delete(f"{registry.url}/v2/{NAME}/manifests/{image.digest}").raise_for_status()


def a_loose_blob(registry: RegistryServer) -> Digest:
    content = b"a blob that no manifest names"
    digest = Digest.of(content)
    url = f"{registry.url}/v2/{NAME}/blobs/uploads/"
    http.post(url, params={"digest": str(digest)}, content=content).raise_for_status()
    return digest


def is_kept(registry: RegistryServer, digest: Digest) -> bool:
    """Whether its file is still there.  To ask the registry would renew its lease."""
    return any(registry.root.glob(f"blobs/*/{digest.encoded}-*"))
