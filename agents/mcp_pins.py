"""What MCP servers say of their tools, as it was looked at once: a file beside the code of the agent.

The file is written by `manage.py sync_mcp`, read by people like any code, and part of the agent's version. What a
server says later takes no effect before it stands there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, ValidationError

from agents.definition_rules import RESERVED
from approvals.json_schemas import problem_of_patterns
from audit.canonical import canonical_bytes, sha256_hex

FILE: Final = "mcp_pins.json"
LONGEST_DESCRIPTION: Final = 2_000
MOST_SCHEMA_BYTES: Final = 32_000
HINTS: Final = ("readOnlyHint", "destructiveHint", "idempotentHint")
REFERENCES: Final = frozenset({"$ref", "$dynamicRef"})
COMBINED: Final = frozenset({"allOf", "if", "dependentSchemas", "unevaluatedProperties"})


class Pin(BaseModel):
    """One tool as its server described it. `hints` are what it says of its effects, never trusted."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None = None
    hints: dict[str, bool] = {}

    @cached_property
    def digest(self) -> str:
        """`sha256:` and hex, over all of it."""
        return sha256_hex(canonical_bytes(self.model_dump(mode="json")))

    @cached_property
    def shape(self) -> str:
        """Twelve hex digits over what a call and its result look like, and over the hints: not the words."""
        looks = self.model_dump(mode="json", exclude={"description"})
        return sha256_hex(canonical_bytes(looks)).removeprefix("sha256:")[:12]

    def differences(self, other: Pin) -> list[str]:
        """What differs, in words."""
        words = {
            "description": "description",
            "input_schema": "arguments",
            "output_schema": "result",
            "hints": "hints",
        }
        return [word for name, word in words.items() if getattr(self, name) != getattr(other, name)]


def pin_of(listed: Mapping[str, Any]) -> Pin:
    """The pin of a tool as a server lists it (`description`, `inputSchema`, `outputSchema`, `annotations`)."""
    said = " ".join(str(listed.get("description") or "").split())
    words = "".join(letter if letter.isprintable() else "�" for letter in said)
    hints = listed.get("annotations") or {}
    return Pin(
        description=words
        if len(words) <= LONGEST_DESCRIPTION
        else f"{words[:LONGEST_DESCRIPTION]}…",
        input_schema=listed["inputSchema"],
        output_schema=listed.get("outputSchema"),
        hints={name: hints[name] for name in HINTS if isinstance(hints.get(name), bool)},
    )


def problem_of(pin: Pin) -> str:
    """Why a tool that is described so cannot be used; empty when it can."""
    schema = pin.input_schema
    for each in (schema, pin.output_schema or {}):
        if len(json.dumps(each)) > MOST_SCHEMA_BYTES:
            return f"its schema is larger than {MOST_SCHEMA_BYTES:,} bytes"
        try:
            Draft202012Validator.check_schema(each)
        except SchemaError:
            return "its schema is no JSON Schema of the draft 2020-12"
        if unheld := problem_of_patterns(each):
            return f"its schema {unheld}"
        if _leads_away(each):
            return "its schema leads to another document"
    if schema.get("type") != "object":
        return "its arguments are no object"
    if combined := COMBINED & schema.keys():
        return (
            f"its arguments are combined by {', '.join(sorted(combined))}, so no field is unknown"
        )
    if taken := set(RESERVED) & set(schema.get("properties", {})):
        return f"it takes {', '.join(sorted(taken))}, which is added to every tool"
    return ""


def _leads_away(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(
            (key in REFERENCES and not str(each).startswith("#")) or _leads_away(each)
            for key, each in value.items()
        )
    return isinstance(value, list) and any(map(_leads_away, value))


class PinFile(BaseModel):
    """The pins of one app: server → tool → pin."""

    model_config = ConfigDict(extra="forbid")
    servers: dict[str, dict[str, Pin]] = {}

    def pin(self, server: str, tool: str) -> Pin | None:
        return self.servers.get(server, {}).get(tool)

    def write(self, path: Path) -> None:
        """Write it sorted, so that a difference reads line by line."""
        text = json.dumps(
            self.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False
        )
        path.write_text(f"{text}\n", encoding="utf-8")


def read_pins(path: Path) -> PinFile:
    """The file, or an empty one where there is none. Raises ValueError for one that cannot be read."""
    try:
        return PinFile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return PinFile()
    except ValidationError as error:
        raise ValueError(
            f"{path} is no file of pins; write it anew with manage.py sync_mcp"
        ) from error
