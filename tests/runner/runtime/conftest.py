"""Containers for tests: our runc and conmon on a root filesystem made of what is here, or fakes."""

import os
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from oci.descriptor import Platform
from oci.encoding import encode_image_config
from oci.image_config import ImageConfig
from runner.runtime.bundle import remove_bundle, write_bundle
from runner.runtime.contract import (
    ExitStatus,
    Launch,
    Monitor,
    MonitoredContainer,
    OCIRuntime,
    StdStream,
)
from runner.runtime.logs import entries
from runner.runtime.monitor.conmon import Conmon
from runner.runtime.oci_spec.host import Host
from runner.runtime.oci_spec.spec import Placement, runtime_spec
from runner.runtime.oci_spec.users import User
from runner.runtime.runc import Runc, find_executable
from runner.schema import ContainerOptions, MountOption
from runner.services.containers.etc_files import write_files
from tests.support.processes import needs_program
from tests.support.runner.fake_runtime import FakeHost, FakeMonitor, FakeRuntime

APPLETS = ("sh", "true", "false", "echo", "cat", "sleep", "id", "head", "stty", "kill", "dd", "env")


@dataclass
class Box:
    """One container, from created to deleted."""

    launch: Launch
    monitored: MonitoredContainer
    spec: Mapping[str, Any]

    @property
    def id(self) -> str:
        return self.launch.id

    async def wait(self) -> ExitStatus:
        return await self.monitored.wait()

    async def output(self, stream: StdStream = StdStream.STDOUT) -> str:
        """Its output so far, as the log has it."""
        found = [e.content async for e in entries(self.launch.log) if e.stream is stream]
        return b"".join(found).decode()


@dataclass
class Engine:
    """Makes containers and removes them."""

    run_dir: Path
    rootfs: Path
    host: Host
    runtime: OCIRuntime
    monitor: Monitor
    boxes: list[Box] = field(default_factory=list)

    async def create(
        self,
        *command: str,
        rootfs: Path | None = None,
        user: User | None = None,
        mounts: tuple[MountOption, ...] = (),
        image: ImageConfig | None = None,
        **options: Any,
    ) -> Box:
        id_ = secrets.token_hex(32)
        files = self.run_dir / "f" / id_[:12]
        files.mkdir(parents=True)
        write_files(files, ContainerOptions("test"), "box")
        place = Placement(
            id_, "box", rootfs or self.rootfs, user or User(), files, f"/slipway-test/{id_}", mounts
        )
        config = image or an_image()
        asked = ContainerOptions(image="test", command=command or None, **options)
        spec = runtime_spec(config, asked, place, self.host)
        return await self.launch(id_, spec, asked)

    async def launch(
        self, id_: str, spec: Mapping[str, Any], options: ContainerOptions | None = None
    ) -> Box:
        asked = options or ContainerOptions(image="test")
        bundle = self.run_dir / "b" / id_
        write_bundle(bundle, spec)
        launch = Launch(
            id_,
            bundle,
            self.run_dir / f"{id_[:12]}.log",
            asked.tty,
            asked.open_stdin,
            asked.stdin_once,
        )
        box = Box(launch, await self.monitor.create(launch), spec)
        self.boxes.append(box)
        return box

    async def run(self, *command: str, **options: Any) -> Box:
        """Create and start."""
        box = await self.create(*command, **options)
        await self.runtime.start(box.id)
        return box

    async def close(self) -> None:
        for box in self.boxes:
            await self.runtime.delete(box.id, force=True)
            box.monitored.close()
            self.monitor.discard_exit(box.id)
            remove_bundle(box.launch.bundle)


def an_image(**parts: Any) -> ImageConfig:
    parts.setdefault("cmd", ["/bin/true"])
    return ImageConfig.parse(encode_image_config(Platform("linux", "amd64"), [], **parts))


@pytest.fixture(scope="session")
def busybox_rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root filesystem of one static program."""
    busybox = needs_program("busybox")
    root = tmp_path_factory.mktemp("busybox")
    for name in ("bin", "etc", "proc", "sys", "dev", "tmp", "work"):
        (root / name).mkdir()
    (root / "tmp").chmod(0o1777)
    shutil.copy(busybox, root / "bin" / "busybox")
    for applet in APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    (root / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/work:\n")
    (root / "etc" / "group").write_text("root:x:0:\napp:x:1000:\nextra:x:2000:app\n")
    (root / "data.txt").write_text("not a program\n")
    return root


@pytest.fixture(scope="session")
def python_rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root filesystem that will have this machine's /usr: Python can issue system calls."""
    root = tmp_path_factory.mktemp("python")
    for name in ("etc", "proc", "sys", "dev", "tmp", "usr"):
        (root / name).mkdir()
    (root / "tmp").chmod(0o1777)
    for name in ("bin", "sbin", "lib", "lib64", "lib32"):
        if (Path("/") / name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")
    return root


def python_mounts() -> tuple[MountOption, ...]:
    """Mounts of this machine that the Python of the tests needs in a container."""
    prefix = Path(sys.base_prefix)
    sources = ["/usr"] if prefix.is_relative_to("/usr") else ["/usr", str(prefix)]
    return tuple(MountOption("bind", source, source, read_only=True) for source in sources)


def python_command(script: str) -> tuple[str, ...]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return (str(Path(sys.base_prefix) / "bin" / version), "-I", "-S", "-c", script)


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A path short enough for the sockets below it."""
    path = Path(f"/run/slipway-t{os.getpid()}-{secrets.token_hex(2)}")
    path.mkdir(mode=0o700)
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def engine(run_dir: Path, busybox_rootfs: Path) -> AsyncIterator[Engine]:
    host = Host.detect()
    runtime = Runc(needs_program("runc"), run_dir / "r")
    monitor = Conmon(
        find_executable(needs_program("conmon")), runtime.executable, run_dir / "r",
        run_dir / "x", host.cgroups,
    )  # fmt: skip
    made = Engine(run_dir, busybox_rootfs, host, runtime, monitor)
    yield made
    await made.close()


@pytest.fixture
async def fake_engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """Containers that are no processes, for which nobody has to be root."""
    rootfs = tmp_path / "rootfs"
    (rootfs / "etc").mkdir(parents=True)
    host = FakeHost()
    made = Engine(tmp_path, rootfs, Host.detect(), FakeRuntime(host), FakeMonitor(host))
    yield made
    await made.close()
    host.kill_all()


@pytest.fixture(params=[pytest.param("engine", marks=pytest.mark.needs_root), "fake_engine"])
def any_engine(request: pytest.FixtureRequest) -> Engine:
    """Each implementation of OCIRuntime and Monitor in turn."""
    found: Engine = request.getfixturevalue(request.param)
    return found
