"""Filters: what one of each kind lets through, and which values make no sense."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from runner.errors import BadRequest
from runner.schema import filters
from runner.schema.filters import Filter

NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Thing:
    """Something with everything that is filtered by."""

    name: str = "web-1"
    labels: Mapping[str, str] = field(default_factory=lambda: {"team": "blue", "keep": ""})
    created: datetime | None = NOW - timedelta(hours=2)
    used: bool = True
    colour: str = "red"


TABLE: dict[str, Filter[Thing]] = {
    "label": filters.label,
    "label!": filters.without_label,
    "until": filters.created_before(lambda thing: thing.created),
    "used": filters.boolean("used", lambda thing: thing.used),
    "name": filters.pattern("name", lambda thing: (thing.name, f"/{thing.name}")),
    "colour": filters.one_of("colour", ("red", "blue"), lambda thing, value: thing.colour == value),
    "id": filters.any_of(lambda thing, value: value == "1"),
}


@pytest.mark.parametrize(
    ("asked", "passes"),
    [
        ({}, True),
        ({"label": []}, True),
        ({"label": ["team"]}, True),
        ({"label": ["team=blue"]}, True),
        ({"label": ["team=red"]}, False),
        ({"label": ["team", "absent"]}, False),
        ({"label!": ["keep"]}, False),
        ({"label!": ["keep="]}, False),
        ({"label!": ["keep=1"]}, True),
        ({"label!": ["absent"]}, True),
        ({"label!": ["absent", "team=blue"]}, False),
        ({"until": ["1h"]}, True),
        ({"until": ["3h"]}, False),
        ({"until": [str(NOW.timestamp())]}, True),
        ({"used": ["true"]}, True),
        ({"used": ["0"]}, False),
        ({"name": ["web-.*"]}, True),
        ({"name": ["^/web-1$"]}, True),
        ({"name": ["^web$"]}, False),
        ({"name": ["x", "eb"]}, True),
        ({"name": []}, True),
        ({"colour": ["red"]}, True),
        ({"colour": ["blue"]}, False),
        ({"id": ["2", "1"]}, True),
        ({"id": ["2"], "label": ["team"]}, False),
    ],
)
def test_a_thing_passes_all_filters_or_none(asked: dict[str, list[str]], passes: bool) -> None:
    assert filters.selector(TABLE, asked)(Thing()) is passes


def test_a_thing_of_unknown_age_is_not_older_than_anything() -> None:
    assert not filters.selector(TABLE, {"until": ["1s"]})(Thing(created=None))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"shape": ["round"]}, "invalid filter 'shape': expected one of label, label!, until"),
        ({"Label": ["team"]}, "invalid filter 'Label'"),
        ({"used": []}, "invalid filter 'used=': expected true or false"),
        ({"used": ["maybe"]}, "invalid filter 'used=maybe': expected true or false"),
        ({"used": ["true", "false"]}, "invalid filter 'used=true, false'"),
        ({"until": []}, "invalid filter 'until': expected one time, found 0"),
        ({"until": ["1h", "2h"]}, "invalid filter 'until': expected one time, found 2"),
        ({"until": ["soon"]}, "invalid time 'soon'"),
        ({"name": ["("]}, "invalid filter 'name=(': no regular expression"),
        ({"name": ["(" * 3000 + ")" * 3000]}, "invalid filter 'name=(((("),
        ({"colour": ["green"]}, "invalid filter 'colour=green': expected one of red, blue"),
    ],
)
def test_a_senseless_filter_is_refused_before_anything_is_looked_at(
    asked: dict[str, list[str]], sentence: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        filters.selector(TABLE, asked)

    assert str(caught.value).startswith(sentence)
