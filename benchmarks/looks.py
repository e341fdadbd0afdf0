"""Which pages are opened, by whom, and how: the addresses of `benchmarks.pages`."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from agents.models import Run
from approvals.models import ApprovalRequest, PolicyVersion
from approvals.states import RequestState
from audit.models import Event
from benchmarks.crowd import GROUPS
from benchmarks.crowding import LONG_STEPS

if TYPE_CHECKING:
    from django.test import Client

FRAGMENT = {"HX-Request": "true"}
#: So many different ones are opened, one after the other.
TURNS = 5
Look = Callable[["Client", int], Any]

EVERYBODY = {
    "inbox": "/inbox/",
    "inbox, decided": "/inbox/?tab=decided",
    "inbox, a word looked for": "/inbox/?q=customer",
    "inbox, a word that nothing has": "/inbox/?q=zebra",
    "inbox, decided, a word": "/inbox/?tab=decided&q=customer",
    "inbox, decided, words of few": "/inbox/?tab=decided&q=wire_transfer",
    "inbox, decided, a word that nothing has": "/inbox/?tab=decided&q=zebra",
    "inbox, decided, low risk": "/inbox/?tab=decided&risk=low",
    # None of the reviewer's groups has one, so that all of theirs is looked through where no index tells.
    "inbox, decided, high risk": "/inbox/?tab=decided&risk=high",
    "inbox, decided, critical risk": "/inbox/?tab=decided&risk=critical",
    "inbox, decided, one agent": "/inbox/?tab=decided&agent=marker",
    "inbox, decided, a seldom agent": "/inbox/?tab=decided&agent=desk-legal",
    "inbox, decided, a seldom tool": "/inbox/?tab=decided&tool=wire_transfer",
    "inbox, decided, a tool that nothing has": "/inbox/?tab=decided&tool=zebra",
    "inbox, decided, a kind that nothing has": "/inbox/?tab=decided&kind=question",
    "inbox, decided, three filters": "/inbox/?tab=decided&risk=low&agent=desk-legal&tool=mark",
    "runs": "/runs/",
    "runs that wait": "/runs/?state=waiting",
    "runs that failed": "/runs/?state=failed",
    "runs of an agent": "/runs/?agent=marker",
    "runs of a seldom agent": "/runs/?agent=desk-legal",
    "runs of an agent that wait": "/runs/?agent=desk-legal&state=waiting",
    "runs of a person": "/runs/?person=starter",
    "runs of a person who started none": "/runs/?person=auditor",
    "runs of some days": "/runs/?since=2026-06-01&until=2026-06-30",
    "runs, a word looked for": "/runs/?q=customer",
    "runs, a word that nothing has": "/runs/?q=zebra",
    "find": "/find/?q=customer",
    "find, nothing": "/find/?q=zebra",
    "agents": "/agents/",
    "agent": "/agents/marker/",
}
REVIEWER = {
    "inbox, mine": "/inbox/?tab=mine",
    "inbox, high risk": "/inbox/?risk=high",
    "inbox, critical risk": "/inbox/?risk=critical",
    "inbox, one agent": "/inbox/?agent=marker",
    "inbox, an agent that nothing has": "/inbox/?agent=zebra",
    "inbox, one tool and kind": "/inbox/?tool=mark&kind=action",
    "inbox, nobody is on it": "/inbox/?claimed=free",
    "inbox, I am on it": "/inbox/?claimed=mine",
    "inbox, within an hour": "/inbox/?due=hour",
    "inbox, for a week": "/inbox/?age=week",
    "inbox, the filters open": "/inbox/?filters=open",
    "inbox, decided, the filters open": "/inbox/?tab=decided&filters=open",
    "policies": "/policies/",
}
AUDITOR = {
    "audit": "/audit/",
    "audit, one type": "/audit/?type=run.woken",
    "audit, a seldom type": "/audit/?type=request.decided",
    "audit, one agent and a seldom type": "/audit/?agent=refund-desk&type=request.decided",
    "audit, exceptions": "/audit/exceptions/",
    "audit, the log": "/audit/log/",
}


def looks_of(who: str) -> Iterator[tuple[str, Look]]:
    """Each page by name, and how it is opened for the so-manieth time."""
    if who == "admin":
        draft = PolicyVersion.objects.filter(state=PolicyVersion.State.DRAFT).latest("id")
        yield "policies", _opens("/policies/")
        yield "policies, a draft and its simulator", _opens(f"/policies/drafts/{draft.pk}/")
        return
    for name, path in EVERYBODY.items():
        yield name, _opens(path)
    if who == "auditor":
        for name, path in AUDITOR.items():
            yield name, _opens(path)
        story = Event.objects.filter(stream__startswith="run:").newest_first()[:1].get()
        yield "audit, a story", _opens(f"/audit/runs/{story.stream.partition(':')[2]}/")
    if who == "reviewer":
        yield from _of_reviewer()


def _of_reviewer() -> Iterator[tuple[str, Look]]:
    for name, path in REVIEWER.items():
        yield name, _opens(path)
    yield "rows alone", _opens("/inbox/rows/", **FRAGMENT)
    yield "numbers alone", _opens("/inbox/counts/", **FRAGMENT)
    asked = ApprovalRequest.objects.filter(request_groups__group__slug=GROUPS[0])
    waiting = list(asked.pending().by_deadline()[:TURNS])
    past = asked.exclude(state=RequestState.PENDING).last_decided_first()[:TURNS]
    runs = [f"/runs/{each.run_id}/" for each in waiting]
    requests = [f"/requests/{each.pk}/" for each in waiting]
    decided = [f"/requests/{each.pk}/?list=tab%3Ddecided" for each in past]
    yield "request", _opens(*requests)
    yield "request alone", _opens(*requests, **FRAGMENT)
    yield "request that was decided", _opens(*decided)
    yield "run", _opens(*runs)
    long = Run.objects.filter(step_count__gte=LONG_STEPS).get()
    yield "run of 5,000 steps", _opens(f"/runs/{long.pk}/")
    yield "run of 5,000 steps, the newest alone", _opens(f"/runs/{long.pk}/steps/", **FRAGMENT)
    yield "run of 5,000 steps, one opened", _opens(f"/runs/{long.pk}/?step=2500")


def _opens(*paths: str, **headers: str) -> Look:
    def look(client: "Client", number: int) -> Any:
        return client.get(_turn(paths, number), headers=headers)

    return look


def _turn(paths: Sequence[str], number: int) -> str:
    return paths[number % len(paths)]
