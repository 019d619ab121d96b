"""A registry that stops in the middle of a layer until a test lets it go on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.images import Image


@contextmanager
def a_slow_registry(image: Image, name: str) -> Iterator[tuple[str, threading.Event, list[str]]]:
    """Serves one image; a layer stops in its middle until the event is set.

    The list gets the Range header of every request for the layer.
    """
    go_on, ranges = threading.Event(), list[str]()
    layer = image.layers[0]
    paths = {f"/v2/{name}/blobs/{digest}": content for digest, content in image.blobs.items()}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if "/manifests/" in self.path:
                self._send(image.manifest, image.media_type)
            elif self.path in paths:
                self._send_blob(paths[self.path])
            else:
                self._send(b"{}", "application/json")

        do_HEAD = do_GET  # noqa: N815  (the name that the library calls)

        def _send(self, content: bytes, media_type: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def _send_blob(self, content: bytes) -> None:
            if content is not layer.blob:
                self._send(content, "application/octet-stream")
                return
            asked = self.headers.get("Range", "")
            ranges.append(asked)
            start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
            self.send_response(206 if asked else 200)
            if asked:
                last = len(content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            middle = max(start, len(content) // 2)
            self.wfile.write(content[start:middle])
            self.wfile.flush()
            go_on.wait(60)
            # A client that was interrupted is gone by now.
            with suppress(ConnectionError):
                self.wfile.write(content[middle:])

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what the test needs to know is in the list."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", go_on, ranges
    finally:
        go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
