"""The calls of a reply in a simulated run: each is answered, and none is made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from agents.call_steps import CallSteps
from agents.judged import is_allowed
from agents.models import Simulation, Step
from agents.notebook import READ_RESULT
from agents.people_steps import would_wait
from agents.services.read_result import read_result
from agents.services.settle import settle_refused
from agents.services.settle_simulated import settle_simulated
from agents.simulation import (
    Answers,
    FirstOf,
    Given,
    GivenAnswer,
    Recorded,
    asked_by,
    unanswered,
    used_answers,
)
from agents.simulation_ports import scripted
from agents.states import StepKind, StepState, Unanswered
from agents.wording import plain
from audit.fault_points import reached

ENDINGS = frozenset({StepKind.FINAL, StepKind.ABSTAIN})


@dataclass(frozen=True)
class SimulatedSteps(CallSteps):
    """The open calls of the newest reply of a simulated run.

    No tool's code runs here, neither its body nor its preview, state token or locks; no request is opened and no
    run is started. What ends the run in earnest ends it here as well.
    """

    @cached_property
    def simulation(self) -> Simulation:
        return Simulation.objects.get(pk=self.run.pk)

    def advance(self) -> bool:
        """Answer the next call; True when the run goes on now."""
        for step in self.open:
            if step.kind not in ENDINGS:
                return self._answer(step)
        return self._finish(self.open[0])

    def _answer(self, step: Step) -> bool:
        if step.kind == StepKind.TOOL and step.name == READ_RESULT:
            read_result(self.lease, step, self.journal)
            return True
        tool = self.agent.tool(step.name)
        if tool is None and step.kind != StepKind.QUESTION:
            return self._refuse_gone(step)
        if step.undoes_id is not None:
            what = "A rehearsal takes nothing back: it has done nothing."
            settle_refused(self.lease, step, status="lapsed", code="simulated", message=what)
            return True
        asked = asked_by(
            step,
            self.journal.steps,
            consequential=tool is not None and tool.consequential,
            reviewed=step.kind == StepKind.QUESTION or not is_allowed(step),
        )
        found = self._answers.answer(asked)
        if found is None and self.simulation.unanswered == Unanswered.END:
            return would_wait(
                self.lease,
                "unanswered",
                f"Nothing answers its call of {plain(step.name).lower()}, step {step.seq}.",
            )
        settle_simulated(self.lease, step, found or unanswered(asked))
        reached("simulated.committed")
        return True

    @property
    def _answers(self) -> Answers:
        simulation = self.simulation
        given = [GivenAnswer.model_validate(each) for each in simulation.answers]
        known: list[Answers] = [Given(given, used_answers(self.journal.steps)), self._recorded]
        script = scripted(self.run.pk, self.journal.steps)
        return FirstOf(known if script is None else [script, *known])

    @cached_property
    def _recorded(self) -> Recorded:
        """The journals that the run may draw on, each up to the step that was the last when it began."""
        return Recorded(
            [
                list(
                    Step.objects.filter(
                        run=source["run"],
                        seq__lte=source["until"],
                        kind__in=(StepKind.TOOL, StepKind.DELEGATE, StepKind.QUESTION),
                        state__in=(StepState.SUCCEEDED, StepState.FAILED, StepState.REFUSED),
                    ).in_order()
                )
                for source in self.simulation.sources
            ]
        )
