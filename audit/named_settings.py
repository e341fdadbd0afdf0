"""What a setting names, each under a short name: a JSON object in one variable."""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from audit.canonical import MalformedJson, loads_strict

NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_OBJECT: Final = TypeAdapter(dict[str, Any])
Shape = TypeVar("Shape")


def named(
    text: str, kind: TypeAdapter[Shape], what: str, *, is_tagged: bool = False
) -> dict[str, Shape]:
    """Each of them by its name; `is_tagged`: what kind of shape it is stands first in the place of a mistake.

    ValueError says `what` is asked for, or what does not fit and under which name, and never a value.
    """
    try:
        given = _OBJECT.validate_python(loads_strict(text.encode()))
    except (MalformedJson, ValidationError):
        raise ValueError(what) from None
    found: dict[str, Shape] = {}
    for name, value in given.items():
        if not NAME.fullmatch(name):
            raise ValueError(f"names {name!r}; use small letters, digits and hyphens")
        try:
            found[name] = kind.validate_python(value)
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, problem["loc"][is_tagged:]))
            said = problem["msg"].removeprefix("Value error, ")
            raise ValueError(
                f"{name!r} cannot be used: {f'{where}: {said}' if where else said}"
            ) from None
    return found
