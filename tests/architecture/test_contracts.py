"""Contracts: each Protocol with several implementations has one test module that runs on all."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ("oci", "registry", "runner")

# The test module of a Protocol, and the implementations that its fixture makes.
CONTRACTS = {
    "registry.storage.clock:Clock": "registry/storage/test_clock.py",
    "registry.storage.guard:Guard": "registry/storage/disk/test_write_guard.py",
    "registry.storage.guard:DiskGuard": "registry/storage/disk/test_write_guard.py",
    "registry.storage.blobs.contract:BlobReader": "registry/storage/blobs/test_contract.py",
    "registry.storage.blobs.contract:BlobStore": "registry/storage/blobs/test_contract.py",
    "registry.storage.blobs.contract:BlobWriter": "registry/storage/blobs/test_contract.py",
    "registry.storage.blobs.contract:StoredFiles": "registry/storage/blobs/test_contract.py",
    "registry.storage.database.contract:Database": "registry/storage/database/test_contract.py",
    "registry.storage.database.contract:OperatorRows": (
        "registry/storage/database/test_operator_rows.py"
    ),
    "registry.storage.database.contract:Rows": "registry/storage/database/test_operator_rows.py",
    "runner.remote.contract:Registries": "runner/remote/test_contract.py",
    "runner.remote.contract:RegistryRepository": "runner/remote/test_contract.py",
    "runner.runtime.contract:ExecProcess": "runner/runtime/test_contract.py",
    "runner.runtime.contract:Monitor": "runner/runtime/test_contract.py",
    "runner.runtime.contract:MonitoredContainer": "runner/runtime/test_contract.py",
    "runner.runtime.contract:Mounter": "runner/runtime/test_mounters.py",
    "runner.runtime.contract:OCIRuntime": "runner/runtime/test_contract.py",
    "runner.runtime.contract:Streams": "runner/runtime/test_contract.py",
    "runner.services.containers.dependencies:ImageFinder": (
        "runner/services/containers/test_image_finders.py"
    ),
    "runner.storage.records.contract:RecordStore": "runner/storage/records/test_contract.py",
    "runner.storage.snapshots.contract:Snapshotter": ("runner/storage/snapshots/test_contract.py"),
    "runner.storage.tar.decompress:Decompressor": "runner/storage/tar/test_decompress.py",
}
# One implementation, or values: a Protocol that names the attributes which its reader needs.
WITHOUT_CONTRACT = {
    "registry.admin.open_registry:HeldRoot": "attributes of Root",
    "registry.api.requests:MountSources": "Authorizer alone",
    "registry.services.uploads:Source": "the name of a Repository",
    "registry.storage.blobs.filesystem.file_ops:Syscalls": "the module os",
    "registry.storage.disk.read_only_latch:Syscalls": "the module os",
    "runner.daemon.http.messages:Duplex": "a connection of the server alone",
    "runner.schema.filters:Labelled": "labels of a value",
    "runner.services.images.image:ImageUser": "attributes of Container",
    "runner.services.volumes.volumes:VolumeMount": "attributes of MountPoint",
    "runner.services.volumes.volumes:VolumeUser": "attributes of Container",
    "runner.storage.records.values:Record": "the form of three values, each written and read whole",
    "runner.storage.content.contract:ContentStore": "LayoutContentStore alone",
    "runner.storage.content.contract:Ingest": "that of LayoutContentStore alone",
    "runner.storage.layers.contract:LayerSource": "DirectoryLayerStore alone",
    "runner.storage.layers.contract:LayerStore": "DirectoryLayerStore alone",
    "runner.storage.layers.contract:LayerWriter": "that of DirectoryLayerStore alone",
}


def classes() -> dict[str, ast.ClassDef]:
    """Each class of the programs, as module:name."""
    return {
        f"{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}:{node.name}": node
        for part in PROGRAMS
        for path in (ROOT / part).rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
    }


def is_protocol(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)


def methods(node: ast.ClassDef) -> set[str]:
    """The public methods of a class, without its properties."""
    return {
        each.name
        for each in node.body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        if not each.decorator_list and not each.name.startswith("_")
    }


def test_every_protocol_has_a_contract_test_or_a_reason() -> None:
    protocols = {name for name, node in classes().items() if is_protocol(node)}

    assert protocols == CONTRACTS.keys() | WITHOUT_CONTRACT.keys()
    assert not CONTRACTS.keys() & WITHOUT_CONTRACT.keys()


@pytest.mark.parametrize(
    ("module", "test"),
    sorted({(name.partition(":")[0], test) for name, test in CONTRACTS.items()}),
)
def test_a_contract_names_its_test(module: str, test: str) -> None:
    """Once in a module, where a contract stands with the smaller ones that are parts of it."""
    said = [
        " ".join((ast.get_docstring(node) or "").split())
        for name, node in classes().items()
        if name.startswith(f"{module}:") and is_protocol(node)
    ]

    assert any(f"Every implementation passes tests/{test}" in text for text in said)


@pytest.mark.parametrize("module", sorted(set(CONTRACTS.values())))
def test_a_contract_test_runs_on_several_implementations(module: str) -> None:
    text = (ROOT / "tests" / module).read_text()

    # any_engine is a parametrized fixture of its directory; a pair is two databases on one file.
    assert any(form in text for form in ("params=", "parametrize(", "any_engine", "pair: Pair"))


@pytest.mark.parametrize("name", [name for name, why in WITHOUT_CONTRACT.items() if "alone" in why])
def test_a_protocol_without_a_contract_test_has_one_implementation(name: str) -> None:
    found = classes()
    needed = methods(found[name])
    of_its_program = [
        other
        for other, node in found.items()
        if other.partition(".")[0] == name.partition(".")[0]
        if not is_protocol(node) and needed and needed <= methods(node)
    ]

    assert len(of_its_program) <= 1
