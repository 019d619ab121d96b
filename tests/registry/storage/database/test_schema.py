"""Tables and migrations agree; a newer schema is not changed."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, inspect

from registry.errors import SchemaTooNew
from registry.storage.database import schema
from registry.storage.database.sqlite import sqlite_engine
from registry.storage.metadata.tables import metadata


def differences(database: Path, expected: MetaData) -> list[Any]:
    engine = sqlite_engine(database)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found: list[Any] = compare_metadata(context, expected)
    engine.dispose()
    return found


def test_tables_and_migrations_agree(tmp_path: Path) -> None:
    schema.upgrade(tmp_path / "db")

    assert differences(tmp_path / "db", metadata) == []


def test_a_column_without_a_migration_would_be_noticed(tmp_path: Path) -> None:
    schema.upgrade(tmp_path / "db")
    with sqlite3.connect(tmp_path / "db") as connection:
        connection.execute("ALTER TABLE trash DROP COLUMN run")
    connection.close()

    assert differences(tmp_path / "db", metadata) != []


def test_checks_and_strictness_agree_too(tmp_path: Path) -> None:
    """CHECK constraints and STRICT, which compare_metadata does not look at."""
    schema.upgrade(tmp_path / "migrated")
    engine = create_engine(f"sqlite:///{tmp_path / 'created'}")
    metadata.create_all(engine)
    engine.dispose()

    migrated, created = definitions(tmp_path / "migrated"), definitions(tmp_path / "created")

    assert migrated == created
    assert all("STRICT" in " ".join(lines) for lines in migrated.values())


def definitions(database: Path) -> dict[str, list[str]]:
    """Each table's columns and constraints, in an order of their own."""
    connection = sqlite3.connect(database)
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
        " AND name NOT IN ('alembic_version', 'sqlite_sequence')"
    ).fetchall()
    connection.close()
    return {name: sorted(line.strip(" ,") for line in sql.splitlines()) for name, sql in rows}


def test_upgrading_again_changes_nothing(tmp_path: Path) -> None:
    schema.upgrade(tmp_path / "db")
    with sqlite3.connect(tmp_path / "db") as connection:
        connection.execute("INSERT INTO repositories (name, created_at) VALUES ('kept', 1)")
    connection.close()

    schema.upgrade(tmp_path / "db")

    engine = create_engine(f"sqlite:///{tmp_path / 'db'}")
    with engine.connect() as connection_again:
        assert inspect(connection_again).has_table("repositories")
        names = connection_again.exec_driver_sql("SELECT name FROM repositories").scalars().all()
    engine.dispose()
    assert names == ["kept"]


def test_a_newer_schema_is_refused_and_not_touched(tmp_path: Path) -> None:
    schema.upgrade(tmp_path / "db")
    with sqlite3.connect(tmp_path / "db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("DROP TABLE trash")
    connection.close()
    before = definitions(tmp_path / "db")

    with pytest.raises(SchemaTooNew, match="'9999'"):
        schema.upgrade(tmp_path / "db")

    assert definitions(tmp_path / "db") == before


def test_migrations_are_found_beside_the_package() -> None:
    assert (schema.migrations_directory() / "env.py").is_file()
