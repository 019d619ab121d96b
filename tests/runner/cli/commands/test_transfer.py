"""pull, push, import, save, load, login through the real command and a real registry."""

import os
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.runner.cli.test_terminal import Terminal
from tests.support.images import a_busybox_image, a_busybox_layer
from tests.support.processes import RegistryServer
from tests.support.runner.runners import Runner
from tests.support.runner.slow_registry import a_slow_registry

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
