"""Strict JSON documents: no duplicate keys, no NaN, bounded integers.

https://www.rfc-editor.org/rfc/rfc8259 sections 4 (names) and 6 (numbers)
"""

import json
import re
from collections.abc import Mapping
from typing import NoReturn

from oci.errors import quoted

MAX_INTEGER = 2**63 - 1
# Parsed, an array of ``[]`` takes thirty times its bytes in memory, and parsing blocks the event
# loop.  The largest valid manifest has half as many values.
MAX_VALUES = 250_000

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]", re.ASCII)
_JSON_TYPES: Mapping[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


class InvalidDocument(ValueError):
    """The content is not the expected JSON; the message says where and why."""


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
        raise InvalidDocument(f"expected an object, found {json_type(document)}")
    _check_encodable(text, document)
    return document


def parse_json(text: str) -> object:
    """Read any JSON value that can be encoded as UTF-8 again; InvalidDocument for another text.

    Less strict than ``parse_document``: the last of duplicate keys counts, and NaN is a number.
    """
    try:
        document: object = json.loads(text)
    except RecursionError:
        raise InvalidDocument("arrays and objects are nested too deeply") from None
    except ValueError as error:
        raise InvalidDocument(f"not JSON: {error}") from None
    _check_encodable(text, document)
    return document


def _check_encodable(text: str, document: object) -> None:
    """Raise InvalidDocument if a string in the document, parsed from this text, is not Unicode.

    https://www.rfc-editor.org/rfc/rfc8259 section 8.2: "\\uD800" alone is half of a pair.
    """
    if not _SURROGATE.search(text):
        return
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidDocument("a string holds half of a surrogate pair") from None
    except RecursionError:
        raise InvalidDocument("arrays and objects are nested too deeply") from None


def json_type(value: object) -> str:
    """The JSON type of a value, in English.

    >>> json_type(True)
    'a boolean'
    """
    return _JSON_TYPES.get(type(value), type(value).__name__)


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidDocument(f"the key {quoted(key)} appears twice in one object")
            seen.add(key)
    return values


def _parse_integer(digits: str) -> int:
    number = int(digits) if len(digits) <= 20 else MAX_INTEGER + 1
    if abs(number) > MAX_INTEGER:
        raise InvalidDocument(f"the number {quoted(digits)} is beyond ±{MAX_INTEGER}")
    return number


def _refuse_constant(text: str) -> NoReturn:
    raise InvalidDocument(f"{text} is not JSON")


# Shared: building a decoder costs as much as parsing a small manifest.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_int=_parse_integer, parse_constant=_refuse_constant
)
