"""The real docker command against our daemon: docker.io's, and a newer one where there is one."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import RegistryServer
from tests.support.runner.runners import Runner

pytestmark = pytest.mark.needs_root

PLACES = ("/usr/bin/docker", "/usr/local/bin/docker")


class Docker:
    """One docker command that talks to one daemon."""

    def __init__(self, program: str, runner: Runner, home: Path) -> None:
        self.runner = runner
        self._program = program
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "DOCKER_HOST": runner.docker_host,
        }

    def try_(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(  # noqa: S603  (a fixed command of the test's own)
            [self._program, *words],
            input=stdin,
            capture_output=True,
            timeout=60,
            env=self._environment,
        )

    def __call__(self, *words: str, stdin: bytes = b"") -> str:
        done = self.try_(*words, stdin=stdin)
        assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr.decode()}"
        return done.stdout.decode()


@pytest.fixture(params=PLACES)
def docker(request: pytest.FixtureRequest, shared_runner: Runner, tmp_path: Path) -> Docker:
    program = str(request.param)
    if shutil.which(program) is None:
        pytest.skip(f"there is no docker command at {program}; scripts/test installs docker.io")
    return Docker(program, shared_runner, tmp_path)


def test_the_daemon_introduces_itself(docker: Docker) -> None:
    version = json.loads(docker("version", "--format", "{{json .}}"))
    info = json.loads(docker("info", "--format", "{{json .}}"))

    assert version["Server"]["ApiVersion"] == "1.44"
    assert version["Server"]["MinAPIVersion"] == "1.22"
    assert info["ServerVersion"] == version["Server"]["Version"]
    assert "ServerErrors" not in info or not info["ServerErrors"]


def test_run_shows_output_and_exit_code(docker: Docker) -> None:
    done = docker.try_("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7")

    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 7)


def test_run_keeps_the_output_and_the_code_over_input_that_nobody_reads(docker: Docker) -> None:
    words = ("run", "--rm", "-i", "busybox", "sh", "-c", "echo answer; exit 5")

    done = docker.try_(*words, stdin=bytes(3_000_000))

    assert (done.stdout, done.returncode) == (b"answer\n", 5)


def test_run_passes_stdin(docker: Docker) -> None:
    content = os.urandom(300_000).hex().encode()

    assert docker("run", "--rm", "-i", "busybox", "cat", stdin=content).encode() == content


@pytest.mark.parametrize(("command", "code"), [("nonsense", 127), ("/etc", 126)])
def test_run_says_why_it_cannot(docker: Docker, command: str, code: int) -> None:
    done = docker.try_("run", "--rm", "busybox", command)

    assert done.returncode == code
    assert b"Error response from daemon" in done.stderr


@pytest.mark.parametrize("asked", [("-p", "80:80"), ("--network", "bridge")])
def test_run_refuses_what_is_not_offered(docker: Docker, asked: tuple[str, str]) -> None:
    done = docker.try_("run", "--rm", *asked, "busybox", "true")

    assert done.returncode == 125
    assert b"this version of the runner has only the networks none and host" in done.stderr


def test_a_container_through_its_whole_life(docker: Docker) -> None:
    script = "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done"
    container = docker("run", "-d", "--name", "live-1", "-l", "a=b", "busybox", "sh", "-c", script)

    assert docker("ps", "-q", "--no-trunc", "--filter", "label=a=b") == container
    assert docker("exec", "live-1", "echo", "inside") == "inside\n"
    assert docker.try_("exec", "live-1", "sh", "-c", "exit 5").returncode == 5
    assert docker("exec", "-i", "live-1", "cat", stdin=b"typed") == "typed"
    docker("pause", "live-1")
    assert "(Paused)" in docker("ps", "--format", "{{.Status}}", "--filter", "name=live-1")
    docker("unpause", "live-1")
    assert "sh" in docker("top", "live-1")
    docker("rename", "live-1", "live-2")
    docker("stop", "live-2")
    assert docker("wait", "live-2") == "3\n"
    assert docker("logs", "live-2") == "up\n"
    assert docker("logs", "-f", "--tail", "1", "live-2") == "up\n"
    state = json.loads(docker("inspect", "live-2"))[0]["State"]
    assert (state["Status"], state["ExitCode"], state["Running"]) == ("exited", 3, False)
    assert docker("rm", "live-2") == "live-2\n"
    assert docker.try_("inspect", "live-2").returncode == 1


def test_kill_and_create_and_start_attached(docker: Docker) -> None:
    docker("create", "--name", "live-3", "busybox", "sh", "-c", "echo again; exit 4")

    done = docker.try_("start", "-a", "live-3")

    assert (done.stdout, done.returncode) == (b"again\n", 4)
    docker("rm", "live-3")
    docker("run", "-d", "--name", "live-4", "busybox", "sleep", "60")
    docker("kill", "live-4")
    assert docker("wait", "live-4") == "137\n"
    docker("rm", "live-4")


def test_volumes(docker: Docker) -> None:
    assert docker("volume", "create", "--label", "a=b", "dv") == "dv\n"
    docker("run", "--rm", "-v", "dv:/data", "busybox", "sh", "-c", "echo kept >/data/f")

    assert docker("run", "--rm", "-v", "dv:/data", "busybox", "cat", "/data/f") == "kept\n"
    assert docker("volume", "ls", "-q", "--filter", "name=dv") == "dv\n"
    assert json.loads(docker("volume", "inspect", "dv"))[0]["Labels"] == {"a": "b"}
    assert docker("volume", "rm", "dv") == "dv\n"


def test_images_there_and_back(docker: Docker, shared_registry: RegistryServer) -> None:
    name = f"{shared_registry.host}/docker/busybox:1"
    docker("tag", "busybox", name)

    docker("push", name)
    docker("rmi", name)
    assert docker.try_("image", "inspect", name).returncode == 1
    pulled = docker("pull", name)
    shown = docker("images", "--format", "{{.Repository}}:{{.Tag}}", name)
    said = docker("run", "--rm", name, "echo", "pulled")

    assert "Downloaded newer image" in pulled
    assert shown == f"{name}\n"
    assert said == "pulled\n"
    docker("rmi", name)


def test_run_pulls_what_is_absent(docker: Docker, shared_registry: RegistryServer) -> None:
    name = f"{shared_registry.host}/docker/absent:1"
    docker("tag", "busybox", name)
    docker("push", name)
    docker("rmi", name)

    assert docker("run", "--rm", name, "echo", "fetched") == "fetched\n"
    docker("rmi", name)


def test_a_pull_that_fails_says_so(docker: Docker, shared_registry: RegistryServer) -> None:
    done = docker.try_("pull", f"{shared_registry.host}/docker/nonsense:1")

    assert done.returncode == 1
    assert b"NAME_UNKNOWN" in done.stderr


def test_names_without_a_host_are_one_name(docker: Docker) -> None:
    docker("tag", "busybox", "named:1")

    assert docker("run", "--rm", "named:1", "echo", "found") == "found\n"
    assert "named" in docker.runner("images", "--format", "{{.Repository}}")
    assert "Untagged: named:1" in docker("rmi", "named:1")


def test_archives(docker: Docker, tmp_path: Path) -> None:
    file = tmp_path / "saved.tar"
    docker("tag", "busybox", "archived:1")
    docker("save", "-o", str(file), "archived:1")
    docker("rmi", "archived:1")

    assert docker("load", "-i", str(file)) == "Loaded image: archived:1\n"
    assert docker("run", "--rm", "archived:1", "echo", "loaded") == "loaded\n"
    docker("rmi", "archived:1")


def test_events_are_told_as_they_happen(docker: Docker) -> None:
    since = docker("info", "--format", "{{.SystemTime}}").strip()
    docker("run", "--rm", "--name", "told", "busybox", "true")
    until = docker("info", "--format", "{{.SystemTime}}").strip()

    said = docker(
        *("events", "--since", since, "--until", until, "--filter", "container=told"),
        *("--format", "{{.Action}}"),
    )

    actions = said.split()
    assert [one for one in ("create", "start", "die", "destroy") if one in actions] == [
        "create",
        "start",
        "die",
        "destroy",
    ]
