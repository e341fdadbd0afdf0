"""How journals were and are written, and reading all of them as the newest. Pure.

Schema 1: a model step holds the whole request that was sent.
Schema 2: it holds what the model step before it does not: `after` is that step's seq, `keep` how many
of its messages the conversation starts with, `messages` those that came new. The tools, which are the
same each time, stand in a table of their own under `tools_sha256`. Everything else of the request stands
as it was sent. A request without `after` is whole but for its tools, as one of schema 1 is altogether;
so that what schema 1 wrote is read as it is.
Schema 3: calls may stand unjudged while their scores are gathered, by steps of the kind `score`. Only such
calls and steps are written under it, so that an older release leaves alone what it does not know.
Schema 4: calls of the kind `delegate` start a run of another agent, which `request` names under `child`; they
wait until their `resolution` says that it has ended. A step of the kind `route` says which of its tools the run is
offered, and which models it asks. States of workflows, and what models answered at their decision points. Only
these are written under it.
Schema 5: a model step notes under `context` what its request does not hold whole; that was not sent. Only
such steps are written under it.
Schema 6: a step of the kind `simulation` says that no call after it is made in earnest, so that an older release
leaves alone a run which it would carry out. Such a step stands before the first of a simulated run's own steps.

A journal of a newer schema than `Step.SCHEMA` is refused (`agents.drift`), and its requests are not shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agents.models import Step
from agents.states import StepKind
from audit.canonical import canonical_bytes, sha256_hex

AFTER: Final = "after"
KEEP: Final = "keep"
TOOLS: Final = "tools_sha256"
CONTEXT: Final = "context"
TOO_NEW: Final = "This was journalled by a newer release, which can read it."


@dataclass(frozen=True)
class Shortened:
    """A request as the journal keeps it, and the tools to be kept beside it where they may be new there."""

    request: dict[str, Any]
    offer: dict[str, Any] | None


def shortened(
    request: Mapping[str, Any], earlier: Sequence[Step], notes: Mapping[str, Any] | None = None
) -> Shortened:
    """The request without what the earlier steps of the run hold; `whole_request` gives it back exactly.

    `notes`: what is to be kept beside it of what it does not hold.
    """
    kept: dict[str, Any] = {**request, **({CONTEXT: dict(notes)} if notes else {})}
    last = next((step for step in reversed(earlier) if _is_conversation(step)), None)
    known = None
    if last is not None and "messages" in request:
        before = messages_of(last.seq, earlier)
        same = _shared(before, request["messages"])
        known = (last.request or {}).get(TOOLS)
        kept |= {AFTER: last.seq, KEEP: same, "messages": list(request["messages"][same:])}
    tools = kept.pop("tools", None)
    if tools is None:
        return Shortened(kept, None)
    digest = sha256_hex(canonical_bytes(tools))
    kept[TOOLS] = digest
    return Shortened(kept, None if digest == known else {"digest": digest, "tools": tools})


def whole_request(
    step: Step, steps: Sequence[Step], tools: Mapping[str, list[dict[str, Any]]]
) -> Any:
    """The request of a model step as it was sent; of other steps, what they hold.

    `steps` hold at least the model steps before it, in order; `tools` the offered tools by digest.
    """
    if step.kind != StepKind.MODEL or not isinstance(step.request, dict):
        return step.request
    if step.schema > Step.SCHEMA:
        return TOO_NEW
    whole = {
        name: value
        for name, value in step.request.items()
        if name not in (AFTER, KEEP, TOOLS, CONTEXT)
    }
    if "messages" in whole:
        whole["messages"] = messages_of(step.seq, steps)
    if TOOLS in step.request:
        whole["tools"] = tools[step.request[TOOLS]]
    return whole


def messages_of(seq: int, steps: Sequence[Step]) -> list[dict[str, Any]]:
    """The conversation that was sent in the model step with that seq."""
    requests = {step.seq: step.request for step in steps if _is_conversation(step)}
    pieces: list[tuple[list[dict[str, Any]], int | None]] = []
    here: int | None = seq
    limit: int | None = None
    while here is not None:
        request = requests[here] or {}
        pieces.append((request["messages"], limit))
        here, limit = request.get(AFTER), request.get(KEEP)
    messages: list[dict[str, Any]] = []
    for new, keep in reversed(pieces):
        messages.extend(new)
        if keep is not None:
            del messages[keep:]
    return messages


def follows(step: Step) -> int | None:
    """The seq of the step whose messages this one's begin with, if any."""
    return (step.request or {}).get(AFTER) if _is_conversation(step) else None


def offers_in(steps: Sequence[Step]) -> set[str]:
    """Digests of the offered tools that these steps refer to."""
    return {
        step.request[TOOLS]
        for step in steps
        if step.kind == StepKind.MODEL and isinstance(step.request, dict) and TOOLS in step.request
    }


def _is_conversation(step: Step) -> bool:
    return (
        step.kind == StepKind.MODEL
        and step.schema <= Step.SCHEMA
        and isinstance(step.request, dict)
        and "messages" in step.request
    )


def _shared(before: Sequence[Any], now: Sequence[Any]) -> int:
    """How many messages both begin with."""
    same = 0
    for one, other in zip(before, now, strict=False):
        if one != other:
            break
        same += 1
    return same
