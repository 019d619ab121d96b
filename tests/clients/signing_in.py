"""Clients that sign in, push and pull, each with its own configuration, behind the same verbs."""

import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.clients.layouts import write_layout
from tests.support.images import an_image
from tests.support.processes import needs_program
from tests.support.registry.team import Account, Team

IMAGES = (an_image(layers=1, seed="one"), an_image(layers=1, seed="two"))


@dataclass(frozen=True)
class Outcome:
    """The end of a command, and all that it printed for its user."""

    has_succeeded: bool
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return f"{self.stdout}\n{self.stderr}"


class Client(ABC):
    """One program with one configuration, which keeps the credentials of its login."""

    program: str

    def __init__(self, team: Team, home: Path, environment: Mapping[str, str]) -> None:
        needs_program(self.program)
        home.mkdir(parents=True, exist_ok=True)
        (home / "auth.json").write_text("{}")
        self.team, self.home = team, home
        self.environment = {
            "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "REGISTRY_AUTH_FILE": str(home / "auth.json"),
            "DOCKER_CONFIG": str(home / "docker"),
            **({} if team.certificate is None else {"SSL_CERT_FILE": str(team.certificate)}),
            **environment,
        }
        self.images = self.make_images()
        """The IDs of two images that are ready to be pushed."""

    def run(self, *command: str | Path, stdin: str | bytes = "") -> Outcome:
        """Run a command of this client to its end."""
        done = subprocess.run(  # noqa: S603  (a fixed command of the test's own)
            [*map(str, self.argv), *map(str, command)],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=120,
            env=self.environment,
        )
        stdout, stderr = done.stdout.decode().strip(), done.stderr.decode().strip()
        return Outcome(done.returncode == 0, stdout, stderr)

    def done(self, *command: str | Path, stdin: str | bytes = "") -> str:
        """The output of a command that must succeed."""
        outcome = self.run(*command, stdin=stdin)
        if not outcome.has_succeeded:
            pytest.fail(f"{self.program} {' '.join(map(str, command))}\n{outcome.output}")
        return outcome.stdout

    def logout(self) -> None:
        self.done("logout", self.team.host)

    def login(self, account: Account) -> Outcome:
        words = ("login", *self.insecure, "-u", account.name, "--password-stdin", self.team.host)
        return self.run(*words, stdin=account.secret)

    def there(self, reference: str) -> str:
        return f"{self.team.host}/{reference}"

    @property
    def argv(self) -> Sequence[str | Path]:
        return (needs_program(self.program),)

    @property
    def insecure(self) -> Sequence[str]:
        return ("--tls-verify=false",) if self.team.certificate is None else ()

    @abstractmethod
    def make_images(self) -> tuple[str, str]: ...

    @abstractmethod
    def push(self, image: str, reference: str) -> Outcome: ...

    @abstractmethod
    def pull(self, reference: str) -> Outcome: ...

    @abstractmethod
    def pulled_id(self, reference: str) -> str:
        """The ID of the image that was pulled last, under this reference."""


class Skopeo(Client):
    """skopeo, between a layout on the disk and the registry; its login writes auth.json."""

    program = "skopeo"

    def make_images(self) -> tuple[str, str]:
        for place, image in enumerate(IMAGES):
            write_layout(self.home / str(place), image)
        return str(IMAGES[0].image_config.image_id), str(IMAGES[1].image_config.image_id)

    def push(self, image: str, reference: str) -> Outcome:
        layout = self.home / str(self.images.index(image))
        secure = () if self.team.certificate else ("--dest-tls-verify=false",)
        return self.run(
            "copy", *secure, f"oci:{layout}:latest", f"docker://{self.there(reference)}"
        )

    def pull(self, reference: str) -> Outcome:
        secure = () if self.team.certificate else ("--src-tls-verify=false",)
        return self.run(
            "copy", *secure, f"docker://{self.there(reference)}", f"dir:{self.home / 'pulled'}"
        )

    def pulled_id(self, reference: str) -> str:
        raw = self.done("inspect", "--raw", "--config", f"dir:{self.home / 'pulled'}")
        by_config = {image.config.decode(): str(image.image_config.image_id) for image in IMAGES}
        return by_config[raw]


@dataclass(frozen=True)
class Storage:
    """The storage of podman and buildah: of a test's own, without a mount."""

    directory: Path
    run_dir: Path
    """Short: podman wants at most 50 characters."""
    flags: Sequence[str | Path] = field(init=False)

    def __post_init__(self) -> None:
        flags = ("--root", self.directory, "--runroot", self.run_dir, "--storage-driver", "vfs")
        object.__setattr__(self, "flags", flags)


class Podman(Client):
    """podman; buildah has the same verbs."""

    program = "podman"

    def __init__(
        self, team: Team, home: Path, environment: Mapping[str, str], storage: Storage
    ) -> None:
        self.storage = storage
        super().__init__(team, home, environment)

    @property
    def argv(self) -> Sequence[str | Path]:
        return (needs_program(self.program), *self.storage.flags)

    def make_images(self) -> tuple[str, str]:
        # In the short directory: buildah takes a part of the path for the image's name.
        one, two = (
            self.done("pull", f"oci:{write_layout(self.storage.run_dir / name, image)}:latest")
            for name, image in zip(("one", "two"), IMAGES, strict=True)
        )
        return one.splitlines()[-1], two.splitlines()[-1]

    def push(self, image: str, reference: str) -> Outcome:
        return self.run("push", *self.insecure, image, f"docker://{self.there(reference)}")

    def pull(self, reference: str) -> Outcome:
        self.run("rmi", "--all", "--force")
        return self.run("pull", *self.insecure, self.there(reference))

    def pulled_id(self, reference: str) -> str:
        return self.done("images", "--no-trunc", "--quiet").partition(":")[2]


class Buildah(Podman):
    """buildah."""

    program = "buildah"


class Docker(Client):
    """docker with the dockerd of ``DOCKER_HOST``; that one holds the images of all tests."""

    program = "docker"

    @property
    def insecure(self) -> Sequence[str]:
        return ()

    def make_images(self) -> tuple[str, str]:
        return self.import_image("one:v1", 0), self.import_image("two:v1", 1)

    def import_image(self, name: str, place: int) -> str:
        self.done("import", "-", name, stdin=IMAGES[place].layers[0].tar)
        return self.done("image", "inspect", "--format", "{{.Id}}", name)

    def push(self, image: str, reference: str) -> Outcome:
        self.done("tag", image, self.there(reference))
        return self.run("push", self.there(reference))

    def pull(self, reference: str) -> Outcome:
        self.run("rmi", "--force", self.there(reference), *self.images)
        return self.run("pull", self.there(reference))

    def pulled_id(self, reference: str) -> str:
        return self.done("image", "inspect", "--format", "{{.Id}}", self.there(reference))


class Runner(Docker):
    """Our runner, with a daemon of the tests' own."""

    program = "runc"

    def __init__(
        self, team: Team, home: Path, environment: Mapping[str, str], socket: Path
    ) -> None:
        self.socket = socket
        super().__init__(team, home, environment)

    @property
    def argv(self) -> Sequence[str | Path]:
        return (sys.executable, "-m", "runner", "--socket", self.socket)
