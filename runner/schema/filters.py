"""Filters of lists and prunes, one table per endpoint.

Engine API v1.44, the parameter ``filters``.  An unknown filter is refused: a prune that ignored
one would remove too much.
https://docs.docker.com/engine/api/v1.44/#tag/Container/operation/ContainerList
https://docs.docker.com/engine/api/v1.44/#tag/Container/operation/ContainerPrune
https://docs.docker.com/engine/api/v1.44/#tag/Image/operation/ImageList
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from runner.errors import BadRequest
from runner.schema.linear_regex import InvalidRegex, LinearRegex
from runner.schema.times import parse_time_or_age

T = TypeVar("T")

Filters = Mapping[str, Sequence[str]]
Predicate = Callable[[T], bool]
# From the values of one filter to a predicate; raises BadRequest for a value without meaning.
Filter = Callable[[Sequence[str]], Predicate[T]]

_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}


class Labelled(Protocol):
    """An object with labels."""

    @property
    def labels(self) -> Mapping[str, str]: ...


def check_names(filters: Filters, offered: Iterable[str]) -> None:
    """BadRequest for the first unsupported filter."""
    names = tuple(offered)
    for key in filters:
        if key not in names:
            raise BadRequest(f"invalid filter '{key}': expected one of {', '.join(names)}")


def selector(table: Mapping[str, Filter[T]], filters: Filters) -> Predicate[T]:
    """A predicate that is true if every filter matches.

    BadRequest for an unknown name or an invalid value, before any object is examined.
    """
    check_names(filters, table)
    predicates = [table[key](values) for key, values in filters.items()]
    return lambda thing: all(keeps(thing) for keeps in predicates)


def any_of(matches: Callable[[T, str], bool]) -> Filter[T]:
    """A filter of which one value must match; without values it matches all."""

    def read(values: Sequence[str]) -> Predicate[T]:
        return lambda thing: not values or any(matches(thing, value) for value in values)

    return read


def one_of(key: str, offered: Iterable[str], matches: Callable[[T, str], bool]) -> Filter[T]:
    """A filter with a fixed set of values; BadRequest for any other."""
    words = tuple(offered)

    def read(values: Sequence[str]) -> Predicate[T]:
        for value in values:
            if value not in words:
                expected = ", ".join(words)
                raise BadRequest(f"invalid filter '{key}={value}': expected one of {expected}")
        return any_of(matches)(values)

    return read


def pattern(key: str, names: Callable[[T], Sequence[str]]) -> Filter[T]:
    """A filter whose values are regular expressions, searched for in the names (rule DS-3)."""

    def read(values: Sequence[str]) -> Predicate[T]:
        try:
            compiled = [LinearRegex.compile(value) for value in values]
        except InvalidRegex as error:
            shown = ", ".join(values)
            raise BadRequest(
                f"invalid filter '{key}={shown}': no regular expression: {error}"
            ) from None
        return lambda thing: (
            not compiled or any(one.search(name) for one in compiled for name in names(thing))
        )

    return read


def boolean(key: str, is_so: Predicate[T]) -> Filter[T]:
    """A filter that is true or false."""

    def read(values: Sequence[str]) -> Predicate[T]:
        wanted = parse_boolean(key, values)
        return lambda thing: is_so(thing) == wanted

    return read


def parse_boolean(key: str, values: Sequence[str]) -> bool:
    """Parse a filter's boolean values; BadRequest for none, both, or another word."""
    found = {_BOOLEANS.get(value.lower()) for value in values}
    if found == {True} or found == {False}:
        return found == {True}
    shown = ", ".join(values)
    raise BadRequest(f"invalid filter '{key}={shown}': expected true or false")


def label(values: Sequence[str]) -> Predicate[Labelled]:
    """``label``: every label, ``KEY`` or ``KEY=VALUE``, must be present."""
    return lambda thing: all(has_label(thing.labels, value) for value in values)


def without_label(values: Sequence[str]) -> Predicate[Labelled]:
    """``label!``: no label may be present."""
    return lambda thing: not any(has_label(thing.labels, value) for value in values)


def has_label(labels: Mapping[str, str], wanted: str) -> bool:
    """Whether the labels have ``KEY``, or ``KEY`` with the value of ``KEY=VALUE``."""
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def created_before(created: Callable[[T], datetime | None]) -> Filter[T]:
    """``until``: a time or an age; objects of unknown age do not match.

    Only one value is allowed, as only the oldest would count.
    """

    def read(values: Sequence[str]) -> Predicate[T]:
        if len(values) != 1:
            raise BadRequest(f"invalid filter 'until': expected one time, found {len(values)}")
        limit = parse_time_or_age(values[0])

        def is_older(thing: T) -> bool:
            when = created(thing)
            return when is not None and when < limit

        return is_older

    return read
