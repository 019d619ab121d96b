"""DaemonClient: one method per daemon endpoint, over the socket."""

import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runner.client.wire import DaemonResponse, DaemonUnreachable, connect, exchange

# The same default as in config.py, whose import would slow every command.
DEFAULT_SOCKET = "/run/slipway/runner.sock"

Document = dict[str, Any]


class DaemonClient:
    """A client of one daemon; each request has its own connection.

    Every method raises DaemonRefused with the daemon's message, or DaemonUnreachable.  If no
    daemon answers, the first request starts one, unless ``starts`` is False.
    """

    def __init__(self, path: str = DEFAULT_SOCKET, *, starts: bool = True) -> None:
        self.path = path
        self._starts = starts

    # system

    def ping(self) -> None:
        self._ask("GET", "/_ping").close()

    def version(self) -> Document:
        return self._document("GET", "/version")

    def info(self) -> Document:
        return self._document("GET", "/info")

    def auth(self, credentials: Document) -> Document:
        return self._document("POST", "/auth", body=credentials)

    def events(self, **query: str | None) -> Iterator[Document]:
        return self._ask("GET", "/events", query).documents()

    # containers

    def list_containers(self, **query: str | None) -> list[Document]:
        found: list[Document] = self._ask("GET", "/containers/json", query).json()
        return found

    def create_container(
        self, body: Document, *, name: str | None, platform: str | None
    ) -> Document:
        query = {"name": name, "platform": platform}
        return self._document("POST", "/containers/create", query, body)

    def inspect_container(self, name: str, *, size: bool = False) -> Document:
        return self._document("GET", f"/containers/{_part(name)}/json", {"size": _flag(size)})

    def start_container(self, name: str) -> None:
        self._expect_success("POST", f"/containers/{_part(name)}/start")

    def stop_container(self, name: str, **query: str | None) -> None:
        self._expect_success("POST", f"/containers/{_part(name)}/stop", query)

    def restart_container(self, name: str, **query: str | None) -> None:
        self._expect_success("POST", f"/containers/{_part(name)}/restart", query)

    def kill_container(self, name: str, signal: str) -> None:
        self._expect_success("POST", f"/containers/{_part(name)}/kill", {"signal": signal})

    def pause_container(self, name: str) -> None:
        self._expect_success("POST", f"/containers/{_part(name)}/pause")

    def unpause_container(self, name: str) -> None:
        self._expect_success("POST", f"/containers/{_part(name)}/unpause")

    def rename_container(self, name: str, new: str) -> None:
        self._expect_success("POST", f"/containers/{_part(name)}/rename", {"name": new})

    def remove_container(self, name: str, *, force: bool, volumes: bool) -> None:
        query = {"force": _flag(force), "v": _flag(volumes)}
        self._expect_success("DELETE", f"/containers/{_part(name)}", query)

    def resize_container(self, name: str, height: int, width: int) -> None:
        self._expect_success(
            "POST", f"/containers/{_part(name)}/resize", {"h": str(height), "w": str(width)}
        )

    def wait_container(self, name: str, condition: str = "not-running") -> DaemonResponse:
        """Return once the daemon has subscribed; the response's document has the StatusCode."""
        return self._ask("POST", f"/containers/{_part(name)}/wait", {"condition": condition})

    def container_logs(self, name: str, **query: str | None) -> DaemonResponse:
        return self._ask("GET", f"/containers/{_part(name)}/logs", query)

    def attach_container(
        self, name: str, *, stdin: bool, logs: bool = False
    ) -> tuple[socket.socket, bytes]:
        query = {"stream": "1", "stdout": "1", "stderr": "1"}
        query |= {"stdin": "1"} if stdin else {}
        query |= {"logs": "1"} if logs else {}
        return self._hijack(f"/containers/{_part(name)}/attach", query, None)

    def container_top(self, name: str, arguments: str = "") -> Document:
        query = {"ps_args": arguments or None}
        return self._document("GET", f"/containers/{_part(name)}/top", query)

    # execs

    def create_exec(self, container: str, body: Document) -> str:
        document = self._document("POST", f"/containers/{_part(container)}/exec", body=body)
        return str(document["Id"])

    def start_exec(self, exec_id: str, body: Document) -> tuple[socket.socket, bytes]:
        return self._hijack(f"/exec/{exec_id}/start", {}, body)

    def start_exec_detached(self, exec_id: str) -> None:
        self._expect_success("POST", f"/exec/{exec_id}/start", body={"Detach": True})

    def resize_exec(self, exec_id: str, height: int, width: int) -> None:
        self._expect_success("POST", f"/exec/{exec_id}/resize", {"h": str(height), "w": str(width)})

    def inspect_exec(self, exec_id: str) -> Document:
        return self._document("GET", f"/exec/{exec_id}/json")

    # images

    def list_images(self, **query: str | None) -> list[Document]:
        found: list[Document] = self._ask("GET", "/images/json", query).json()
        return found

    def pull_image(
        self, name: str, tag: str | None, *, platform: str | None, credentials: str | None
    ) -> Iterator[Document]:
        """Pull an image.  A name with a digest has no tag; without either, all tags are pulled."""
        query = {"fromImage": name, "tag": tag, "platform": platform}
        return self._ask("POST", "/images/create", query, headers=_auth(credentials)).documents()

    def push_image(
        self, name: str, tag: str | None, *, credentials: str | None
    ) -> Iterator[Document]:
        target = f"/images/{_name(name)}/push"
        # The Engine API requires the header, even without credentials.
        headers = {"X-Registry-Auth": credentials or "e30="}
        return self._ask("POST", target, {"tag": tag}, headers=headers).documents()

    def import_image(
        self, archive: Iterable[bytes], changes: Iterable[str] = (), **query: str | None
    ) -> Iterator[Document]:
        pairs = [("fromSrc", "-"), *query.items(), *(("changes", change) for change in changes)]
        return self._ask("POST", "/images/create", pairs, archive).documents()

    def load_images(self, archive: Iterable[bytes], *, quiet: bool) -> Iterator[Document]:
        return self._ask("POST", "/images/load", {"quiet": _flag(quiet)}, archive).documents()

    def save_images(self, names: Iterable[str]) -> Iterator[bytes]:
        return self._ask("GET", "/images/get", [("names", name) for name in names]).chunks()

    def inspect_image(self, name: str) -> Document:
        return self._document("GET", f"/images/{_name(name)}/json")

    def image_history(self, name: str) -> list[Document]:
        found: list[Document] = self._ask("GET", f"/images/{_name(name)}/history").json()
        return found

    def tag_image(self, name: str, repository: str, tag: str | None) -> None:
        self._expect_success("POST", f"/images/{_name(name)}/tag", {"repo": repository, "tag": tag})

    def remove_image(self, name: str, *, force: bool) -> list[Document]:
        query = {"force": _flag(force)}
        removed: list[Document] = self._ask("DELETE", f"/images/{_name(name)}", query).json()
        return removed

    # volumes

    def list_volumes(self, **query: str | None) -> list[Document]:
        return list(self._document("GET", "/volumes", query)["Volumes"] or ())

    def create_volume(self, name: str, labels: Mapping[str, str]) -> Document:
        body = {"Name": name, "Labels": dict(labels)}
        return self._document("POST", "/volumes/create", body=body)

    def inspect_volume(self, name: str) -> Document:
        return self._document("GET", f"/volumes/{_part(name)}")

    def remove_volume(self, name: str, *, force: bool) -> None:
        self._expect_success("DELETE", f"/volumes/{_part(name)}", {"force": _flag(force)})

    # requests

    def _document(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | None] | None = None,
        body: Document | None = None,
    ) -> Document:
        found: Document = self._ask(method, path, query or {}, body).json()
        return found

    def _expect_success(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | None] | None = None,
        body: Document | None = None,
    ) -> None:
        self._ask(method, path, query or {}, body).close()

    def _hijack(
        self, path: str, query: Mapping[str, str | None], body: Document | None
    ) -> tuple[socket.socket, bytes]:
        headers = {"Connection": "Upgrade", "Upgrade": "tcp"}
        answer = self._ask("POST", path, query, body, headers)
        if answer.status != 101:
            answer.close()
            raise DaemonUnreachable(f"expected a raw connection, got status {answer.status}")
        return answer.take_over()

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | None] | list[tuple[str, str | None]] | None = None,
        body: Document | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DaemonResponse:
        pairs = query.items() if isinstance(query, Mapping) else query or ()
        text = "&".join(f"{key}={_quoted(value)}" for key, value in pairs if value is not None)
        target = f"/v1.44{path}?{text}" if text else f"/v1.44{path}"
        sent_headers = dict(headers or {})
        content: bytes | Iterable[bytes] | None
        if isinstance(body, dict):
            content = json.dumps(body).encode()
            sent_headers["Content-Type"] = "application/json"
        else:
            content = b"" if body is None and method == "POST" else body
        return exchange(self._connection(), method, target, sent_headers, content).check()

    def _connection(self) -> socket.socket:
        try:
            return connect(self.path)
        except PermissionError as error:
            raise DaemonUnreachable(
                f"permission denied on {self.path}: it belongs to root and its group"
            ) from error
        except OSError as error:
            # A daemon on another socket needs another root, known only from RUNNER_ROOT.
            if not self._starts or (
                self.path != DEFAULT_SOCKET and "RUNNER_ROOT" not in os.environ
            ):
                raise DaemonUnreachable(
                    f"no daemon answers on {self.path}: start one with "
                    f"'runner daemon --socket {self.path} --root DIR'"
                ) from error
        from runner.client.start import start_daemon

        start_daemon(self.path)
        try:
            return connect(self.path)
        except OSError as error:
            raise DaemonUnreachable(f"no daemon answers on {self.path}") from error


_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:@")


def _quoted(text: str, also: bytes = b"/") -> str:
    """Percent-encode; importing urllib.parse would cost every command 5 ms."""
    return "".join(
        chr(byte) if byte in _PLAIN or byte in also else f"%{byte:02X}" for byte in text.encode()
    )


def _part(name: str) -> str:
    return _quoted(name.removeprefix("/"), b"")


def _name(name: str) -> str:
    return _quoted(name, b"/")


def _flag(value: bool) -> str | None:
    return "1" if value else None


def _auth(credentials: str | None) -> dict[str, str]:
    return {"X-Registry-Auth": credentials} if credentials else {}
