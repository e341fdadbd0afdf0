"""The same figures the slow way: a loop over rows, with definitions written down a second time.

Nothing of insights is used but its words for the keys.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any

from agents.models import EffectRecord, Run, Step
from approvals.models import ApprovalRequest, Viewing, Vote

Key = tuple[date, str, str, str, str, str]


def milliseconds(span: timedelta) -> int:
    return max(0, int(span / timedelta(milliseconds=1)))


def bucket(value: int) -> str:
    edges, edge = 0, 100
    while value >= edge and edge < 400 * 24 * 3_600_000:
        edges += 1
        edge = -(-edge * 12 // 10)
    return str(edges + (value >= edge))


class Direct:
    """`figures`: (day, agent, version, tool, measure, key) → (number, total); `people`: sums of each; `spans`: the
    milliseconds themselves of what figures keep in buckets. Only of `agents`, where some are named."""

    def __init__(
        self, *, now: datetime, window: timedelta, agents: Collection[str] | None = None
    ) -> None:
        self.now, self.window = now, window
        self.spans: dict[Key, list[int]] = defaultdict(list)
        self.numbers: Counter[Key] = Counter()
        self.totals: Counter[Key] = Counter()
        self.people: dict[tuple[date, str, str, str, int], Counter[str]] = {}
        runs = Run.objects.select_related("agent", "agent_version").filter(undoes=None)
        for run in runs.filter(simulated=False):
            if agents is None or run.agent.slug in agents:
                self._run(run)
        for request in ApprovalRequest.objects.exclude(state="pending"):
            if agents is None or request.agent in agents:
                self._request(request)

    @property
    def figures(self) -> dict[Key, tuple[int, int]]:
        return {key: (number, self.totals[key]) for key, number in self.numbers.items()}

    def _add(
        self, where: Any, measure: str, key: str = "", number: int = 1, total: int = 0
    ) -> None:
        day, agent, version, tool = where
        full = (day, agent, version, tool, measure, key)
        self.numbers[full] += number
        self.totals[full] += total

    def _span(self, where: Any, measure: str, milliseconds: int) -> None:
        self._add(where, measure, bucket(milliseconds), total=milliseconds)
        self.spans[*where, measure, ""].append(milliseconds)

    def _run(self, run: Run) -> None:
        where = (run.created_at.date(), run.agent.slug, run.agent_version.digest, "")
        self._add(where, "started")
        if run.finished_at is None:
            return
        steps = list(Step.objects.filter(run=run).order_by("seq"))
        priced = [step for step in steps if step.kind == "model"]
        result, failure, provisional = self._result(run, steps)
        self._add(where, "result", result, total=sum(step.cost_micros or 0 for step in priced))
        band = "21+"
        for most, name in ((3, "1-3"), (6, "4-6"), (10, "7-10"), (20, "11-20")):
            if run.step_count <= most:
                band = name
                break
        self._add(where, "band", f"{band} {'success' if result == 'success' else 'other'}")
        if failure:
            self._add(where, "failure", failure)
        if provisional:
            self._add(where, "provisional")
        retries = sum(len(step.attempts) for step in steps)
        if retries:
            self._add(where, "retried", total=retries)
        unpriced = sum(step.state == "succeeded" and step.cost_micros is None for step in priced)
        if unpriced:
            self._add(where, "unpriced", total=unpriced)
        first = self._first_intervention(run, steps, failure)
        if first is not None:
            self._add(where, "intervened", total=milliseconds(first - run.created_at))
        whole = milliseconds(run.finished_at - run.created_at)
        worked = milliseconds(
            run.finished_at - run.created_at - timedelta(seconds=run.waited_seconds)
        )
        self._span(where, "resolved", whole)
        self._span(where, "worked", worked)
        for step in steps:
            if step.kind == "tool":
                self._call(where, step)

    def _result(self, run: Run, steps: list[Step]) -> tuple[str, str, bool]:
        assert run.finished_at is not None
        if (run.state, run.outcome) != ("succeeded", "done"):
            if run.outcome == "abstained":
                return "abstained", "abstained", False
            return "failed" if run.state == "failed" else "stopped", self._failure(steps), False
        said = {(step.resolution or {}).get("kind") for step in steps if step.kind == "final"}
        if "corrected" in said:
            return "corrected", "wrong_answer", False
        if "accepted" in said:
            return "success", "", False
        effects = EffectRecord.objects.filter(run=run).exclude(state__in=["ready", "failed"])
        last = run.finished_at + self.window
        for effect in effects:
            undos = Step.objects.filter(undoes=effect, state="succeeded")
            if any(
                run.finished_at < undo.finished_at <= last for undo in undos if undo.finished_at
            ):
                return "corrected", "undone", False
        if any(effect.state == "bounced" for effect in effects):
            return "corrected", "bounced", False
        return "success", "", effects.exists() and self.now < last

    def _failure(self, steps: list[Step]) -> str:
        for step in reversed(steps):
            said = (step.resolution or {}).get("kind")
            over = said in ("stopped", "expired") or step.state != "succeeded"
            if step.kind == "budget" and over:
                return "limit"
            if step.kind == "attention" and over:
                return {
                    "repairs_exhausted": "unusable_replies",
                    "same_call": "loop",
                    "crash_loop": "crash",
                    "model_timeout": "model",
                    "tools_changed": "deploy",
                    "odd": "other",
                }[step.name]
            if step.kind == "final" and said == "sent_back":
                return "wrong_answer"
            if step.kind == "model" and step.problem == "model_timeout":
                return "model"
            if said == "expired":
                return "no_decision"
            if step.kind == "tool":
                if said in ("stopped", "rejected"):
                    return "refused"
                if step.problem == "denied":
                    return "denied"
                if step.state == "failed":
                    return "tool_error"
            if step.kind in ("tool", "question") and step.state == "succeeded":
                break
        return "cancelled"

    def _first_intervention(self, run: Run, steps: list[Step], failure: str) -> datetime | None:
        moments = [run.finished_at] if failure == "cancelled" and run.parent_id is None else []
        for step in steps:
            resolution = step.resolution or {}
            if step.kind == "message":
                moments.append(step.finished_at)
            elif resolution.get("by_id") and (
                resolution["edited"]
                or resolution["kind"] not in ("approved", "accepted", "answered")
            ):
                moments.append(ApprovalRequest.objects.get(pk=step.approval_id).decided_at)
        return min((moment for moment in moments if moment), default=None)

    def _call(self, where: Any, step: Step) -> None:
        known = step.name in ("issue_refund", "read_order")
        where = (*where[:3], step.name if known else "")
        resolution = step.resolution or {}
        if step.judgement:
            gate = step.judgement["verdict"]["outcome"]
            said = resolution.get("kind")
            how = None
            if step.approval_id is None:
                how = {"allow": "auto", "deny": "denied"}.get(gate)
            elif said == "expired":
                how = "expired"
            elif said and resolution.get("by_id"):
                how = "edited" if resolution.get("edited") else said
            if how:
                self._add(where, "call", how)
        if step.state == "failed":
            self._add(where, "error", step.problem)
        if step.problem == "arguments_invalid":
            assert step.output is not None
            names = {
                part.split(":")[0].split(".")[0] for part in step.output["message"].split("; ")
            }
            takes = "order|amount" if step.name == "issue_refund" else "order"
            for name in {name if re.fullmatch(takes, name) else "?" for name in names}:
                self._add(where, "argument", name)

    def _request(self, request: ApprovalRequest) -> None:
        assert request.decided_at is not None
        assert request.resolution is not None
        day = request.decided_at.date()
        where = (day, request.agent, request.agent_version, request.tool)
        kind = request.resolution["kind"]
        by_person = request.decided_by_id is not None
        how = kind if by_person or kind == "expired" else "withdrawn"
        if by_person and kind == "approved" and request.resolution["data"]["edited"]:
            how = "edited"
        self._add(where, "decided", how)
        if request.review_deadline and how != "withdrawn":
            late = kind == "expired" or request.decided_at > request.review_deadline
            self._add(where, "deadline", "missed" if late else "met")
        if by_person:
            took = milliseconds(request.decided_at - request.created_at)
            self._span(where, "to_decide", took)
        looked = [each.opened_at for each in Viewing.objects.filter(request=request)]
        if looked:
            took = milliseconds(min(looked) - request.created_at)
            self._span(where, "to_look", took)
        for vote in Vote.objects.filter(request=request):
            person = self.people.setdefault((*where, vote.user_id), Counter())
            approves = vote.verdict in ("approve", "edit")
            risky = request.kind == "action" and request.risk in ("high", "critical")
            fast = vote.opened_at is None or vote.created_at - vote.opened_at < timedelta(seconds=3)
            person["verdicts"] += 1
            person["approved"] += approves
            person["risky"] += risky
            person["risky_approved"] += risky and approves
            person["fast"] += risky and approves and fast
            person["timed"] += vote.active_seconds is not None
            person["active_seconds"] += vote.active_seconds or 0
