"""What an approval binds to: the SHA-256 of the exact call. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.canonical import canonical_bytes, sha256_hex


def action_digest(tool: str, tool_version: str, arguments: Mapping[str, Any]) -> str:
    """`sha256:` + hex over the canonical JSON (RFC 8785) of tool, its version and the arguments.

    `arguments` are the normalised ones (`model_dump(mode="json")`).
    """
    return sha256_hex(
        canonical_bytes({"tool": tool, "tool_version": tool_version, "arguments": dict(arguments)})
    )


def document_digest(document: Mapping[str, Any]) -> str:
    """`sha256:` + hex over the canonical JSON of any document, such as a policy."""
    return sha256_hex(canonical_bytes(dict(document)))
