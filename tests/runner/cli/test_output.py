"""Output of lists: tables, templates, JSON, and IDs alone."""

import json

import pytest

from runner.cli.arguments import UsageError
from runner.cli.output import Column, filters_json, format_list, table

COLUMNS = (
    Column("ID", lambda row: row["id"], "ID"),
    Column("NAMES", lambda row: row["name"], "Names"),
    Column("SIZE", lambda row: row["size"]),
)
ROWS = ({"id": "abc", "name": "a longer name", "size": "1B"}, {"id": "d", "name": "", "size": ""})


def listed(format: str | None = None, quiet: bool = False) -> str:
    return format_list(
        COLUMNS, ROWS, shown=("ID", "NAMES"), format=format, quiet=COLUMNS[0] if quiet else None
    )


@pytest.mark.parametrize("format", [None, "", "table"])
def test_a_table_has_the_shown_columns_aligned(format: str | None) -> None:
    assert listed(format) == "ID    NAMES\nabc   a longer name\nd\n"


def test_a_table_without_rows_has_its_titles() -> None:
    assert table(COLUMNS, ()) == "ID   NAMES   SIZE\n"


def test_quiet_prints_ids_whatever_the_format() -> None:
    assert listed("{{.Names}}", quiet=True) == "abc\nd\n"


def test_a_template_is_filled_for_each_row() -> None:
    assert listed(r"{{.ID}}\t{{.Names}}") == "abc\ta longer name\nd\t\n"


def test_a_template_of_a_table_has_its_own_columns() -> None:
    assert listed(r"table {{.Names}}\t{{.ID}}") == (
        "NAMES           ID\na longer name   abc\n                d\n"
    )


def test_json_has_a_line_for_each_row_and_the_named_columns() -> None:
    lines = [json.loads(line) for line in listed("json").splitlines()]

    assert lines == [{"ID": "abc", "Names": "a longer name"}, {"ID": "d", "Names": ""}]


def test_filters_are_lists_by_their_key() -> None:
    assert filters_json([]) is None
    assert json.loads(filters_json(["label=a=b", "label=c", "status=x"]) or "") == {
        "label": ["a=b", "c"],
        "status": ["x"],
    }


@pytest.mark.parametrize("text", ["label", "=x", ""])
def test_a_filter_of_another_form_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="expected KEY=VALUE"):
        filters_json([text])
