"""What runs wait for, in a line each, as one reader may see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext

from accounts.callers import Caller
from agents import amounts, wording
from agents.journal import has_child
from agents.kin import Kin, children_of, may_delegate
from agents.models import Run, Step
from agents.queueing import InLine, in_line
from agents.states import StepKind, StepState
from agents.withheld import withheld_from
from approvals.glances import Glance, glances


@dataclass(frozen=True)
class Wait:
    """One open request of a run: `words` name it, and `request` leads there where it may be opened.

    Or a resource that another call works on: `words` name it, and `line` says which. Or a run that it handed
    work to, `child`.
    `hands_back`: answering it hands a run back that somebody took over.
    """

    words: str
    request: Glance | None
    line: InLine | None = None
    child: Kin | None = None
    hands_back: bool = False


def waits_of(runs: Sequence[Run], caller: Caller) -> dict[UUID, list[Wait]]:
    """What each run waits for, by run id, requests first. Four queries for all, and two more where work is
    handed over."""
    asked_for = Q(approval_id__isnull=False) | Q(kind=StepKind.DELEGATE)
    found = list(
        Step.objects.filter(
            asked_for, run__in=runs, state=StepState.WAITING, resolution__isnull=True
        )
        .only("run_id", "seq", "kind", "name", "state", "request", "approval_id")
        .order_by("seq")
    )
    handed = [step for step in found if has_child(step)]
    steps = [step for step in found if not has_child(step)]
    asked = glances([step.approval_id for step in steps if step.approval_id], caller)
    grouped: dict[UUID, list[Wait]] = {}
    for step in steps:
        request = asked.get(step.approval_id) if step.approval_id else None
        hands_back = step.kind == StepKind.HAND_BACK
        # Who has the run stands on its page already.
        title = request.title if request and not hands_back else ""
        wait = Wait(title or _words(step), request, hands_back=hands_back)
        grouped.setdefault(step.run_id, []).append(wait)
    withheld = withheld_from([run for run in runs if may_delegate(run)], caller) if handed else {}
    children = children_of(handed, caller, withheld)
    for step in handed:
        child = children[step.pk]
        grouped.setdefault(step.run_id, []).append(Wait(child.words, None, child=child))
    for run_id, lines in in_line(runs, caller).items():
        grouped.setdefault(run_id, []).extend(Wait(line.resource, None, line) for line in lines)
    return grouped


def _words(step: Step) -> str:
    name = wording.plain(step.name)
    match step.kind:
        case StepKind.QUESTION:
            return gettext("An answer to a question")
        case StepKind.BUDGET:
            return gettext("A higher limit of {name}, or the end").format(
                name=amounts.name_of(step.name)
            )
        case StepKind.ATTENTION:
            return gettext("Somebody to look at it")
        case StepKind.IN_DOUBT:
            return gettext("Somebody who finds out whether it happened: {name}").format(
                name=name.lower()
            )
        case StepKind.HAND_BACK:
            return gettext("The hand-back")
        case _:
            return gettext("A decision on: {name}").format(name=name.lower())
