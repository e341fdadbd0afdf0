"""What a verdict must bring: the fields of a decision, checked against kind and question. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext
from jsonschema.exceptions import SchemaError
from referencing.exceptions import Unresolvable

from approvals.errors import BadBody, VerdictNotOffered
from approvals.json_schemas import validator_of
from approvals.schemas import DecisionIn
from approvals.states import VERDICTS, Consequence
from approvals.vocabulary import Kind, Verdict
from audit.canonical import canonical_bytes, holds_nul, sha256_hex
from audit.errors import Invalid

_FIELDS = (
    "arguments",
    "answer",
    "caps",
    "result",
    "output",
    "choice",
    "message",
    "reason",
    "reason_code",
    "typed",
)
_TEXTS = frozenset({"reason", "message", "choice"})
LARGEST_VALUE = 60_000


def digest_of(decision: DecisionIn) -> str:
    """What tells one decision from another under the same nonce; time spent does not."""
    body = decision.model_dump(mode="json", exclude={"active_seconds", "nonce"})
    if decision.reason_code is None:
        # As before there were chips: a verdict sent again across a deploy stays the same verdict.
        del body["reason_code"]
    return sha256_hex(canonical_bytes(body))


def offered_verdicts(kind: Kind, question: Mapping[str, Any] | None) -> tuple[Verdict, ...]:
    """What may be said about such a request.

    Where a request for attention names ways to go on, to go on without saying how is none of them, unless
    it says so (`may_continue`).
    """
    offered = tuple(VERDICTS[kind])
    asked = question or {}
    if kind != Kind.ATTENTION or asked.get("may_continue") or not _values(asked.get("choices")):
        return offered
    return tuple(verdict for verdict in offered if verdict != Verdict.CONTINUE)


def consequence_of(
    kind: Kind, decision: DecisionIn, question: Mapping[str, Any] | None
) -> Consequence:
    """What this verdict does to such a request; raises `VerdictNotOffered`."""
    offered = offered_verdicts(kind, question)
    if decision.verdict not in offered:
        raise VerdictNotOffered(
            kind=kind.value, verdict=decision.verdict.value, offered=[v.value for v in offered]
        )
    return VERDICTS[kind][decision.verdict]


def checked(
    decision: DecisionIn, consequence: Consequence, question: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The fields that the verdict brought, by name; raises `BadBody` naming what does not fit.

    `question` may hold `schema` (JSON Schema of the answer or output), `choices`, `caps` (the names that
    may be extended) and `raising` (by name, the `most` that may be added).
    """
    given: dict[str, Any] = {}
    errors = []
    for name in _FIELDS:
        value = getattr(decision, name)
        if value is None:
            continue
        if not _takes(consequence, name):
            errors.append(
                _error(
                    name,
                    gettext("{verdict} does not take this; leave it out").format(
                        verdict=decision.verdict
                    ),
                )
            )
        elif isinstance(value, str) and name in _TEXTS and not value.strip():
            continue
        else:
            given[name] = value
    body = consequence.body
    absent = body is not None and body not in given and not errors
    if body == "reason" and "reason_code" in given:
        absent = False
    if absent and not (body == "answer" and _takes_null(question)):
        errors.append(
            _error(str(body), gettext("{verdict} needs it").format(verdict=decision.verdict))
        )
    errors.extend(_sizes(given))
    if not errors:
        errors.extend(_against_question(given, question or {}))
    if errors:
        raise BadBody(errors)
    for name in ("typed", "reason_code"):
        given.pop(name, None)
    return given


def _takes(consequence: Consequence, field: str) -> bool:
    """A chip is taken wherever a reason is."""
    name = "reason" if field == "reason_code" else field
    return name == consequence.body or name in consequence.optional


def _sizes(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    errors = []
    for name, value in given.items():
        try:
            size = len(canonical_bytes(value))
        except Invalid as error:
            errors.append(_error(name, error.detail))
            continue
        errors.extend(_nuls(name, value))
        if size > LARGEST_VALUE:
            errors.append(
                _error(
                    name,
                    gettext("at most {largest_value} bytes, this has {size}").format(
                        largest_value=LARGEST_VALUE, size=size
                    ),
                )
            )
    return errors


def _nuls(name: str, value: Any) -> list[dict[str, Any]]:
    """Where a text holds a NUL, which no table takes: at the argument, or at the field as a whole."""
    said = gettext("a text in it holds a NUL character")
    parts = value.items() if name == "arguments" and isinstance(value, Mapping) else ()
    inside = [key for key, part in parts if holds_nul(part) and not holds_nul(key)]
    if inside:
        return [_error(f"{name}.{key}", said) for key in inside]
    return [_error(name, said)] if holds_nul(value) else []


def _against_question(
    given: Mapping[str, Any], question: Mapping[str, Any]
) -> list[dict[str, Any]]:
    errors = []
    for name in ("answer", "output"):
        if name in given and isinstance(question.get("schema"), Mapping):
            errors.extend(_against_schema(name, given[name], question["schema"]))
    choices = _values(question.get("choices", ()))
    if choices and "choice" in given and given["choice"] not in choices:
        errors.append(
            _error("choice", gettext("choose one of {choices}").format(choices=", ".join(choices)))
        )
    if "caps" in given:
        errors.extend(_caps(given["caps"], question.get("caps"), question.get("raising") or {}))
    return errors


def _against_schema(name: str, value: Any, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    try:
        problems = sorted(
            validator_of(schema).iter_errors(value), key=lambda e: [str(p) for p in e.path]
        )
    except (SchemaError, Unresolvable) as error:
        return [
            _error(
                name,
                gettext("the question's own schema does not hold: {message}").format(
                    message=getattr(error, "message", error)
                ),
            )
        ]
    return [
        _error(".".join([name, *(str(part) for part in problem.path)]), problem.message)
        for problem in problems[:20]
    ]


def _caps(caps: Mapping[str, int], known: Any, raising: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = set(known) if isinstance(known, Mapping | list | tuple) else None
    errors = []
    if not caps:
        errors.append(_error("caps", gettext("name at least one cap and by how much to raise it")))
    for name, value in caps.items():
        if names is not None and name not in names:
            errors.append(
                _error(
                    f"caps.{name}",
                    gettext("choose from {names}").format(names=", ".join(sorted(names))),
                )
            )
        elif isinstance(value, bool) or value <= 0:
            errors.append(_error(f"caps.{name}", gettext("a whole number above zero")))
        elif value > (most := (raising.get(name) or {}).get("most", value)):
            allowed = gettext(
                "at most {most}, which is all that an admin allows runs of this agent"
            ).format(most=most)
            errors.append(_error(f"caps.{name}", allowed))
    return errors


def _values(choices: Any) -> list[str]:
    if not isinstance(choices, Sequence) or isinstance(choices, str):
        return []
    return [str(c["value"]) if isinstance(c, Mapping) else str(c) for c in choices]


def _takes_null(question: Mapping[str, Any] | None) -> bool:
    schema = (question or {}).get("schema")
    return isinstance(schema, Mapping) and bool(validator_of(schema).is_valid(None))


def _error(field: str, message: str) -> dict[str, Any]:
    return {"field": field, "message": message}
