"""Simulate: what a draft would have made of the actions of a range of time."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from accounts.callers import Caller
from approvals import ports, queues
from approvals.authority import require_writer, writable_drafts
from approvals.errors import BadRange, DraftUnknown
from approvals.models import Simulation
from approvals.policies import Policy, PublishedPolicy, load
from approvals.policy_words import names_of
from approvals.services import policies
from approvals.simulating import Comparison
from approvals.simulations import decision_times, past_actions
from audit.clock import database_now
from audit.errors import Refusal

#: So many actions are judged while the person waits; more than that in the background.
AT_ONCE = 1_000
LONGEST_RANGE = timedelta(days=366)
#: A simulation that nobody has worked on for so long was lost on the way.
UNHEARD = timedelta(seconds=30)
State = Simulation.State

log = logging.getLogger(__name__)


def ask_simulation(
    *, draft_id: int, since: datetime, until: datetime, line: str, caller: Caller
) -> Simulation:
    """Judge the actions of [since, until) by the draft and by the policy in force.

    `line` is the key of the threshold that the curve runs over; empty for none. A few actions are judged
    at once, many in the background. Raises `DraftUnknown`, `BadRange`, and `LineUnknown` or `BadPolicy` for
    the line.
    """
    authority = require_writer(caller)
    draft = writable_drafts(authority).filter(pk=draft_id).first()
    if draft is None:
        raise DraftUnknown(draft_id)
    if not since < until or until - since > LONGEST_RANGE:
        raise BadRange(LONGEST_RANGE.days)
    policy = load(draft.document)
    if line:
        _extremes(policy, line)
    total = ports.runs().past_calls_number(since, until)
    with transaction.atomic():
        simulation = Simulation.objects.create(
            draft=draft,
            edition=draft.edition,
            document=draft.document,
            against=policies.current().version,
            line=line,
            since=since,
            until=until,
            total=total,
            asked_by=caller.user,
        )
        if total > AT_ONCE:
            queues.simulate_on_commit(simulation.pk)
    if total <= AT_ONCE:
        run_simulation(simulation.pk)
        simulation.refresh_from_db()
    return simulation


def run_simulation(simulation_id: UUID) -> None:
    """Judge them; does nothing for one that is finished. May run twice with the same result."""
    unfinished = Simulation.objects.filter(
        pk=simulation_id, state__in=[State.QUEUED, State.RUNNING]
    )
    if not unfinished.update(state=State.RUNNING):
        return
    simulation = Simulation.objects.get(pk=simulation_id)
    try:
        result = _judged(simulation)
    except Refusal as refusal:
        unfinished.update(
            state=State.FAILED, problem=refusal.detail[:300], finished_at=database_now()
        )
        return
    except BaseException:
        unfinished.update(
            state=State.FAILED,
            problem="The simulation was interrupted. Ask for it again.",
            finished_at=database_now(),
        )
        raise
    unfinished.update(
        state=State.FINISHED, result=result, done=simulation.total, finished_at=database_now()
    )


def resume_simulations() -> int:
    """Put simulations on the queue again whose wake-up or worker was lost; returns how many. For the
    scheduler."""
    unheard = Simulation.objects.filter(
        state__in=[State.QUEUED, State.RUNNING], beat_at__lt=database_now() - UNHEARD
    )
    ids = list(unheard.values_list("pk", flat=True))
    for pk in ids:
        queues.simulate(pk)
    return len(ids)


def _judged(simulation: Simulation) -> dict[str, object]:
    policy = load(simulation.document)
    comparison = Comparison(
        policies.version(simulation.against),
        _as_published(policy),
        decision_times(simulation.since, simulation.until),
        _extremes(policy, simulation.line) if simulation.line else None,
    )
    done = 0
    for batch in past_actions(simulation.since, simulation.until):
        for past in batch:
            comparison.add(past)
        done += len(batch)
        Simulation.objects.filter(pk=simulation.pk).update(done=done, beat_at=database_now())
    days = (simulation.until - simulation.since) / timedelta(days=1)
    return comparison.result(days)


def _extremes(policy: Policy, line: str) -> tuple[PublishedPolicy, PublishedPolicy]:
    lowest, highest = (policy.with_threshold(share, **names_of(line)) for share in ("0", "1"))
    return _as_published(lowest), _as_published(highest)


def _as_published(policy: Policy) -> PublishedPolicy:
    return PublishedPolicy(0, policy.digest(), policy)
