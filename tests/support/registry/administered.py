"""A repository of an empty index, and the names that commands tell."""

import json
from pathlib import Path

from registry.config import load_settings
from registry.offline import administer

OCI = "application/vnd.oci.image.index.v1+json"
INDEX = json.dumps({"schemaVersion": 2, "mediaType": OCI, "manifests": []}).encode()


def names(root: Path) -> list[str]:
    settings = load_settings(flags={"storage.root": str(root)})
    return [document["name"] for document in administer(settings, "repo list", {})]
