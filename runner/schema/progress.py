"""ProgressEvent: one item in the response of a pull, push or load.

Engine API, ``CreateImageInfo`` and ``PushImageInfo``; after the status line errors are items too.
https://docs.docker.com/engine/api/v1.44/#tag/Image/operation/ImageCreate and ImagePush
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PushedManifest:
    """The result of a push: the manifest's tag, digest, and size in bytes."""

    tag: str
    digest: str
    size: int

    def to_json(self) -> dict[str, Any]:
        return {"Tag": self.tag, "Digest": self.digest, "Size": self.size}


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """The progress of one layer or tag; with ``error``, the failure of the whole operation.

    ``id`` is the layer (its digest's first 12 characters) or the tag; ``current`` and ``total``
    count bytes.  ``pushed`` is a result for programs.
    """

    status: str = ""
    id: str = ""
    current: int | None = None
    total: int | None = None
    error: str | None = None
    kind: str | None = None
    stream: str | None = None
    pushed: PushedManifest | None = None

    def to_json(self) -> dict[str, Any]:
        if self.error is not None:
            detail_of_error = {"message": self.error}
            if self.kind is not None:
                detail_of_error["kind"] = self.kind
            return {"errorDetail": detail_of_error, "error": self.error}
        if self.pushed is not None:
            return {"progressDetail": {}, "aux": self.pushed.to_json()}
        if self.stream is not None:
            return {"stream": self.stream}
        detail: dict[str, int] = {}
        if self.current is not None:
            detail["current"] = self.current
        if self.total is not None:
            detail["total"] = self.total
        item: dict[str, Any] = {"status": self.status, "progressDetail": detail}
        if self.id:
            item["id"] = self.id
        return item


Progress = Callable[[ProgressEvent], None]
"""Called with each item as it happens."""
