"""Fields: the fields of one JSON object, each read with its expected type."""

from collections.abc import Iterator, Mapping

from oci.document import MAX_INTEGER, InvalidDocument, json_type
from oci.errors import quoted


def case_folded(*names: str) -> Mapping[str, str]:
    """Names by their case-folded form, for ``Fields.refuse_lookalikes``."""
    return {name.casefold(): name for name in names}


class Fields:
    """The fields of one JSON object, each read with its expected type.

    Null counts as absent: Go programs, which write most of these documents, read it so.
    Every method raises InvalidDocument naming the field by its path.
    """

    __slots__ = ("_values", "where")

    def __init__(self, value: object, where: str = "") -> None:
        if type(value) is not dict:
            raise InvalidDocument(
                f"{where or 'document'}: expected an object, found {json_type(value)}"
            )
        self._values: dict[str, object] = value
        self.where = where

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def refuse_lookalikes(self, names: Mapping[str, str]) -> None:
        """Refuse a key that differs from one of ``names`` in case alone.

        Go matches keys without regard to case, and the last one wins: a Go program would read
        a different document.  The keys of ``names`` are case-folded.
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
        """An array of strings; a null element is an empty string, as in Go's ``[]string``."""
        values = ["" if value is None else value for value in self.array(key)]
        for index, value in enumerate(values):
            if type(value) is not str or "\0" in value:
                raise self._unexpected(f"{key}[{index}]", "a string without NUL", value)
        return tuple(map(str, values))

    def string_or_strings(self, key: str) -> tuple[str, ...]:
        """An array of strings, or a single string in its place: Docker's ``strslice``."""
        value = self._values.get(key)
        return (self.string(key),) if type(value) is str else self.strings(key)

    def array(self, key: str) -> list[object]:
        value = self._values.get(key)
        if value is None:
            return []
        if type(value) is not list:
            raise self._unexpected(key, "an array", value)
        return value

    def nested(self, key: str) -> "Fields | None":
        value = self._values.get(key)
        return None if value is None else Fields(value, self.path(key))

    def string_map(self, key: str) -> Mapping[str, str]:
        """Strings by name; a null value is an empty string, as in Go's ``map[string]string``."""
        values = {
            name: "" if value is None else value for name, value in self._mapping(key).items()
        }
        for name, value in values.items():
            if type(value) is not str or "\0" in value or "\0" in name:
                raise self._unexpected(f"{key}[{quoted(name)}]", "a string without NUL", value)
        return {name: str(value) for name, value in values.items()}

    def names(self, key: str) -> tuple[str, ...]:
        """The keys of an object whose values carry no meaning: Go's ``map[string]struct{}``."""
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
        found = "nothing" if value is None else json_type(value)
        return InvalidDocument(f"{self.path(key)}: found {found}, expected {expected}")
