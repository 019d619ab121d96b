"""JSON documents read strictly: no duplicate keys, no NaN, whole numbers bounded, fields typed."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import NoReturn

from oci.errors import quoted

MAX_INTEGER = 2**63 - 1
# An array of nothing but ``[]`` takes thirty times its bytes in memory, and while it is read
# nobody else is answered.  The largest manifest, with all that its descriptors may say, has half.
MAX_VALUES = 250_000

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]", re.ASCII)
_NAMES: Mapping[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


class InvalidDocument(ValueError):
    """The content is not the JSON that was expected; the text says where and why."""


def parse_document(content: bytes) -> dict[str, object]:
    """Read one JSON object from its exact bytes, or raise InvalidDocument."""
    if len(content) > MAX_VALUES and sum(map(content.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise InvalidDocument(f"more than {MAX_VALUES} commas and brackets")
    try:
        text = content.decode("utf-8")
        document = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise InvalidDocument(f"byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise InvalidDocument("arrays and objects are nested too deeply") from None
    except json.JSONDecodeError as error:
        raise InvalidDocument(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidDocument(f"expected an object, found {kind_of(document)}")
    if _SURROGATE.search(text):
        _refuse_lone_surrogates(document)
    return document


def kind_of(value: object) -> str:
    """What a JSON value is, in words.

    >>> kind_of(True)
    'a boolean'
    """
    return _NAMES.get(type(value), type(value).__name__)


def folded(*names: str) -> Mapping[str, str]:
    """Each name by its case-folded form: what ``Fields.refuse_lookalikes`` wants."""
    return {name.casefold(): name for name in names}


class Fields:
    """The fields of one JSON object, each read as the type it must have.

    Null counts as absent, as it does for the Go programs that write these documents.
    Every method raises InvalidDocument naming the field by its path.
    """

    __slots__ = ("_values", "where")

    def __init__(self, value: object, where: str = "") -> None:
        if type(value) is not dict:
            raise InvalidDocument(
                f"{where or 'document'}: expected an object, found {kind_of(value)}"
            )
        self._values: dict[str, object] = value
        self.where = where

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def refuse_lookalikes(self, names: Mapping[str, str]) -> None:
        """Refuse a key that differs from one of ``names`` in case alone.

        Programs in Go take it for that name, and the last of both: they would read another
        document than we do.  The keys of ``names`` are case-folded.
        """
        for key in self._values:
            name = names.get(key.casefold(), key)
            if name != key:
                raise InvalidDocument(f"{self.path(key)}: found beside {name}, expected that alone")

    def string(self, key: str, default: str | None = None) -> str:
        value = self._values.get(key)
        if type(value) is str:
            if "\0" in value:
                raise InvalidDocument(f"{self.path(key)}: contains a NUL character, expected none")
            return value
        if value is None and default is not None:
            return default
        raise self._unexpected(key, "a string", value)

    def optional_string(self, key: str) -> str | None:
        return None if self._values.get(key) is None else self.string(key)

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number from 0 to 2^63-1; a boolean is not one."""
        value = self._values.get(key)
        if value is None and default is not None:
            return default
        if type(value) is not int:
            raise self._unexpected(key, "a whole number", value)
        if not 0 <= value <= MAX_INTEGER:
            raise InvalidDocument(
                f"{self.path(key)}: found {quoted(str(value))}, expected 0 to {MAX_INTEGER}"
            )
        return value

    def boolean(self, key: str, default: bool = False) -> bool:
        value = self._values.get(key)
        if value is None:
            return default
        if type(value) is not bool:
            raise self._unexpected(key, "a boolean", value)
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        """An array of texts; a null is an empty text, as in Go's ``[]string``."""
        values = ["" if value is None else value for value in self.array(key)]
        for index, value in enumerate(values):
            if type(value) is not str or "\0" in value:
                raise self._unexpected(f"{key}[{index}]", "a string without NUL", value)
        return tuple(map(str, values))

    def words(self, key: str) -> tuple[str, ...]:
        """The same, or one text that stands for an array of it: Docker's ``strslice``."""
        value = self._values.get(key)
        return (self.string(key),) if type(value) is str else self.strings(key)

    def array(self, key: str) -> list[object]:
        value = self._values.get(key)
        if value is None:
            return []
        if type(value) is not list:
            raise self._unexpected(key, "an array", value)
        return value

    def inner(self, key: str) -> "Fields | None":
        value = self._values.get(key)
        return None if value is None else Fields(value, self.path(key))

    def string_map(self, key: str) -> Mapping[str, str]:
        """Texts by name; a null is an empty text, as in Go's ``map[string]string``."""
        values = {
            name: "" if value is None else value for name, value in self._mapping(key).items()
        }
        for name, value in values.items():
            if type(value) is not str or "\0" in value or "\0" in name:
                raise self._unexpected(f"{key}[{quoted(name)}]", "a string without NUL", value)
        return {name: str(value) for name, value in values.items()}

    def names(self, key: str) -> tuple[str, ...]:
        """The keys of an object whose values mean nothing: Go's ``map[string]struct{}``."""
        names = tuple(self._mapping(key))
        for name in names:
            if "\0" in name:
                raise InvalidDocument(
                    f"{self.path(key)}: {quoted(name)} contains a NUL character, expected none"
                )
        return names

    def items(self) -> Iterator[tuple[str, object]]:
        yield from self._values.items()

    def path(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def _mapping(self, key: str) -> dict[str, object]:
        value = self._values.get(key)
        if value is None:
            return {}
        if type(value) is not dict:
            raise self._unexpected(key, "an object", value)
        return value

    def _unexpected(self, key: str, expected: str, value: object) -> InvalidDocument:
        found = "nothing" if value is None else kind_of(value)
        return InvalidDocument(f"{self.path(key)}: found {found}, expected {expected}")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidDocument(f"the key {quoted(key)} appears twice in one object")
            seen.add(key)
    return values


def _bounded(digits: str) -> int:
    number = int(digits) if len(digits) <= 20 else MAX_INTEGER + 1
    if abs(number) > MAX_INTEGER:
        raise InvalidDocument(f"the number {quoted(digits)} is beyond ±{MAX_INTEGER}")
    return number


def _refuse_constant(text: str) -> NoReturn:
    raise InvalidDocument(f"{text} is not JSON")


def _refuse_lone_surrogates(document: object) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidDocument("a string holds half of a surrogate pair") from None
    except RecursionError:
        raise InvalidDocument("arrays and objects are nested too deeply") from None


# One decoder for all: making one costs as much as reading a small manifest.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_bounded, parse_constant=_refuse_constant
)
