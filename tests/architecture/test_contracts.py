"""Contracts: each Protocol is small; one with several implementations has one test for all."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ("oci", "registry", "runner")
MAX_METHODS = 7


@dataclass(frozen=True)
class Contract:
    """The test module of a Protocol, and the implementations that its fixtures make."""

    test: str
    implementations: tuple[str, ...]


def contract(test: str, *implementations: str) -> Contract:
    return Contract(test, implementations)


GUARD = "registry/storage/disk/test_write_guard.py"
BLOBS = "registry/storage/blobs/test_contract.py"
OPERATOR_ROWS = "registry/storage/database/test_operator_rows.py"
REMOTE = "runner/remote/test_contract.py"
RUNTIME = "runner/runtime/test_contract.py"
CONTENT = "runner/storage/content/test_contract.py"
LAYERS = "runner/storage/layers/test_contract.py"
RECORDS = "runner/storage/records/test_contract.py"

CONTRACTS = {
    "registry.storage.clock:Clock": contract(
        "registry/storage/test_clock.py", "SystemClock", "FakeClock"
    ),
    "registry.storage.guard:Guard": contract(GUARD, "WriteGuard", "MemoryGuard"),
    "registry.storage.guard:DiskGuard": contract(GUARD, "WriteGuard", "MemoryGuard"),
    "registry.storage.blobs.contract:BlobReader": contract(BLOBS, "FileReader", "MemoryReader"),
    "registry.storage.blobs.contract:BlobStore": contract(
        BLOBS, "FilesystemBlobStore", "MemoryBlobStore", "AlternatingStore"
    ),
    "registry.storage.blobs.contract:BlobWriter": contract(BLOBS, "UploadFile", "MemoryWriter"),
    "registry.storage.blobs.contract:StoredFiles": contract(
        BLOBS, "FilesystemBlobStore", "MemoryBlobStore", "AlternatingStore"
    ),
    "registry.storage.database.contract:Database": contract(
        "registry/storage/database/test_contract.py", "SQLiteDatabase"
    ),
    "registry.storage.database.contract:OperatorRows": contract(
        OPERATOR_ROWS, "Readers", "Snapshot"
    ),
    "registry.storage.database.contract:Rows": contract(OPERATOR_ROWS, "Readers", "Snapshot"),
    "runner.remote.contract:Registries": contract(REMOTE, "HTTPRegistries", "MemoryRegistries"),
    "runner.remote.contract:RegistryRepository": contract(
        REMOTE, "HTTPRepository", "MemoryRepository"
    ),
    "runner.runtime.contract:ExecProcess": contract(RUNTIME, "RuncExec", "FakeExec"),
    "runner.runtime.contract:Monitor": contract(RUNTIME, "Conmon", "FakeMonitor"),
    "runner.runtime.contract:MonitoredContainer": contract(RUNTIME, "Monitored", "FakeMonitored"),
    "runner.runtime.contract:Mounter": contract(
        "runner/runtime/test_mounters.py", "KernelMounter", "LinkMounter"
    ),
    "runner.runtime.contract:OCIRuntime": contract(RUNTIME, "Runc", "FakeRuntime"),
    "runner.runtime.contract:Streams": contract(RUNTIME, "AttachSocket", "FakeStreams"),
    "runner.services.containers.dependencies:ImageFinder": contract(
        "runner/services/containers/test_image_finders.py", "Images", "SomeImages"
    ),
    "runner.storage.content.contract:ContentStore": contract(
        CONTENT, "LayoutContentStore", "MemoryContentStore"
    ),
    "runner.storage.content.contract:Ingest": contract(CONTENT, "FileIngest", "MemoryIngest"),
    "runner.storage.content.contract:PartialIngests": contract(
        CONTENT, "PartialFiles", "MemoryPartialIngests"
    ),
    "runner.storage.layers.contract:LayerSource": contract(
        LAYERS, "DirectoryLayerStore", "MemoryLayerStore"
    ),
    "runner.storage.layers.contract:LayerStore": contract(
        LAYERS, "DirectoryLayerStore", "MemoryLayerStore"
    ),
    "runner.storage.layers.contract:LayerWriter": contract(
        LAYERS, "ChildLayerWriter", "MemoryLayerWriter"
    ),
    "runner.storage.records.contract:RecordStore": contract(RECORDS, "Records", "MemoryRecords"),
    "runner.storage.records.contract:RecordTable": contract(RECORDS, "Table", "MemoryTable"),
    "runner.storage.snapshots.contract:Snapshotter": contract(
        "runner/storage/snapshots/test_contract.py", "OverlaySnapshotter", "PlainSnapshotter"
    ),
    "runner.storage.tar.decompress:Decompressor": contract(
        "runner/storage/tar/test_decompress.py", "_Gzip", "_Zstd", "Members"
    ),
}
# Two of one class on the same rows, as two servers have.
ONE_CLASS = {"registry.storage.database.contract:Database"}
# One implementation, or values: a Protocol that names the attributes which its reader needs.
WITHOUT_CONTRACT = {
    "registry.admin.open_registry:HeldRoot": "attributes of Root",
    "registry.api.routing:Route": "method and path of a row of an endpoint table",
    "registry.services.uploads:Source": "the name of a Repository",
    "registry.storage.blobs.filesystem.file_ops:Syscalls": "the module os",
    "registry.storage.disk.read_only_latch:Syscalls": "the module os",
    "runner.daemon.http.messages:Duplex": "a connection of the server alone",
    "runner.schema.filters:Labelled": "labels of a value",
    "runner.services.images.image:ImageUser": "attributes of Container",
    "runner.services.volumes.volumes:VolumeMount": "attributes of MountPoint",
    "runner.services.volumes.volumes:VolumeUser": "attributes of Container",
    "runner.storage.records.values:Record": "the form of three values, each written and read whole",
}


Classes = dict[str, ast.ClassDef]


@cache
def classes_of(path: Path) -> Classes:
    """Each class of a module, as module:name."""
    return {
        f"{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}:{node.name}": node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
    }


@cache
def classes() -> Classes:
    """Each class of the programs."""
    modules = (path for part in PROGRAMS for path in (ROOT / part).rglob("*.py"))
    return {name: node for path in modules for name, node in classes_of(path).items()}


@cache
def imports_of(path: Path) -> frozenset[Path]:
    """The modules of ours that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    bases = [ROOT.joinpath(*name.split(".")) for name in names]
    places = [base.with_suffix(".py") for base in bases] + [base / "__init__.py" for base in bases]
    return frozenset(place for place in places if place.is_file())


def reached_from(test: Path) -> set[Path]:
    """A test module, the fixtures that it has, and all modules that these import."""
    fixtures = [parent / "conftest.py" for parent in test.parents if ROOT in parent.parents]
    waiting, reached = [test, *(path for path in fixtures if path.is_file())], set[Path]()
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += imports_of(module)
    return reached


def is_protocol(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).split("[")[0] == "Protocol" for base in node.bases)


def members(node: ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The public methods and properties in a class's own text."""
    functions = (n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return (each for each in functions if not each.name.startswith("_"))


def methods(node: ast.ClassDef, known: Classes) -> set[str]:
    """The public methods of a class, without its properties; with those of its known bases."""
    own = {each.name for each in members(node) if not each.decorator_list or _opens(each)}
    bases = {ast.unparse(base).split("[")[0] for base in node.bases}
    inherited = (each for name, each in known.items() if name.partition(":")[2] in bases)
    return own.union(*(methods(base, known) for base in inherited))


def _opens(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a method is one that opens a context, as its contract declares it by its type."""
    return any("contextmanager" in ast.unparse(each) for each in node.decorator_list)


def test_every_protocol_has_a_contract_test_or_a_reason() -> None:
    protocols = {name for name, node in classes().items() if is_protocol(node)}

    assert protocols == CONTRACTS.keys() | WITHOUT_CONTRACT.keys()
    assert not CONTRACTS.keys() & WITHOUT_CONTRACT.keys()


@pytest.mark.parametrize("name", [*CONTRACTS, *WITHOUT_CONTRACT])
def test_a_protocol_is_small(name: str) -> None:
    """Functions do the rest on top of a contract; another subject has its own Protocol."""
    own = [each.name for each in members(classes()[name])]

    assert len(own) <= MAX_METHODS, own


@pytest.mark.parametrize(
    ("module", "test"),
    sorted({(name.partition(":")[0], each.test) for name, each in CONTRACTS.items()}),
)
def test_a_contract_names_its_test(module: str, test: str) -> None:
    """Once in a module, where a contract stands with the smaller ones that are parts of it."""
    said = [
        " ".join((ast.get_docstring(node) or "").split())
        for name, node in classes().items()
        if name.startswith(f"{module}:") and is_protocol(node)
    ]

    assert any(f"Every implementation passes tests/{test}" in text for text in said)


@pytest.mark.parametrize("module", sorted({each.test for each in CONTRACTS.values()}))
def test_a_contract_test_is_parametrized(module: str) -> None:
    text = (ROOT / "tests" / module).read_text()

    # any_engine is a parametrized fixture of its directory; a pair is two databases on one file.
    assert any(form in text for form in ("params=", "parametrize(", "any_engine", "pair: Pair"))


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_test_has_several_implementations(name: str) -> None:
    made = CONTRACTS[name].implementations
    reached = reached_from(ROOT / "tests" / CONTRACTS[name].test)
    known: Classes = {}
    for module in reached:
        known |= classes_of(module)
    needed = methods(classes()[name], classes())

    for implementation in made:
        found = [node for each, node in known.items() if each.endswith(f":{implementation}")]
        assert any(needed <= methods(node, known) for node in found), implementation
    assert len(set(made)) >= (1 if name in ONE_CLASS else 2)


@pytest.mark.parametrize("name", [name for name, why in WITHOUT_CONTRACT.items() if "alone" in why])
def test_a_protocol_without_a_contract_test_has_one_implementation(name: str) -> None:
    found = classes()
    needed = methods(found[name], found)
    of_its_program = [
        other
        for other, node in found.items()
        if other.partition(".")[0] == name.partition(".")[0]
        if not is_protocol(node) and needed and needed <= methods(node, {})
    ]

    assert len(of_its_program) <= 1
