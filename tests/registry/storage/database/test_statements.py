"""Prepared statements: many rows as one parameter, on the driver and through SQLAlchemy alike."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    create_engine,
    delete,
    insert,
    select,
)

from registry.storage.database.statements import (
    Prepared,
    as_list,
    columns_of,
    compiled,
    values_of,
)

rows = Table("rows", MetaData(), Column("a", Integer), Column("b", Text))


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as opened:
        rows.create(opened)
        yield opened
    engine.dispose()


class OtherDriver:
    """A connection whose driver is not sqlite3's."""

    def __init__(self, real: Connection) -> None:
        self.connection = SimpleNamespace(driver_connection=None)
        self.execute = real.execute


@pytest.mark.parametrize("other", [False, True], ids=["sqlite3", "another driver"])
def test_rows_of_one_parameter_are_inserted_found_and_deleted(
    connection: Connection, other: bool
) -> None:
    used: Any = OtherDriver(connection) if other else connection
    add = Prepared(insert(rows).from_select(["a", "b"], columns_of("some", 0, 1)))
    find = Prepared(select(rows.c.b).where(rows.c.a.in_(values_of("keys"))).order_by(rows.c.b))
    drop = Prepared(delete(rows).where(rows.c.a > bindparam("least")).returning(rows.c.a))

    assert add.run(used, some=as_list([(1, "x"), (2, 'y"; --'), (3, "é")])) in ([], ())

    assert [tuple(row) for row in find.run(used, keys=as_list([2, 3, 9]))] == [('y"; --',), ("é",)]
    assert sorted(tuple(row) for row in drop.run(used, least=1)) == [(2,), (3,)]
    assert find.run(used, keys=as_list([])) == []


def test_a_literal_in_a_statement_is_refused() -> None:
    with pytest.raises(AssertionError, match="a literal would be lost"):
        Prepared(select(rows).where(rows.c.a == 1))


def test_the_parameters_of_a_statement_are_named() -> None:
    statement = select(rows.c.a).where(rows.c.a == bindparam("one"), rows.c.b == bindparam("two"))

    text, names = compiled(cast(Any, statement))

    assert names == {"one", "two"}
    assert ":one" in text
