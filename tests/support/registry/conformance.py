"""A client that knows the distribution spec and nothing of our code but digests."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
EMPTY = "application/vnd.oci.empty.v1+json"
OCTETS = {"Content-Type": "application/octet-stream"}
ALGORITHMS = ("sha256", "sha512")


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def descriptor(content: bytes, media_type: str, algorithm: str = "sha256") -> dict[str, Any]:
    digest = digest_of(content, algorithm)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def document(media_type: str, **fields: Any) -> bytes:
    """A manifest or an index, with white space of its own: bytes are to be kept."""
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, **fields}, indent=3).encode()


@dataclass
class Client:
    """One repository of a registry, spoken to as the spec says, endpoint by endpoint."""

    http: httpx2.Client
    name: str

    def url(self, path: str) -> str:
        return f"/v2/{self.name}/{path}"

    # Blobs

    def begin(self, **query: str) -> httpx2.Response:
        """end-4a, end-4b without a body, end-4c, end-11."""
        return self.http.post(
            self.url("blobs/uploads/"), params=query, headers={"Content-Length": "0"}
        )

    def session(self, **query: str) -> str:
        answer = self.begin(**query)
        assert answer.status_code == 202
        return answer.headers["location"]

    def patch(self, session: str, content: bytes, start: int | None = None) -> httpx2.Response:
        """end-5; without a start it is a stream that says no range."""
        return self.http.patch(
            session, content=content, headers={**OCTETS, **_range(start, content)}
        )

    def put(
        self, session: str, digest: str, content: bytes = b"", start: int | None = None
    ) -> httpx2.Response:
        """end-6."""
        return self.http.put(
            session,
            params={"digest": digest},
            content=content,
            headers={**OCTETS, **_range(start, content)},
        )

    def push(self, content: bytes, algorithm: str = "sha256") -> dict[str, Any]:
        """A blob, by POST and PUT; its descriptor."""
        answer = self.put(self.session(), digest_of(content, algorithm), content)
        self.created(answer, content, digest_of(content, algorithm))
        return descriptor(content, "application/octet-stream", algorithm)

    def created(self, answer: httpx2.Response, content: bytes, digest: str) -> None:
        """201, and its Location gives back what was pushed, byte for byte."""
        assert answer.status_code == 201, answer.text
        assert answer.headers["docker-content-digest"] == digest
        found = self.http.get(answer.headers["location"])
        assert found.status_code == 200
        assert found.content == content
        assert found.headers["docker-content-digest"] == digest

    def gone(self, path: str) -> None:
        for method in ("HEAD", "GET"):
            assert self.http.request(method, self.url(path)).status_code == 404

    # Manifests

    def push_manifest(
        self,
        reference: str,
        content: bytes,
        media_type: str = MANIFEST,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """end-7."""
        return self.http.put(
            self.url(f"manifests/{reference}"),
            content=content,
            headers={"Content-Type": media_type, **(headers or {})},
        )

    def pushed_manifest(self, reference: str, content: bytes, media_type: str = MANIFEST) -> str:
        """Push, and see that it can be pulled as it was pushed; its digest."""
        answer = self.push_manifest(reference, content, media_type)
        algorithm = reference.partition(":")[0] if ":" in reference else "sha256"
        digest = digest_of(content, algorithm)
        self.created(answer, content, digest)
        for path in {f"manifests/{digest}", f"manifests/{reference}"}:
            self.holds(path, content, media_type, digest)
        return digest

    def holds(self, path: str, content: bytes, media_type: str, digest: str) -> None:
        """HEAD and GET say the same of it, and Content-Type has no parameters."""
        for method in ("HEAD", "GET"):
            found = self.http.request(method, self.url(path), headers={"Accept": media_type})
            assert found.status_code == 200
            assert found.headers["content-type"] == media_type
            assert found.headers["content-length"] == str(len(content))
            assert found.headers["docker-content-digest"] == digest
            assert found.content == (content if method == "GET" else b"")

    def image(self, layers: int = 1, algorithm: str = "sha256", **fields: Any) -> bytes:
        """An image whose blobs are pushed; its manifest is not."""
        config = {**self.push(b'{"os":"linux"}', algorithm), "mediaType": CONFIG}
        made = [self.push(f"layer {n} {fields}".encode(), algorithm) for n in range(layers)]
        return document(
            MANIFEST, config=config, layers=[{**one, "mediaType": LAYER} for one in made], **fields
        )

    # Discovery

    def tags(self, **query: str | int) -> httpx2.Response:
        return self.http.get(self.url("tags/list"), params=query)

    def referrers(self, digest: str, **query: str) -> httpx2.Response:
        answer = self.http.get(self.url(f"referrers/{digest}"), params=query)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == INDEX
        index = answer.json()
        assert (index["schemaVersion"], index["mediaType"]) == (2, INDEX)
        return answer


def has_envelope(answer: httpx2.Response) -> bool:
    """Whether a refusal's body is what the spec's section on error codes says."""
    errors = answer.json()["errors"]
    codes = [re.fullmatch(r"[A-Z_]+", error["code"]) for error in errors]
    return bool(codes) and all(codes) and all(isinstance(e["message"], str) for e in errors)


def _range(start: int | None, content: bytes) -> dict[str, str]:
    return {} if start is None else {"Content-Range": f"{start}-{start + len(content) - 1}"}
