"""Image documents of the Engine API: ``ImageSummary``, ``ImageInspect`` and others.

https://docs.docker.com/engine/api/v1.44/#tag/Image
"""

import math
from datetime import UTC, datetime
from typing import Any

from oci.document import parse_document
from runner.schema.times import NEVER, format_time, read_rfc3339
from runner.services.images.details import HistoryStep, ImageDetails, ImageSummary
from runner.services.images.removals import Deleted

_FIRST_SECOND = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
_LAST_SECOND = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


def summary(image: ImageSummary) -> dict[str, Any]:
    """One element of ``GET /images/json``."""
    return {
        "Id": str(image.id),
        "ParentId": "",
        "RepoTags": list(image.tags),
        "RepoDigests": list(image.digests),
        "Created": unix_time(image.created),
        "Size": image.size,
        "VirtualSize": image.size,
        "SharedSize": -1,
        "Labels": dict(image.labels or {}),
        "Containers": image.containers,
    }


def inspection(image: ImageDetails) -> dict[str, Any]:
    """``GET /images/{name}/json``."""
    config = image.config
    pushed: Any = parse_document(config.content)
    tagged = None if image.tagged is None else datetime.fromtimestamp(image.tagged, UTC)
    document: dict[str, Any] = {
        "Id": str(image.id),
        "RepoTags": list(image.tags),
        "RepoDigests": list(image.digests),
        "Parent": "",
        "Comment": config.history[-1].comment if config.history else "",
        "Created": config.created or NEVER,
        "DockerVersion": str(pushed.get("docker_version", "")),
        "Author": config.author,
        "Config": pushed.get("config") or {},
        "Architecture": config.platform.architecture,
        "Os": config.platform.os,
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": {"Name": "overlay2", "Data": {}},
        "RootFS": {"Type": "layers", "Layers": [str(diff_id) for diff_id in config.diff_ids]},
        "Metadata": {"LastTagTime": format_time(tagged)},
    }
    if config.platform.variant:
        document["Variant"] = config.platform.variant
    if config.platform.os_version:
        document["OsVersion"] = config.platform.os_version
    return document


def history_item(step: HistoryStep) -> dict[str, Any]:
    """One element of ``GET /images/{name}/history``."""
    return {
        "Id": str(step.image_id) if step.image_id else "<missing>",
        "Created": unix_time(step.created),
        "CreatedBy": step.created_by,
        "Tags": list(step.tags) or None,
        "Size": step.size,
        "Comment": step.comment,
    }


def deletion(item: Deleted) -> dict[str, str]:
    """``ImageDeleteResponseItem``: one result of a removal."""
    return {"Untagged": item.untagged} if item.untagged else {"Deleted": str(item.deleted)}


def unix_time(created: str | None) -> int:
    """Convert RFC 3339 to seconds since the epoch; 0 for an invalid time.

    Clamped to the years 1 to 9999 in UTC, which a time of another zone may exceed.
    """
    when = read_rfc3339(created)
    return min(max(math.floor(when.timestamp()), _FIRST_SECOND), _LAST_SECOND) if when else 0
