"""Operator: the identity of administrative commands in the audit and the tag history."""

from __future__ import annotations

OPERATOR = "operator"
