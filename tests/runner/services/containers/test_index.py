"""ContainerIndex: containers by name, by ID, and by the beginning of one."""

import pytest

from runner.errors import Conflict, NoSuchContainer
from runner.services.containers.handle import ContainerHandle
from runner.services.containers.index import ContainerIndex
from tests.runner.services.containers.test_handle import a_handle


def named(id: str, name: str) -> ContainerHandle:
    handle = a_handle()
    handle.id, handle.name = id, name
    return handle


WEB, DB = named("ab" * 32, "web"), named("ac" * 32, "db")


@pytest.fixture
def index() -> ContainerIndex:
    index = ContainerIndex()
    index.add(WEB)
    index.add(DB)
    return index


@pytest.mark.parametrize("name", ["web", "/web", "ab" * 32, "ab", "abab"])
def test_a_container_has_several_names(name: str, index: ContainerIndex) -> None:
    assert index.find(name) is WEB


def test_a_beginning_of_several_ids_is_refused(index: ContainerIndex) -> None:
    with pytest.raises(Conflict, match="multiple containers found with ID prefix a"):
        index.find("a")


def test_a_name_comes_before_the_beginning_of_an_id(index: ContainerIndex) -> None:
    other = named("dd" * 32, "ab")
    index.add(other)

    assert index.find("ab") is other


@pytest.mark.parametrize("name", ["", "w", "b", "/", "ab" * 33])
def test_an_unknown_name_is_refused(name: str, index: ContainerIndex) -> None:
    with pytest.raises(NoSuchContainer):
        index.find(name)


def test_a_dropped_container_is_found_no_longer(index: ContainerIndex) -> None:
    index.drop(WEB)
    index.drop(WEB)

    assert WEB not in index
    assert DB in index
    assert index.handles() == (DB,)


def test_a_list_begins_with_the_newest(index: ContainerIndex) -> None:
    assert [one.name for one in index.list()] == ["db", "web"]
    assert index.handles() == (WEB, DB)
