"""Values as the program makes them of the default settings, with a test's changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from registry.app import limits_of, retention_of, upload_limits_of
from registry.config import Settings
from registry.server import Limits
from registry.services.context import UploadLimits
from registry.storage.retention import Retention


def default_retention(**changes: Any) -> Retention:
    return replace(retention_of(Settings()), **changes)


def default_upload_limits(**changes: Any) -> UploadLimits:
    return replace(upload_limits_of(Settings()), **changes)


def default_limits(**changes: Any) -> Limits:
    return replace(limits_of(Settings()), **changes)
