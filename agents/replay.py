"""Replaying a run from its journal: what was sent to models, and what code and gate said, made anew and compared.

Nothing is asked of a model and no tool is called: what they gave is taken from the journal. Nothing is written
either: PostgreSQL is told so. Every request is compared byte for byte, in the canonical form that its digest is of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from accounts.callers import Caller
from agents import registry
from agents.definitions import Agent
from agents.journal_schemas import TOO_NEW, offers_in, whole_request
from agents.masking import NOT_SHOWN, Mask
from agents.models import AgentVersion, OfferedTools, Run, Step
from agents.rebuilding import NotRebuilt, Rebuilder, version_at
from agents.replayed import Against, Replay, Replayed, Result
from agents.replayed_calls import proposed, reading_of, verdict_of
from agents.request_diff import decision_changes, request_changes
from agents.services.call_model import digest_of
from agents.states import StepKind
from agents.step_context import mask_of
from approvals.policies import PublishedPolicy
from approvals.services.policies import current
from audit.canonical import canonical_bytes, sha256_hex
from audit.read_only import read_only
from audit.wordings import Words

ASKED: Final = frozenset({StepKind.MODEL, StepKind.SCORE, StepKind.ROUTE})
"""Steps that sent something to a model."""
REPLAYED: Final = ASKED | {StepKind.STATE}


WHY: Final = Words(
    {
        "damaged": "What the journal holds is not what its digest is of: somebody changed one of them after the "
        "call.",
        "unreadable": "The code of today cannot read the journal here ({error}).",
        "agent_gone": "No installed app declares its agent.",
    }
)
log = structlog.get_logger(__name__)


def usual_for(run: Run) -> Against:
    """What a run is replayed with unless somebody says otherwise: a fork that tries other words, with these."""
    return Against.RECORDED if run.simulated else Against.INSTALLED


def replay(
    run: Run, *, mask: Mask, against: Against, after: int = 0, most: int | None = None
) -> Replay:
    """The steps after that seq, at most `most` that were sent to a model or decided by code. `mask`: what of the
    run its reader may not see.

    `run` is read with its agent and version. Five queries at most, however many steps.
    """
    installed = registry.find(run.agent.slug)
    if installed is None:
        gone = Replayed(0, "run", run.agent.slug, Result.CANNOT, WHY["agent_gone"])
        return Replay(run, against, "", [gone])
    with read_only():
        steps = list(Step.objects.filter(run=run).in_order())
        chosen, more = _chosen(steps, after, most)
        replaying = _Replaying.of(run, installed, against, mask, steps, chosen)
        return Replay(
            run,
            against,
            installed.version,
            [replaying.step(step) for step in chosen],
            chosen[-1].seq if more else None,
        )


def _chosen(steps: Sequence[Step], after: int, most: int | None) -> tuple[list[Step], bool]:
    """The steps that are looked at, and whether there are more."""
    found: list[Step] = []
    counted = 0
    for step in steps:
        if step.seq <= after or not (step.kind in REPLAYED or step.judgement or _is_read(step)):
            continue
        if step.kind in REPLAYED:
            counted += 1
            if most is not None and counted > most:
                return found, True
        found.append(step)
    return found, False


def _is_read(step: Step) -> bool:
    """Whether the step is a call that a reply asked for."""
    return bool(step.call_id) and step.kind != StepKind.DECISION and step.undoes_id is None


@dataclass(frozen=True)
class _Replaying:
    rebuilder: Rebuilder
    steps: Sequence[Step]
    mask: Mask
    tools: Mapping[str, list[dict[str, Any]]]
    published: PublishedPolicy | None

    @classmethod
    def of(
        cls,
        run: Run,
        installed: Agent,
        against: Against,
        mask: Mask,
        steps: Sequence[Step],
        chosen: Sequence[Step],
    ) -> _Replaying:
        versions: dict[str, AgentVersion] = {}
        if against is Against.RECORDED:
            newest = run.agent_version.digest
            digests = {version_at(steps, step.seq, newest) for step in chosen}
            rows = AgentVersion.objects.filter(digest__in=digests)
            versions = {version.digest: version for version in rows}
        offers = OfferedTools.objects.in_bulk(offers_in(steps))
        return cls(
            Rebuilder(run, installed, steps, versions),
            steps,
            mask,
            {digest: offer.tools for digest, offer in offers.items()},
            current() if any(step.judgement for step in chosen) else None,
        )

    def step(self, step: Step) -> Replayed:
        """One step made anew."""
        if step.schema > Step.SCHEMA:
            return Replayed(step.seq, step.kind, step.name, Result.CANNOT, TOO_NEW)
        try:
            if step.kind in ASKED:
                return self._asked(step)
            if step.kind == StepKind.STATE:
                return self._decided(step)
            return self._called(step)
        except NotRebuilt as error:
            why = self.mask.withheld.text(str(error))
        # A journal that was damaged, or that code of today cannot read: the other steps are told of all the same.
        except Exception as error:
            log.warning("not_replayed", run=str(step.run_id), step=step.seq, exc_info=True)
            why = WHY["unreadable"].format(error=type(error).__name__)
        result = Result.CANNOT if step.kind in REPLAYED else None
        return Replayed(step.seq, step.kind, step.name, result, why)

    def _asked(self, step: Step) -> Replayed:
        recorded = self._recorded(step)
        if digest_of(recorded) != step.input_digest:
            raise NotRebuilt(WHY["damaged"])
        rebuilt = self.rebuilder.request(step, self._sent)
        digest = digest_of(rebuilt)
        name = step.name if step.kind != StepKind.MODEL else step.model or step.name
        if digest == step.input_digest:
            return Replayed(
                step.seq, step.kind, name, Result.SAME, digests=self._digests(step, digest)
            )
        clear = self.mask.withheld.content
        hides = self._hides(step)
        changes = [] if hides else request_changes(clear(recorded), clear(rebuilt))
        why = hides or ("" if changes else NOT_SHOWN)
        return Replayed(
            step.seq,
            step.kind,
            name,
            Result.DIFFERS,
            why,
            changes,
            self._digests(step, digest),
        )

    def _digests(self, step: Step, rebuilt: str) -> tuple[str, str]:
        """Of what one may read: what a digest is of could be guessed from it."""
        if self._hides(step) or self.mask.withheld:
            return "", ""
        return step.input_digest, rebuilt

    def _hides(self, step: Step) -> str:
        if step.kind == StepKind.SCORE:
            return self.mask.hides_score(step.seq)
        return self.mask.hides_request(step.seq) if step.kind == StepKind.MODEL else ""

    def _recorded(self, step: Step) -> Any:
        asked = step.request or {}
        if step.kind == StepKind.MODEL:
            return self._sent(step.seq)
        if "sent" in asked:
            return asked["sent"]
        return {**self._sent(int(asked["of"])), "seed": int(asked["sample"])}

    def _sent(self, seq: int) -> Any:
        """The whole request of the model step with that seq, as the journal has it."""
        step = next(each for each in self.steps if each.seq == seq)
        return whole_request(step, self.steps, self.tools)

    def _decided(self, step: Step) -> Replayed:
        """What the code of a state decides; what it asked for stands in the step after it."""
        entry = self.rebuilder.entry(step)
        following = next((s for s in self.steps if s.seq == step.seq + 1), None)
        asks = entry.row is not None or (step.request or {}).get("move") in _WITH_ROW
        row = following if asks else None
        recorded = _decision(
            step.name, step.request, None if row is None else (row.name, proposed(row))
        )
        made = None if entry.row is None else (entry.row.name, entry.row.arguments)
        rebuilt = _decision(entry.state, entry.request, made)
        digests = [sha256_hex(canonical_bytes(each)) for each in (recorded, rebuilt)]
        if digests[0] == digests[1]:
            return Replayed(step.seq, step.kind, step.name, Result.SAME)
        clear = self.mask.withheld.content
        covered = row is not None and self.mask.covers(row.seq)
        changes = [] if covered else decision_changes(clear(recorded), clear(rebuilt))
        why = "" if changes else NOT_SHOWN
        return Replayed(step.seq, step.kind, step.name, Result.DIFFERS, why, changes)

    def _called(self, step: Step) -> Replayed:
        return Replayed(
            step.seq,
            step.kind,
            step.name,
            reading=reading_of(step, self.rebuilder, self.mask),
            verdict=verdict_of(step, self.rebuilder, self.mask, self.published),
        )


_WITH_ROW: Final = frozenset({"call", "ask_person", "done", "abstain"})


def _decision(state: str, request: Any, row: tuple[str, Any] | None) -> dict[str, Any]:
    name, arguments = row or ("", None)
    return {"state": state, **dict(request or {}), "asks_for": name, "arguments": arguments}


def replay_for(
    run: Run, caller: Caller, *, against: Against | None, after: int = 0, most: int | None = None
) -> Replay:
    """The same as this caller may see it. `run` is as it was read: with nothing cleared from it."""
    known = list(Step.objects.filter(run=run).defer("request", "attempts").in_order())
    mask = mask_of(run, known, caller)
    return replay(run, mask=mask, against=against or usual_for(run), after=after, most=most)
