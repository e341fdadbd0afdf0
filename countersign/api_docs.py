"""The OpenAPI document: what is added to Ninja's, and its outline for the documentation page."""

from collections.abc import Iterator
from typing import Any, Final, TypeVar

Document = TypeVar("Document", bound=dict[str, Any])

METHODS: Final = ("get", "post", "put", "patch", "delete")

PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "An RFC 9457 problem document.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "instance", "params"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence that says what to do."},
        "code": {"type": "string", "description": "Stable; what a program should look at."},
        "instance": {"type": "string"},
        "params": {"type": "object", "description": "What the code speaks of."},
        "errors": {
            "type": "array",
            "description": "With the code invalid_request: one entry per field.",
            "items": {
                "type": "object",
                "required": ["in", "field", "detail", "code"],
                "properties": {
                    "in": {"type": "string"},
                    "field": {"type": "string"},
                    "detail": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
        "request_id": {"type": "string", "description": "With the code internal_error."},
    },
}


def with_problems(document: Document) -> Document:
    """Add to every operation that any error is a problem document; returns the same document."""
    document["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    answer = {
        "description": "Any refusal or failure",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].setdefault("default", answer)
    return document


def outline(document: dict[str, Any]) -> dict[str, Any]:
    """What templates/api_docs.html takes: title, description, and operations by tag."""
    schemas = document["components"].get("schemas", {})
    sections: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method in METHODS:
            if operation := operations.get(method):
                tag = (operation.get("tags") or ["other"])[0]
                sections.setdefault(tag, []).append(_operation(method, path, operation, schemas))
    return {
        "title": document["info"]["title"],
        "version": document["info"]["version"],
        # Its code marks are Markdown, which the page does not read.
        "description": document["info"]["description"].replace("`", ""),
        "sections": sections,
        "problem": list(_fields(PROBLEM, schemas)),
    }


def _operation(
    method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]
) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation.get("summary", ""),
        "description": operation.get("description", "").replace("`", ""),
        "parameters": [
            {
                "name": parameter["name"],
                "in": parameter["in"],
                "type": _type(parameter["schema"]),
                "required": parameter["required"],
                "description": parameter.get("description", ""),
            }
            for parameter in operation.get("parameters", ())
        ],
        "body": list(_fields(_resolved(body.get("schema", {}), schemas), schemas)),
        "answers": [
            {
                "label": f"{status} {answer['description']}",
                "fields": list(_fields(_answer_schema(answer, schemas), schemas)),
            }
            for status, answer in operation["responses"].items()
            if status != "default"
        ],
    }


def _answer_schema(answer: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return _resolved(schema, schemas)


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    if name := schema.get("$ref", "").rpartition("/")[2]:
        return dict(schemas.get(name, {}))
    return schema


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        target = _resolved(field, schemas)
        yield {
            "name": name,
            "type": _type(field),
            "required": name in required,
            "description": field.get("description") or target.get("description", ""),
        }


def _type(schema: dict[str, Any]) -> str:
    """A schema in a word or two: text for readers, not a second schema language."""
    if reference := schema.get("$ref"):
        return str(reference).rpartition("/")[2]
    if options := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return " or ".join(dict.fromkeys(_type(option) for option in options))
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any JSON")
