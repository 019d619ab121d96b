"""Commands on a registry in which nothing is kept for long."""

from click.testing import CliRunner

from oci.digest import Digest
from registry.cli import main
from tests.support import http
from tests.support.images import an_image
from tests.support.processes import RegistryServer

SETTINGS = {
    "REGISTRY_GC__LEASE_SECONDS": "0",
    "REGISTRY_GC__EPOCH_SECONDS": "0.05",
    "REGISTRY_GC__INTERVAL_SECONDS": "3600",
}


def run(server: RegistryServer, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, [*arguments, "--root", str(server.root)], env=SETTINGS)
    assert result.exit_code == code, result.output
    return result.output


def push(server: RegistryServer, tag: str) -> Digest:
    image = an_image(seed=tag)
    for digest, content in image.blobs.items():
        http.post(
            f"{server.url}/v2/team/app/blobs/uploads/?digest={digest}", content=content
        ).raise_for_status()
    url = f"{server.url}/v2/team/app/manifests/{tag}"
    headers = {"Content-Type": image.media_type}
    http.put(url, content=image.manifest, headers=headers).raise_for_status()
    return image.digest
