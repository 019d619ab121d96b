"""Schema: upgraded at the start, never changed if it is newer than this program's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

import registry
from registry.errors import SchemaTooNew, StartupError
from registry.storage.database.sqlite import sqlite_engine


def migrations_directory() -> Path:
    """In the package when installed; beside it in a checkout."""
    package = Path(registry.__file__).parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def upgrade(database: Path, check_new: Callable[[], None] = lambda: None) -> None:
    """Create the database, or upgrade it to this program's schema; idempotent.

    ``check_new`` is called before tables are made in a database without any, and may raise.
    Raises SchemaTooNew, having written nothing, if a newer program has written it.
    """
    config = alembic_config()
    engine = sqlite_engine(database)
    try:
        with engine.begin() as connection:
            found, newest = current_revision(connection), newest_revision()
            if found == newest:
                return
            if found is None:
                check_new()
            check_known(found)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def check_newest(connection: Connection) -> None:
    """Raise StartupError (or SchemaTooNew) unless the schema is this program's."""
    found, expected = current_revision(connection), newest_revision()
    if found == expected:
        return
    if found is None:
        raise StartupError("the database has no schema: it is empty, or not a registry's")
    check_known(found)
    raise StartupError(
        f"the database has schema {found!r}, expected {expected!r}: an older program wrote it, and "
        "a check changes nothing; `registry serve` brings it up to date"
    )


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()).replace("%", "%%"))
    return config


def revisions(connection: Connection) -> tuple[str | None, str | None]:
    """The revisions of the database's schema and of this program's."""
    return current_revision(connection), newest_revision()


def current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@functools.cache
def scripts() -> ScriptDirectory:
    """The migrations, read once: alembic runs each module to learn its revision."""
    return ScriptDirectory.from_config(alembic_config())


def newest_revision() -> str | None:
    return scripts().get_current_head()


def check_known(found: str | None) -> None:
    known = {script.revision for script in scripts().walk_revisions()}
    if found is not None and found not in known:
        raise SchemaTooNew(
            f"the database has schema {found!r}, which this program does not know: "
            "it was written by a newer one; run that, or restore a backup"
        )
