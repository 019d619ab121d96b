"""Image documents of the Engine API.

https://docs.docker.com/engine/api/v1.44/#tag/Image
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from oci.document import parse_document
from runner.schema.times import NEVER, format_time, read_rfc3339
from runner.services.images.store import CorruptImage, Image, ImageStore, ImageUser

_FIRST_SECOND = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
_LAST_SECOND = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


def inspect(store: ImageStore, image: Image) -> dict[str, Any]:
    """ImageInspect."""
    config = image.config
    document: Any = parse_document(config.content)
    size = total_size(store, image)
    tagged = [datetime.fromtimestamp(record.updated, UTC) for record in image.tags]
    view: dict[str, Any] = {
        "Id": str(image.id),
        "RepoTags": repo_tags(store, image),
        "RepoDigests": repo_digests(store, image),
        "Parent": "",
        "Comment": config.history[-1].comment if config.history else "",
        "Created": config.created or NEVER,
        "DockerVersion": str(document.get("docker_version", "")),
        "Author": config.author,
        "Config": document.get("config") or {},
        "Architecture": config.platform.architecture,
        "Os": config.platform.os,
        "Size": size,
        "VirtualSize": size,
        "GraphDriver": {"Name": "overlay2", "Data": {}},
        "RootFS": {"Type": "layers", "Layers": [str(diff_id) for diff_id in config.diff_ids]},
        "Metadata": {"LastTagTime": format_time(max(tagged, default=None))},
    }
    if config.platform.variant:
        view["Variant"] = config.platform.variant
    if config.platform.os_version:
        view["OsVersion"] = config.platform.os_version
    return view


def summary(store: ImageStore, image: Image, users: Sequence[ImageUser]) -> dict[str, Any]:
    """ImageSummary: one line of a list."""
    size = total_size(store, image)
    return {
        "Id": str(image.id),
        "ParentId": "",
        "RepoTags": repo_tags(store, image),
        "RepoDigests": repo_digests(store, image),
        "Created": unix_time(image.config.created),
        "Size": size,
        "VirtualSize": size,
        "SharedSize": -1,
        "Labels": dict(image.config.labels),
        "Containers": sum(user.image_id == image.id for user in users),
    }


def corrupt_summary(
    store: ImageStore, image: CorruptImage, users: Sequence[ImageUser]
) -> dict[str, Any]:
    """ImageSummary of a corrupt image: its names, so that it can be removed."""
    return {
        "Id": str(image.id),
        "ParentId": "",
        "RepoTags": repo_tags(store, image),
        "RepoDigests": repo_digests(store, image),
        "Created": 0,
        "Size": 0,
        "VirtualSize": 0,
        "SharedSize": -1,
        "Labels": {},
        "Containers": sum(user.image_id == image.id for user in users),
    }


def history(store: ImageStore, image: Image) -> tuple[dict[str, Any], ...]:
    """HistoryResponseItem, newest first; a step that made no layer has no size."""
    sizes = iter([store.size(*layer) for layer in image.layers])
    items: list[dict[str, Any]] = [
        {
            "Id": "<missing>",
            "Created": unix_time(step.created),
            "CreatedBy": step.created_by,
            "Tags": None,
            "Size": 0 if step.empty_layer else next(sizes, 0),
            "Comment": step.comment,
        }
        for step in image.config.history
    ]
    # History is optional in a config: list the remaining layers without it.
    items += [
        {
            "Id": "<missing>",
            "Created": 0,
            "CreatedBy": "",
            "Tags": None,
            "Size": size,
            "Comment": "",
        }
        for size in sizes
    ]
    if items:
        items[-1] |= {"Id": str(image.id), "Tags": repo_tags(store, image) or None}
    return tuple(reversed(items))


def total_size(store: ImageStore, image: Image) -> int:
    """The size in bytes of the image's layers, each once."""
    return sum(store.size(diff_id, blob) for diff_id, blob in dict(image.layers).items())


def repo_tags(store: ImageStore, image: Image | CorruptImage) -> list[str]:
    return [store.familiar(record) for record in image.tags]


def repo_digests(store: ImageStore, image: Image | CorruptImage) -> list[str]:
    return [store.familiar(record) for record in image.digests]


def unix_time(created: str | None) -> int:
    """Convert RFC 3339 to seconds since the epoch; 0 for an invalid time.

    Clamped to the years 1 to 9999 in UTC, which a time of another zone may exceed.
    """
    when = read_rfc3339(created)
    return min(max(math.floor(when.timestamp()), _FIRST_SECOND), _LAST_SECOND) if when else 0
