"""The operator: who gives administrative commands, for the audit and the history of tags."""

from __future__ import annotations

OPERATOR = "operator"
