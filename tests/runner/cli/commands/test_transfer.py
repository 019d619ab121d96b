"""pull, push, import, save, load, login through the real command and a real registry."""

import json
import os
import signal
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.runner.cli.test_terminal import Terminal
from tests.support.images import Image, a_busybox_image, a_busybox_layer
from tests.support.processes import RegistryServer
from tests.support.runner.runners import Runner

pytestmark = pytest.mark.needs_root


def test_the_main_job(shared_runner: Runner, shared_registry: RegistryServer) -> None:
    name = f"{shared_registry.host}/main/job:1"
    shared_runner(
        "import", "-c", 'CMD ["echo", "it works"]', "-", name, stdin=a_busybox_layer().tar
    )

    pushed = shared_runner("push", name)
    shared_runner("rmi", name)
    absent = shared_runner.try_("run", "--pull", "never", "--rm", name)
    pulled = shared_runner("pull", name)

    assert "digest: sha256:" in pushed
    assert absent.returncode == 125
    assert pulled.splitlines()[0] == "1: Pulling from main/job"
    assert pulled.splitlines()[-1] == name
    assert "\x1b" not in pulled
    assert shared_runner("run", "--rm", name) == "it works\n"
    shared_runner("rmi", name)


def test_run_pulls_on_stderr_and_leaves_stdout_to_the_container(
    shared_runner: Runner, shared_registry: RegistryServer
) -> None:
    name = f"{shared_registry.host}/main/fetched"
    shared_runner("tag", "busybox", name)
    shared_runner("push", "-q", name)
    shared_runner("rmi", name)

    done = shared_runner.try_("run", "--rm", name, "echo", "out")

    assert done.stdout == b"out\n"
    assert done.stderr.startswith(f"Unable to find image '{name}' locally\n".encode())
    shared_runner("rmi", name)


def test_a_pull_of_what_is_not_there_is_one_line_and_what_to_try(
    shared_runner: Runner, shared_registry: RegistryServer
) -> None:
    done = shared_runner.try_("pull", f"{shared_registry.host}/nonsense")

    assert done.returncode == 1
    refusal, advice = done.stderr.splitlines()
    assert refusal.startswith(b"Error: ")
    assert b"nonsense" in refusal
    assert advice.startswith(b"Is the name right?")


def test_archives_survive_the_way_out_and_back(shared_runner: Runner, tmp_path: Path) -> None:
    file = tmp_path / "image.tar"
    shared_runner("tag", "busybox", "kept:1")
    before = shared_runner("inspect", "-f", "{{.Id}}", "kept:1")
    shared_runner("save", "-o", str(file), "kept:1")
    shared_runner("rmi", "kept:1")

    loaded = shared_runner("load", "-i", str(file))

    assert loaded == "Loaded image: kept:1\n"
    assert shared_runner("inspect", "-f", "{{.Id}}", "kept:1") == before
    with tarfile.open(file) as archive:
        assert {"manifest.json", "index.json", "oci-layout"} <= set(archive.getnames())
    shared_runner("rmi", "kept:1")


def test_a_save_that_is_refused_leaves_no_file(shared_runner: Runner, tmp_path: Path) -> None:
    done = shared_runner.try_("save", "-o", str(tmp_path / "image.tar"), "nonsense")

    assert done.returncode == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("archive", [b"", b"no archive at all", b"\0" * 1024])
def test_a_file_that_is_no_archive_is_refused(shared_runner: Runner, archive: bytes) -> None:
    done = shared_runner.try_("load", stdin=archive)

    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: ")
    assert len(done.stderr.splitlines()) == 1


def test_login_keeps_and_logout_forgets(
    shared_runner: Runner, shared_registry: RegistryServer, tmp_path: Path
) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}
    environment.pop("REGISTRY_AUTH_FILE", None)

    def command(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(  # noqa: S603  (a fixed command of the test's own)
            shared_runner.argv(*words), input=stdin, capture_output=True, env=environment
        )

    logged_in = command(
        "login", "-u", "me", "--password-stdin", shared_registry.host, stdin=b"secret\n"
    )
    kept = json.loads((tmp_path / "config.json").read_text())
    logged_out = command("logout", shared_registry.host)

    assert logged_in.returncode == 0, logged_in.stderr
    # The registry of these tests is open to anyone.
    unchecked = b"the registry asks for no credentials, these were not checked"
    assert logged_in.stdout == b"Login Succeeded: " + unchecked + b"\n"
    assert list(kept["auths"]) == [shared_registry.host]
    assert logged_out.stdout.startswith(b"Removing login credentials")
    assert json.loads((tmp_path / "config.json").read_text())["auths"] == {}


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


def test_an_interrupted_pull_goes_on_where_it_was(shared_runner: Runner) -> None:
    image = a_busybox_image({"etc/large": os.urandom(4_000_000)})
    with a_slow_registry(image, "slow") as (host, go_on, ranges):
        pulling = Terminal(shared_runner.argv("pull", f"{host}/slow:1"))
        try:
            pulling.expect(b"Downloading")
            pulling.process.send_signal(signal.SIGINT)
            code = pulling.process.wait(60)
        finally:
            pulling.close()
        absent = shared_runner.try_("inspect", f"{host}/slow:1")
        go_on.set()

        shared_runner("pull", f"{host}/slow:1")

    assert code == 130
    assert absent.returncode == 1
    assert ranges[0] == ""
    assert ranges[-1].startswith("bytes=")
    assert ranges[-1] != "bytes=0-"
    shared_runner("rmi", f"{host}/slow:1")


def test_an_interrupted_command_says_one_line(shared_runner: Runner) -> None:
    with a_slow_registry(a_busybox_image({"etc/large": os.urandom(3_000_000)}), "slow") as (
        host,
        _,
        _,
    ):
        pulling = subprocess.Popen(  # noqa: S603  (a fixed command of the test's own)
            shared_runner.argv("pull", f"{host}/slow:2"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert pulling.stdout is not None
        while b"Downloading" not in pulling.stdout.readline():
            pass
        pulling.send_signal(signal.SIGINT)
        _, errors = pulling.communicate(timeout=60)

    assert (errors, pulling.returncode) == (b"Interrupted\n", 130)


def test_a_terminal_sees_a_bar_for_each_layer(
    shared_runner: Runner, shared_registry: RegistryServer
) -> None:
    with a_slow_registry(a_busybox_image({"etc/l": os.urandom(3_000_000)}), "slow") as (
        host,
        go_on,
        _,
    ):
        terminal = Terminal(shared_runner.argv("pull", f"{host}/slow:3"), (40, 120))
        try:
            terminal.expect("━".encode())
            go_on.set()
            terminal.expect(f"{host}/slow:3\r\n".encode())
            assert terminal.process.wait(60) == 0
        finally:
            terminal.close()
    shared_runner("rmi", f"{host}/slow:3")


def test_every_tag_is_pulled_when_asked(
    shared_runner: Runner, shared_registry: RegistryServer
) -> None:
    name = f"{shared_registry.host}/transfer/tags"
    for tag in ("1", "latest"):
        shared_runner("tag", "busybox", f"{name}:{tag}")
    shared_runner("push", "--all-tags", name)
    shared_runner("rmi", f"{name}:1", f"{name}:latest")

    shared_runner("pull", name)
    assert shared_runner("images", "--format", "{{.Tag}}", name).split() == ["latest"]
    shared_runner("pull", "--all-tags", name)

    assert sorted(shared_runner("images", "--format", "{{.Tag}}", name).split()) == ["1", "latest"]
    refused = shared_runner.try_("pull", "-a", f"{name}:1")
    assert refused.returncode == 2
    assert b"a tag or digest and --all-tags cannot both be given" in refused.stderr
    shared_runner("rmi", f"{name}:1", f"{name}:latest")
