"""A large house: one run parked and one finished by the product, and as many copies of both as are asked for."""

from typing import Any

import psycopg
from django.contrib.auth.models import Group
from psycopg import sql

from accounts.callers import Caller
from accounts.models import Membership, ReviewGroup, User
from agents.models import HostedAgent, Run, Step
from agents.runner import advance
from agents.services.start_run import start_run
from agents.states import StepKind
from approvals.models import (
    ApprovalRequest,
    Listing,
    PolicyVersion,
    RequestGroup,
    RequestRevision,
    Vote,
)
from approvals.services import policies
from approvals.services.drafts import begin_draft
from audit.models import Event
from benchmarks.crowd import GROUPS, RARE, Crowd, id_of
from benchmarks.deciding import approve
from benchmarks.people import people

AT = sql.SQL("at")
SOON = sql.SQL("now() + make_interval(mins => 5 + (number * 7919 %% 2880)::int)")
DECIDED = sql.SQL("at + interval '5 minutes'")
ENDED = sql.SQL("at + interval '6 minutes'")
RISKS = sql.SQL("(ARRAY['low','medium','high','high'])[1 + number %% 4]")
RANKS = sql.SQL("(ARRAY[0,1,2,2])[1 + number %% 4]")
TITLE = sql.SQL("'Refund €' || (number %% 900 + 10) || '.00 to customer ' || number")
#: What filters and searches look for: an agent and a tool by group, and a tool that is hardly ever used.
AGENT = sql.SQL(
    "(ARRAY['desk-legal','marker','marker','desk-security','desk-operations'])[place + 1]"
)
AGENT_TITLE = sql.SQL(
    "(ARRAY['Legal desk','Marker','Marker','Security desk','Operations desk'])[place + 1]"
)
TOOL = sql.SQL("CASE WHEN number %% 5000 = 4321 THEN 'wire_transfer' ELSE original.tool END")
#: Of so many decided requests, the newest, what people were shown is kept too: it is read one at a time.
SHOWN = 10_000
LONG_STEPS = 5_000
PREVIEW = sql.SQL("jsonb_set({column}, '{{title}}', to_jsonb({title}))")


def fill(owner: psycopg.Connection[Any], pending: int, decided: int) -> None:
    """Fill the database."""
    starter, decider = people()
    groups = {
        slug: ReviewGroup.objects.create(slug=slug, title=slug.title()).pk
        for slug in (RARE, *GROUPS)
    }
    crowd = Crowd(owner, groups)
    agents = {pk: _agent(slug, pk) for slug, pk in groups.items()}
    parked = _carried(starter, None)
    ended = _carried(starter, decider)
    _copy(crowd, parked, range(1, pending + 1), agents, waits=True)
    _copy(crowd, ended, range(pending + 1, pending + decided + 1), agents, waits=False)
    _lengthen(crowd, Run.objects.filter(agent=agents[groups[GROUPS[0]]]).open()[:1].get(), parked)
    # As autovacuum leaves it: with statistics, and a map of what is visible to all.
    for model in (ApprovalRequest, Listing, RequestGroup, RequestRevision, Vote, Run, Step, Event):
        owner.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(model._meta.db_table)))


def readers() -> dict[str, User]:
    """One of two groups of four, one of a group that is seldom asked, one who starts runs, one who may read
    everything, and one who writes policies and has begun a draft."""
    found = {
        "reviewer": _person("reviewer", "reviewer", GROUPS[:2]),
        "rarely asked": _person("rarely-asked", "reviewer", (RARE,)),
        "operator": _person("crowd-operator", "operator", ()),
        "auditor": _person("crowd-auditor", "auditor", ()),
        "admin": _person("crowd-admin", "admin", ()),
    }
    if not PolicyVersion.objects.filter(state=PolicyVersion.State.DRAFT).exists():
        current = policies.current()
        admin = Caller.of_session(found["admin"])
        begin_draft(document=current.policy, base_version=current.version, caller=admin)
    return found


def _person(name: str, role: str, groups: tuple[str, ...]) -> User:
    known: User | None = User.objects.filter(username=name).first()
    if known is not None:
        return known
    user: User = User.objects.create_user(name)
    user.groups.set(Group.objects.filter(name=role))
    for slug in groups:
        Membership.objects.create(user=user, group=ReviewGroup.objects.get(slug=slug))
    return user


def _agent(slug: str, group: int) -> int:
    """An agent of the group, of the same version as the one that ran."""
    hosted = HostedAgent.objects.get(slug="marker")
    hosted.pk, hosted.slug, hosted.title = None, f"desk-{slug}", f"{slug.title()} desk"
    hosted.owner_group_id = group
    hosted.save()
    return hosted.pk


def _carried(starter: User, decider: User | None) -> Run:
    """A run that waits for its call to be approved; through to its end where there is a decider."""
    number = "1" if decider is None else "2"
    run, _ = start_run(agent="marker", input=number, caller=Caller.of_session(starter))
    advance(run.pk, owner="pages", stopping=lambda: False)
    if decider is not None:
        approve(ApprovalRequest.objects.get(run_id=run.pk), Caller.of_session(decider))
        advance(run.pk, owner="pages", stopping=lambda: False)
    run.refresh_from_db()
    return run


def _lengthen(crowd: Crowd, run: Run, like: Run) -> None:
    """Give the run thousands of steps, like the last time that the other one asked its model."""
    last = Step.objects.filter(run=run).in_order().last()
    asked = Step.objects.filter(run=like, kind=StepKind.MODEL).in_order().last()
    assert last is not None
    assert asked is not None
    after = sql.SQL("number + {}").format(last.seq)
    crowd.copy(
        Step,
        asked.pk,
        "long",
        range(1, LONG_STEPS + 1),
        run_id=sql.Literal(run.pk),
        seq=after,
        started_at=sql.SQL("now() - make_interval(secs => 6000 - number)"),
        finished_at=sql.SQL("now() - make_interval(secs => 6000 - number)"),
    )
    Run.objects.filter(pk=run.pk).update(step_count=last.seq + LONG_STEPS)


def _copy(crowd: Crowd, run: Run, numbers: range, agents: dict[int, int], *, waits: bool) -> None:
    request = ApprovalRequest.objects.get(run_id=run.pk)
    step = Step.objects.get(approval_id=request.pk)
    of_run = {
        "agent_id": crowd.by_place(agents),
        "title": TITLE,
        "created_at": AT,
        "started_at": AT,
        **({"parked_at": AT} if waits else {"finished_at": ENDED, "parked_at": AT}),
    }
    crowd.copy(Run, run.pk, "run", numbers, **of_run)
    crowd.copy(
        Step,
        step.pk,
        "step",
        numbers,
        run_id=id_of("run"),
        approval_id=id_of("request"),
        started_at=AT,
        **({} if waits else {"finished_at": ENDED}),
    )
    crowd.copy(
        ApprovalRequest,
        request.pk,
        "request",
        numbers,
        run_id=id_of("run"),
        title=TITLE,
        preview=PREVIEW.format(column=sql.Identifier("original", "preview"), title=TITLE),
        owner_group_id=crowd.by_place(),
        risk=RISKS,
        risk_rank=RANKS,
        created_at=AT,
        **(
            {"review_deadline": SOON}
            if waits
            else {
                "agent": AGENT,
                "agent_title": AGENT_TITLE,
                "tool": TOOL,
                "decided_at": DECIDED,
                "ready_at": DECIDED,
            }
        ),
    )
    crowd.copy(
        RequestRevision,
        RequestRevision.objects.get(request=request).pk,
        "revision",
        numbers if waits else numbers[:SHOWN],
        request_id=id_of("request"),
        created_at=AT,
    )
    crowd.copy(
        RequestGroup,
        RequestGroup.objects.get(request=request).pk,
        "group",
        numbers,
        request_id=id_of("request"),
        group_id=crowd.by_place(),
    )
    if not waits:
        vote = Vote.objects.get(request=request)
        crowd.copy(Vote, vote.pk, "vote", numbers, request_id=id_of("request"), created_at=DECIDED)
