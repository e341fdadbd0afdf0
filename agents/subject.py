"""What approvals asks of runs: lock them, check edited arguments, say how operations stand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from pydantic import ValidationError

from agents import registry
from agents.bound import bind
from agents.definitions import Agent
from agents.edits import look_at_edit
from agents.errors import AnswerRefused, EditRefused
from agents.gating import propose
from agents.holding import held_tools
from agents.kill_switches import WHOLE, KillSwitch
from agents.models import AgentVersion, EffectRecord, Run, Step
from agents.proposals import said_by
from agents.services.family import lock_with_parent
from agents.states import ACTIVE, EffectState, StepState
from agents.storable import storable
from agents.tool_secrets import without_secrets
from agents.withheld import sensitive_values
from approvals.lists import with_lists
from approvals.ports import HandedBy, Looked, Operation, PastCall, Validated
from approvals.tightening import ToolFacts
from approvals.withholding import Withheld
from audit.prepared import Prepared

if TYPE_CHECKING:
    from accounts.callers import Caller
    from accounts.models import User
    from approvals.models import ApprovalRequest

SENTENCES = {
    EffectState.DISPATCHED: "Executing: the call was sent.",
    EffectState.SUCCEEDED: "Succeeded.",
    EffectState.ACCEPTED: "Accepted by the provider; not confirmed yet.",
    EffectState.CONFIRMED: "Confirmed.",
    EffectState.BOUNCED: "Bounced: the other side accepted it, and it did not arrive.",
    EffectState.FAILED: "Failed; it did not happen.",
    EffectState.IN_DOUBT: "Unknown: the answer was lost. A person looks at it.",
}

_named = Prepared(
    lambda pk: (
        Run.objects.filter(pk=pk).select_related("agent", "agent_version").defer("input", "output")
    ),
    UUID(int=0),
)
_handing = Prepared(
    lambda pk: (
        Run.objects.filter(children__pk=pk, children__delegated_by__isnull=False)
        .select_related("agent", "agent_version")
        .defer("input", "output")
    ),
    UUID(int=0),
)
_effects = Prepared(
    lambda request: EffectRecord.objects.filter(approval_id__in=[request]).annotate(
        is_undone=Exists(Step.objects.filter(undoes=OuterRef("pk"), state=StepState.SUCCEEDED))
    ),
    UUID(int=0),
    rewrite=with_lists,
)

UNFIT = "It holds a NUL character, a tool's secret, or a number that is not finite or too large."


class HostedRuns:
    """The port `approvals.ports.Runs`, filled in with the runs hosted here."""

    def lock(self, run_id: UUID) -> None:
        """Lock the run's row until the transaction ends, after its parent's: a decision may end it."""
        lock_with_parent(run_id)

    def validate_arguments(
        self, agent: str, agent_version: str, tool: str, arguments: dict[str, Any]
    ) -> Validated:
        """Check edited arguments against the tool as the run knows it. Raises EditRefused with a line
        per field."""
        definition = _as_known(agent, agent_version)
        declared = definition.tool(tool) if definition else None
        if declared is not None and declared.undoing is not None:
            what = (
                "An undo takes the arguments of what it undoes. Approve it as it is, or reject it."
            )
            raise EditRefused([{"field": "", "message": what}])
        if definition is None or declared is None:
            raise EditRefused([{"field": "", "message": "The tool is not installed any more."}])
        try:
            parsed = declared.arguments.model_validate_json(json.dumps(arguments))
        except ValidationError as error:
            raise EditRefused(
                [
                    {"field": ".".join(str(part) for part in line["loc"]), "message": said_by(line)}
                    for line in error.errors(include_url=False, include_context=False)
                ]
            ) from error
        normalised = parsed.model_dump(mode="json")
        unfit = [name for name, value in normalised.items() if storable(value) != value]
        if unfit:
            raise EditRefused([{"field": name, "message": UNFIT} for name in unfit])
        action = propose(definition, agent_version, declared, normalised)
        return Validated(
            arguments=normalised,
            digest=action.digest,
            schema=declared.schema(),
            sensitive=tuple(sorted(declared.sensitive)),
            cosmetic=tuple(sorted(declared.cosmetic)),
            action=action,
        )

    def look_at_edit(self, request: ApprovalRequest, arguments: dict[str, Any]) -> Looked:
        """By the tool's preview and state token, as the run knows it."""
        definition = _as_known(request.agent, request.agent_version)
        assert definition is not None, "its arguments were validated"
        return look_at_edit(request.pk, definition, definition.tool(request.tool), arguments)

    def validate_answer(
        self, agent: str, agent_version: str, output: dict[str, Any]
    ) -> dict[str, Any]:
        """Check a corrected answer against the agent's model of it. Raises AnswerRefused with a line per
        field."""
        definition = _as_known(agent, agent_version)
        if definition is None:
            gone = "Its agent is not installed any more, so nobody can check this."
            raise AnswerRefused([{"field": "output", "message": gone}])
        try:
            parsed = definition.output.model_validate_json(json.dumps(output))
        except ValidationError as error:
            raise AnswerRefused(
                [
                    {
                        "field": ".".join(["output", *(str(part) for part in line["loc"])]),
                        "message": said_by(line),
                    }
                    for line in error.errors(include_url=False, include_context=False)
                ]
            ) from error
        normalised: dict[str, Any] = parsed.model_dump(mode="json")
        unfit = [name for name, value in normalised.items() if storable(value) != value]
        if unfit:
            raise AnswerRefused([{"field": f"output.{name}", "message": UNFIT} for name in unfit])
        return normalised

    def operations(self, requests: Sequence[ApprovalRequest]) -> dict[UUID, Operation]:
        """Where the approved calls of these requests stand, in one query."""
        effects = _effects([request.pk for request in requests])
        return {
            effect.approval_id: Operation(
                state=effect.state,
                sentence=SENTENCES.get(EffectState(effect.state), "Queued.")
                + (" It was undone since." if vars(effect)["is_undone"] else ""),
                at=effect.finished_at or effect.dispatched_at,
            )
            for effect in effects
            if effect.approval_id is not None
        }

    def may_see(self, user: User, run_id: UUID) -> bool:
        """By the same word as pages and API."""
        return Run.objects.visible_to(user).filter(pk=run_id).exists()

    def active(self, caller: Caller, *, most: int) -> int:
        """Those that a worker has or could take, and those that retry; not those that wait for people."""
        rows = Run.objects.visible_for(caller).filter(state__in=ACTIVE)
        return rows.order_by()[:most].count()

    def versions_of(self, category: str) -> Sequence[str]:
        """Digests of all versions of agents of a category."""
        rows = AgentVersion.objects.filter(definition__category=category)
        return list(rows.values_list("digest", flat=True))

    def run_title(self, run_id: UUID) -> str:
        """The run's task in a line, without what is sensitive; empty when there is no such run."""
        run = _named.one(run_id)
        if run is None:
            return ""
        # The same for everybody: it is how people speak of the run with each other.
        return Withheld(sensitive_values([run]).get(run_id, ())).text(run.title)

    def handed_by(self, user: User, run_id: UUID) -> HandedBy | None:
        """By the call that it was started by; what is sensitive stays out of its title."""
        parent = _handing.one(run_id)
        if parent is None:
            return None
        may_open = self.may_see(user, parent.pk)
        title = self.run_title(parent.pk) if may_open else ""
        return HandedBy(parent.pk if may_open else None, title, parent.agent.title)

    def stopped(self, agent: str, tool: str) -> str | None:
        """A sentence while the tool, the agent or everything is switched off. In a transaction no switch is
        set before that ends."""
        held = held_tools(agent)
        if WHOLE not in held and tool not in held:
            return None
        switch = KillSwitch.objects.active().over_call(agent, tool).select_related("agent").first()
        # Outside a transaction it may have been lifted in between.
        return switch.sentence if switch else None

    def past_calls(self, since: datetime, until: datetime) -> Iterable[PastCall]:
        """From the journals; undos that a person proposed too."""
        rows = _judged(since, until).order_by("started_at", "pk")
        for at, judgement, request in rows.values_list(
            "started_at", "judgement", "approval_id"
        ).iterator(2_000):
            assert judgement is not None, "only judged calls were asked for"
            yield PastCall(
                at=at,
                action=judgement["action"],
                confidence=judgement["confidence"],
                context=judgement["context"],
                request=request,
            )

    def past_calls_number(self, since: datetime, until: datetime) -> int:
        """Counted in the journals."""
        return _judged(since, until).count()

    def catalogue(self) -> tuple[ToolFacts, ...]:
        """What is declared in the installed apps, undos and built-in tools that pass the gate too."""
        return tuple(
            ToolFacts(
                agent=agent.slug,
                tool=tool.name,
                risk=tool.risk,
                effects=frozenset(tool.effects),
                reversible=tool.reversible,
                owner_group=agent.owner,
                title=agent.title,
            )
            for agent in registry.all_agents()
            for tool in sorted(
                [*agent.tools, *agent.undos.values(), *agent.built_in.values()],
                key=lambda each: each.name,
            )
        )

    def without_secrets(self, text: str) -> str:
        """Those of this process's settings, which every tool's secret is one of."""
        return without_secrets(text)


def _judged(since: datetime, until: datetime) -> QuerySet[Step]:
    told = {"started_at__gte": since, "started_at__lt": until}
    return Step.objects.filter(judgement__isnull=False, run__simulated=False, **told)


def _as_known(slug: str, digest: str) -> Agent | None:
    """The installed agent, bound to the version that a request was made under."""
    installed = registry.find(slug)
    if installed is None or installed.version == digest:
        return installed
    version = AgentVersion.objects.filter(slug=slug, digest=digest).first()
    return bind(installed, version) if version else installed
