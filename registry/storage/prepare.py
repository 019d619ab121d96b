"""Prepare a root's database: check it, create it in a new root, upgrade its schema."""

from __future__ import annotations

import os
from functools import partial

from registry.errors import StartupError
from registry.storage import markers
from registry.storage.database.schema import upgrade
from registry.storage.database.startup_errors import startup_errors
from registry.storage.disk.free_space import NEARLY_NOTHING, release_reserve
from registry.storage.disk.root import Root


def prepare_database(root: Root) -> None:
    """Create the database of a new root, or upgrade an existing one to this program's schema.

    On a full disk the reserve file is removed first: opening a database needs some pages.
    Raises StartupError, having changed nothing, where the database or its log is missing or
    corrupt, or was written by a newer program.
    """
    check_database(root)
    markers.expect_no_log(root)
    try:
        upgrade_or_refuse(root)
    except StartupError:
        if not is_full(root.directory) or not release_reserve(root.directory):
            raise
        upgrade_or_refuse(root)
    markers.mark_created(root)


def check_database(root: Root) -> None:
    """Raise StartupError where the database or its log was removed."""
    markers.check_database_present(root)
    markers.check_log_present(root)


def upgrade_or_refuse(root: Root) -> None:
    with startup_errors(root.database):
        upgrade(root.database, check_new=partial(markers.check_new, root))


def is_full(directory: int) -> bool:
    """Whether free space is too low for SQLite to open a database."""
    disk = os.fstatvfs(directory)
    return disk.f_bavail * disk.f_frsize < NEARLY_NOTHING
