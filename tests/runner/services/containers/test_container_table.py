"""ContainerTable: containers by name, by ID, and by the beginning of one."""

import pytest

from runner.errors import Conflict, NoSuchContainer
from runner.services.containers.container_table import ContainerTable
from runner.services.containers.handle import ContainerHandle
from tests.runner.services.containers.test_handle import a_handle


def named(id: str, name: str) -> ContainerHandle:
    handle = a_handle()
    handle.id, handle.name = id, name
    return handle


WEB, DB = named("ab" * 32, "web"), named("ac" * 32, "db")


@pytest.fixture
def table() -> ContainerTable:
    table = ContainerTable()
    table.add(WEB)
    table.add(DB)
    return table


@pytest.mark.parametrize("name", ["web", "/web", "ab" * 32, "ab", "abab"])
def test_a_container_has_several_names(name: str, table: ContainerTable) -> None:
    assert table.find(name) is WEB


def test_a_beginning_of_several_ids_is_refused(table: ContainerTable) -> None:
    with pytest.raises(Conflict, match="multiple containers found with ID prefix a"):
        table.find("a")


def test_a_name_comes_before_the_beginning_of_an_id(table: ContainerTable) -> None:
    other = named("dd" * 32, "ab")
    table.add(other)

    assert table.find("ab") is other


@pytest.mark.parametrize("name", ["", "w", "b", "/", "ab" * 33])
def test_an_unknown_name_is_refused(name: str, table: ContainerTable) -> None:
    with pytest.raises(NoSuchContainer):
        table.find(name)


def test_a_dropped_container_is_found_no_longer(table: ContainerTable) -> None:
    table.drop(WEB)
    table.drop(WEB)

    assert WEB not in table
    assert DB in table
    assert table.handles() == (DB,)


def test_a_list_begins_with_the_newest(table: ContainerTable) -> None:
    assert [one.name for one in table.list()] == ["db", "web"]
    assert table.handles() == (WEB, DB)
