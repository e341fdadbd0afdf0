"""Canonical JSON (RFC 8785), the log's restricted profile of it, and strict parsing.

In the restricted profile (no floats, small integers, plain ASCII keys) orjson with sorted keys writes
the same bytes as RFC 8785 and is ten times faster; a property test holds the two against each other.
"""

import hashlib
import json
import math
import re
from typing import Any, NoReturn

import orjson
import rfc8785

from audit.errors import Invalid

INTEGER_LIMIT = 2**53
#: What the refusal of a text that cannot be read at all begins with.
NOT_JSON = "The text is not JSON: "
DEPTH_LIMIT = 32
_KEY = re.compile(r"[a-z0-9_]+", re.ASCII)
_LONGEST_INTEGER = len(str(-INTEGER_LIMIT))


class MalformedJson(Invalid):
    """A text is not JSON, or JSON that two readers could understand differently."""

    code = "malformed_json"


class OutsideProfile(Invalid):
    """A value cannot enter an event: it is outside the log's restricted profile."""

    code = "outside_profile"


def sha256_hex(data: bytes) -> str:
    """The digest as `sha256:` and 64 lower-case hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical_bytes(value: Any) -> bytes:
    """RFC 8785 bytes of any JSON value; `MalformedJson` for what JSON cannot carry exactly."""
    if _is_simple(value, 0):
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError:
            # A lone surrogate: the strict way says what is wrong with it.
            pass
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise MalformedJson(f"This value has no canonical JSON form: {error}.") from error


def _is_simple(value: Any, depth: int) -> bool:
    """Whether orjson writes this value as RFC 8785 does: no floats, no large numbers, plain keys."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return bool(-INTEGER_LIMIT < value < INTEGER_LIMIT)
    if depth >= DEPTH_LIMIT:
        return False
    if kind is dict:
        return all(
            type(key) is str and key.isascii() and _is_simple(item, depth + 1)
            for key, item in value.items()
        )
    return kind is list and all(_is_simple(item, depth + 1) for item in value)


def event_bytes(value: dict[str, Any]) -> bytes:
    """Canonical bytes of a value inside the restricted profile; `OutsideProfile` says what is not."""
    _check(value, "", 0)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise OutsideProfile(f"This event cannot be written as JSON: {error}.") from error


def _check(value: Any, path: str, depth: int) -> None:
    kind = type(value)
    if kind is int:
        if not -INTEGER_LIMIT < value < INTEGER_LIMIT:
            raise OutsideProfile(f"The integer at {path or 'the top'} is not smaller than 2^53.")
    elif kind is dict or kind is list:
        if depth >= DEPTH_LIMIT:
            raise OutsideProfile(f"The value at {path} is nested deeper than {DEPTH_LIMIT} levels.")
        if kind is dict:
            for key, item in value.items():
                if type(key) is not str or not _KEY.fullmatch(key):
                    raise OutsideProfile(
                        f"The key {key!r} at {path or 'the top'} is not made of a-z, 0-9 and _ only."
                    )
                _check(item, f"{path}.{key}" if path else key, depth + 1)
        else:
            for index, item in enumerate(value):
                _check(item, f"{path}[{index}]", depth + 1)
    elif value is not None and kind is not str and kind is not bool:
        raise OutsideProfile(
            f"The value at {path or 'the top'} is a {kind.__name__}; an event holds only text, whole "
            "numbers, true, false, null, lists and objects."
        )


def loads_strict(text: str | bytes) -> Any:
    """Parse JSON that every reader understands in the same way.

    Refuses (with `MalformedJson`) duplicate keys, NaN and Infinity, integers of 2^53 and more, numbers
    that overflow, lone surrogates, bytes that are not UTF-8, and more than 32 levels.
    """
    try:
        source = text.decode() if isinstance(text, bytes) else text
        value = json.loads(
            source,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_float,
        )
    except UnicodeDecodeError as error:
        raise MalformedJson("The text is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise MalformedJson(
            f"{NOT_JSON}{error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    except RecursionError as error:
        raise MalformedJson(f"The JSON is nested deeper than {DEPTH_LIMIT} levels.") from error
    _check_parsed(value, 0)
    return value


def holds_nul(value: Any) -> bool:
    """Whether a text in a JSON value holds a NUL character, which PostgreSQL stores in no text."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(holds_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(holds_nul(item) for item in value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise MalformedJson(f"The key {key!r} stands twice in one object.")
        result[key] = value
    return result


def _constant(name: str) -> NoReturn:
    raise MalformedJson(f"{name} is not JSON.")


def _integer(digits: str) -> int:
    # The length is looked at first: converting a very long number is slow on purpose of its sender.
    if len(digits) > _LONGEST_INTEGER or not -INTEGER_LIMIT < int(digits) < INTEGER_LIMIT:
        raise MalformedJson("An integer is not smaller than 2^53; send it as text.")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedJson("A number is too large.")
    return number


def _check_parsed(value: Any, depth: int) -> None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise MalformedJson("A text holds a lone surrogate.") from error
    elif isinstance(value, dict | list):
        if depth >= DEPTH_LIMIT:
            raise MalformedJson(f"The JSON is nested deeper than {DEPTH_LIMIT} levels.")
        for item in value.values() if isinstance(value, dict) else value:
            _check_parsed(item, depth + 1)
        if isinstance(value, dict):
            for key in value:
                _check_parsed(key, depth + 1)
