"""Encodings: image manifests, indexes and image configs as the compact JSON that is pushed.

https://github.com/opencontainers/image-spec/blob/main/manifest.md
https://github.com/opencontainers/image-spec/blob/main/image-index.md
https://github.com/opencontainers/image-spec/blob/main/config.md
"""

import json
from collections.abc import Mapping, Sequence

from oci.descriptor import Descriptor, Platform
from oci.digest import Digest
from oci.image_config import Healthcheck, History
from oci.mediatype import OCI_INDEX, OCI_MANIFEST


def image_manifest(
    config: Descriptor,
    layers: Sequence[Descriptor],
    *,
    media_type: str = OCI_MANIFEST,
    subject: Descriptor | None = None,
    artifact_type: str | None = None,
    annotations: Mapping[str, str] | None = None,
) -> bytes:
    """Encode an image manifest as compact JSON."""
    names = {"config": config.to_json(), "layers": [layer.to_json() for layer in layers]}
    return _encode(media_type, artifact_type, names, subject, annotations)


def image_index(
    manifests: Sequence[Descriptor],
    *,
    media_type: str = OCI_INDEX,
    subject: Descriptor | None = None,
    artifact_type: str | None = None,
    annotations: Mapping[str, str] | None = None,
) -> bytes:
    """Encode an image index as compact JSON."""
    names = {"manifests": [manifest.to_json() for manifest in manifests]}
    return _encode(media_type, artifact_type, names, subject, annotations)


def encode_image_config(
    platform: Platform,
    diff_ids: Sequence[Digest],
    *,
    created: str | None = None,
    author: str = "",
    env: Sequence[str] = (),
    entrypoint: Sequence[str] = (),
    cmd: Sequence[str] = (),
    user: str = "",
    working_dir: str = "",
    labels: Mapping[str, str] | None = None,
    exposed_ports: Sequence[str] = (),
    volumes: Sequence[str] = (),
    stop_signal: str = "",
    shell: Sequence[str] = (),
    healthcheck: Healthcheck | None = None,
    history: Sequence[History] = (),
) -> bytes:
    """Encode an image config as compact JSON; empty fields are omitted."""
    process: dict[str, object] = {
        "User": user,
        "ExposedPorts": {port: {} for port in exposed_ports},
        "Env": list(env),
        "Entrypoint": list(entrypoint),
        "Cmd": list(cmd),
        "Volumes": {volume: {} for volume in volumes},
        "WorkingDir": working_dir,
        "Labels": dict(labels or {}),
        "StopSignal": stop_signal,
        "Shell": list(shell),
        "Healthcheck": healthcheck.to_json() if healthcheck else None,
    }
    document: dict[str, object] = {} if created is None else {"created": created}
    if author:
        document["author"] = author
    document |= platform.to_json()
    document["config"] = {name: value for name, value in process.items() if value}
    document["rootfs"] = {"type": "layers", "diff_ids": [str(diff_id) for diff_id in diff_ids]}
    if history:
        document["history"] = [entry.to_json() for entry in history]
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _encode(
    media_type: str,
    artifact_type: str | None,
    names: Mapping[str, object],
    subject: Descriptor | None,
    annotations: Mapping[str, str] | None,
) -> bytes:
    """Encode the fields common to manifests and indexes, with ``names`` between them."""
    document: dict[str, object] = {"schemaVersion": 2, "mediaType": media_type}
    if artifact_type is not None:
        document["artifactType"] = artifact_type
    document |= names
    if subject is not None:
        document["subject"] = subject.to_json()
    if annotations:
        document["annotations"] = dict(annotations)
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
