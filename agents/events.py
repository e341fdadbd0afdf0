"""What others are told about runs: audit events in one place, and hints to open pages on commit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.hints import EVERYBODY, EVERYTHING, Hint, publish, to_group, to_person, to_run
from agents.kill_switches import KillSwitch
from agents.models import Run, Step
from agents.states import SwitchScope
from approvals.vocabulary import Risk
from audit.actors import Actor
from audit.canonical import MalformedJson, canonical_bytes, sha256_hex
from audit.recorder import record
from audit.schemas import ActionRef, AgentRef, Disclose, Outcome, PolicyRef


def run_stream(run_id: UUID) -> str:
    """The audit stream of a run."""
    return f"run:{run_id}"


def agent_ref(run: Run) -> AgentRef:
    """The run's agent, version and id, as events name them."""
    return AgentRef(slug=run.agent.slug, version=run.agent_version.digest, run=run.pk)


def tell(
    run: Run,
    type: str,
    *,
    actor: Actor | None = None,
    action: ActionRef | None = None,
    policy: PolicyRef | None = None,
    outcome: Outcome | None = None,
    request: UUID | None = None,
    facts: dict[str, Any] | None = None,
    disclosures: Sequence[Disclose] = (),
) -> None:
    """Record an event of the run, by its agent unless somebody else did it."""
    record(
        type=type,
        actor=actor or Actor.agent(run.agent.slug),
        # What belongs to a request stands in the request's stream, so that its story is whole there.
        stream=f"request:{request}" if request else run_stream(run.pk),
        agent=agent_ref(run),
        action=action,
        policy=policy,
        outcome=outcome,
        request=request,
        run=run.pk,
        facts={**(facts or {}), "simulated": True} if run.simulated else facts,
        disclosures=disclosures,
    )


def action_ref(step: Step, risk: Risk) -> ActionRef:
    """The tool call of a step, as events name it; a hidden score stays out of them."""
    hidden = not (step.coin or {}).get("score_visible", True)
    return ActionRef(
        tool=step.name, risk=risk.value, confidence_bp=None if hidden else step.confidence_bp
    )


def args_disclosure(run: Run, digest: str) -> Disclose:
    """The digest of a call's arguments, salted: a bare one of short arguments could be guessed."""
    return Disclose("args_sha256", digest, f"run:{run.pk}")


def result_disclosures(run: Run, result: Any) -> list[Disclose]:
    """The digest of what an effect gave back, salted; none for a result without a canonical form."""
    try:
        digest = sha256_hex(canonical_bytes(result))
    except MalformedJson:
        return []
    return [Disclose("result_sha256", digest, f"run:{run.pk}")]


def exchange_disclosure(run: Run, step: Step, reply: dict[str, Any] | None) -> Disclose:
    """The digests of what a model was sent and of what it replied, salted; never a text of either.

    The reply's is over its JSON as the journal stores it, written in ASCII with sorted keys and no spaces.
    Without a reply that may be known, only the request's.
    """
    digests = {"request_sha256": step.input_digest}
    if reply is not None:
        text = json.dumps(reply, sort_keys=True, separators=(",", ":"))
        digests["reply_sha256"] = sha256_hex(text.encode())
    return Disclose("exchange", digests, f"run:{run.pk}")


def announce(run: Run, kind: str, *, version: int | None = None) -> None:
    """On commit, hint to whoever may watch the run that it changed.

    `version`: the one that the row was raised to; one more than `run` says, unless it was read after that.
    """
    audiences = [
        to_run(run.pk),
        to_person(run.initiator_id),
        to_group(run.agent.owner_group_id),
        EVERYTHING,
    ]
    # Under the run's lock: nobody else raises its version before this transaction ends.
    raised = run.version + 1 if version is None else version
    hint: Hint = {"topic": "run", "id": str(run.pk), "version": raised, "kind": kind}
    transaction.on_commit(partial(publish, audiences, hint), robust=True)


def tell_switch(switch: KillSwitch, actor: Actor, why: str) -> None:
    """Record that the switch was set, or lifted."""
    kinds = ("agent.disabled", "agent.enabled")
    if switch.scope is not SwitchScope.AGENT:
        kinds = ("switch.set", "switch.lifted")
    slug = switch.agent.slug if switch.agent else None
    stream = f"agent:{slug}" if slug else "log"
    record(
        type=kinds[0] if switch.is_on else kinds[1],
        actor=actor,
        stream=stream,
        agent=AgentRef(slug=slug) if slug else None,
        facts={
            "switch": switch.pk,
            "scope": switch.scope.value,
            **({"tool": switch.tool} if switch.tool else {}),
        },
        disclosures=[Disclose("reason", why, f"switch:{switch.pk}")],
    )


def announce_switch(switch: KillSwitch, kind: str) -> None:
    """On commit, hint to every open page: what is switched off may be seen on any of them."""
    version = 1 if switch.is_on else 2
    hint: Hint = {"topic": "switch", "id": str(switch.pk), "version": version, "kind": kind}
    transaction.on_commit(partial(publish, [EVERYBODY], hint), robust=True)
