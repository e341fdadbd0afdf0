"""A desk at which a test runs an agent: the model follows a script, people decide, the rest is real."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from accounts.callers import Caller
from accounts.models import ReviewGroup, User
from agents.definitions import Agent
from agents.rehearsal import Called, Stand, advance_by_hand, calls_of, host, stand_of
from agents.services.start_run import start_run
from approvals.models import ApprovalRequest
from approvals.schemas import DecisionIn
from approvals.services.decide import decide
from approvals.vocabulary import Verdict
from countersign.testing.model import ModelServer, Script
from countersign.testing.people import person


@dataclass(frozen=True)
class Waiting:
    """What waits for a person: `kind` is action, question, in_doubt …; `title` and `summary` are what they
    read first, `facts` the preview's, by label; `reasons` are codes of why the gate asks."""

    kind: str
    tool: str
    arguments: dict[str, Any]
    title: str
    summary: str
    facts: dict[str, str]
    reasons: list[str]


class Trial:
    """One run of an agent in a test, advanced as far as it goes each time something happens."""

    def __init__(self, desk: Desk, run: UUID) -> None:
        self.desk = desk
        self.id = run

    @property
    def _stand(self) -> Stand:
        return stand_of(self.id)

    @property
    def state(self) -> str:
        """`waiting` while it is parked, `succeeded`, `failed` or `cancelled` once it has ended."""
        return self._stand.state

    @property
    def outcome(self) -> str:
        """How it ended: done, abstained, stopped, failed; empty while it is open."""
        return self._stand.outcome

    @property
    def output(self) -> dict[str, Any]:
        """Its final answer; empty while there is none."""
        return self._stand.output or {}

    @property
    def failure(self) -> dict[str, Any]:
        """Why it failed: code and message; empty where it did not."""
        return self._stand.failure or {}

    @property
    def calls(self) -> list[Called]:
        """Every call of a tool that the model proposed, in order."""
        return calls_of(self.id)

    def call(self, name: str) -> Called:
        """The one call of that tool. Raises AssertionError when there is none, or another."""
        found = [call for call in self.calls if call.name == name]
        assert len(found) == 1, f"{name} was called {len(found)} times"
        return found[0]

    @property
    def waiting(self) -> list[Waiting]:
        """What waits for people now, in the order in which it was asked."""
        return [_waiting(request) for request in self._pending()]

    def approve(self, *, by: User | None = None) -> Trial:
        """Approve everything that waits, by as many people as the policy wants; the run goes on."""
        return self._decide(Verdict.APPROVE, by)

    def edit(self, arguments: dict[str, Any], *, by: User | None = None) -> Trial:
        """Approve the one call that waits with other arguments; the run goes on."""
        return self._decide(Verdict.EDIT, by, arguments=arguments, reason="It is better so.")

    def reject(self, reason: str = "No.", *, by: User | None = None) -> Trial:
        """Reject everything that waits; the run goes on, and its model reads the reason."""
        return self._decide(Verdict.REJECT, by, reason=reason)

    def answer(self, answer: Any, *, by: User | None = None) -> Trial:
        """Answer the question that waits; the run goes on."""
        return self._decide(Verdict.ANSWER, by, answer=answer)

    def decide(self, verdict: str, *, by: User | None = None, **body: Any) -> Trial:
        """Any other verdict on what waits (`happened`, `send_back`, `extend` …), with the fields of a decision."""
        return self._decide(Verdict(verdict), by, **body)

    def go_on(self) -> Trial:
        """Advance the run as far as it goes."""
        advance_by_hand(self.id)
        return self

    def _pending(self) -> list[ApprovalRequest]:
        return list(ApprovalRequest.objects.filter(run_id=self.id, state="pending").order_by("id"))

    def _decide(self, verdict: Verdict, by: User | None, **body: Any) -> Trial:
        pending = self._pending()
        assert pending, f"nothing waits for a person; the run has {self.state}"
        for request in pending:
            for who in [by] if by else [self.desk.reviewer, self.desk.second_reviewer]:
                request.refresh_from_db()
                if request.state == "pending":
                    _vote(request, verdict, who, body)
        return self.go_on()


class Desk:
    """Runs agents for a test, in its own process and database; only the model is a script.

    The pytest fixture `desk` makes one:

    ```python
    from countersign.testing import Desk, call, calls, final, judged
    from shop.agents import clerk


    def test_a_refund_waits_for_a_person(desk: Desk) -> None:
        refund = call("refund", judged({"order": "7", "amount": "20.00"}))
        trial = desk.run(clerk, "Refund order 7.", [calls(refund), final(summary="Done.")])
        assert trial.waiting[0].title == "Refund €20.00 for order 7"
        trial.approve()
        assert trial.call("refund").result == {"reference": "R1"}
        assert trial.output["summary"] == "Done."
    ```
    """

    def __init__(self, model: ModelServer) -> None:
        self.model = model

    def run(self, agent: Agent, input: Any, script: Script) -> Trial:
        """Host the agent, start a run of it whose model follows the script, and advance it as far as it goes.

        `script` is a list of replies, or a function from the request that the model is sent to a reply.
        """
        host(agent)
        self.model.follow(script)
        self._seat()
        caller = Caller.of_session(self.operator)
        run, _ = start_run(agent=agent.slug, input=input, caller=caller)
        return Trial(self, run.pk).go_on()

    @property
    def prompts(self) -> list[dict[str, Any]]:
        """Every request that the model was sent, in order."""
        return self.model.requests

    @cached_property
    def operator(self) -> User:
        """Starts the runs, and decides nothing."""
        return person("operator", "operator")

    @cached_property
    def reviewer(self) -> User:
        """Decides first; in every review group."""
        return self._of_every_group("reviewer")

    @cached_property
    def second_reviewer(self) -> User:
        """Decides where two people are wanted; in every review group."""
        return self._of_every_group("second-reviewer")

    def _of_every_group(self, name: str) -> User:
        return person(name, "reviewer", groups=tuple(ReviewGroup.objects.all()))

    def _seat(self) -> None:
        """Have people of every group there before anything is asked of them."""
        for name in ("reviewer", "second-reviewer"):
            self._of_every_group(name)


def _vote(request: ApprovalRequest, verdict: Verdict, who: User, body: dict[str, Any]) -> None:
    decision = DecisionIn(
        verdict=verdict,
        revision=request.revision,
        digest=request.digest,
        shown_sha256=request.shown_sha256,
        nonce=uuid4().hex,
        **body,
    )
    decide(
        request_id=request.pk,
        decision=decision,
        caller=Caller.of_session(User.objects.get(pk=who.pk)),
    )


def _waiting(request: ApprovalRequest) -> Waiting:
    preview = request.preview
    return Waiting(
        kind=request.kind,
        tool=request.tool,
        arguments=request.arguments,
        title=request.title,
        summary=str(preview.get("summary") or ""),
        facts={fact["label"]: fact["value"] for fact in preview.get("facts") or ()},
        reasons=[str(reason["code"]) for reason in request.reasons],
    )
