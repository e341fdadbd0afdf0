"""Two releases at work at the same time, over one database and one Redis: nothing is lost or done twice."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from agents.models import Run
from approvals.models import ApprovalRequest
from countersign.programs import PROJECT
from demo.models import Order
from tests.harness.client import ApiClient
from tests.harness.cluster import short_folder
from tests.harness.stack import Stack
from tests.model_server import Answer, ModelServer, call, calls, final, judged

Prepare = Callable[..., Stack]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".countersign*", ".*_cache", "tests", "docs", "benchmarks"
)
AMOUNT = "60.00"
OLD_WORDS, NEW_WORDS = "You work at the refund desk", "You are the refund desk"
DECORATED = re.compile(r"@tool\(\n(?=(?:    .*\n)+\)\ndef issue_refund)")


def answer(request: dict[str, Any]) -> Answer:
    """A model that asks for one refund with the tool it is offered, and ends once that was made."""
    said = request["messages"]
    (order,) = re.findall(r"ORD-\d+", said[1]["content"])
    results = [json.loads(each["content"]) for each in said if each["role"] == "tool"]
    if results and results[-1]["status"] == "done":
        asked = next(each["tool_call_id"] for each in reversed(said) if each["role"] == "tool")
        return final(
            outcome="refunded", order=order, amount=AMOUNT, message="Done.", relies_on=[asked]
        )
    offered = {each["function"]["name"] for each in request["tools"]}
    refund = {"order": order, "amount": AMOUNT, "reason": "Broken."}
    return calls(call(*offered & {"issue_refund", "pay_back"}, judged(refund)))


def renamed(source: str) -> str:
    """The demo's agents with another name for the tool that pays."""
    changed, count = DECORATED.subn('@tool(\n    name="pay_back",\n', source)
    assert count == 1
    return changed


def reworded(source: str) -> str:
    """The demo's agents with another prompt."""
    assert source.count(OLD_WORDS) == 1
    return source.replace(OLD_WORDS, NEW_WORDS)


class Deploy:
    """The product as it runs, and a new release of it beside it."""

    def __init__(self, stack: Prepare, people: list[User], project: Path) -> None:
        self.model = ModelServer(answer)
        model = {
            "openai_base_url": self.model.url,
            "openai_api_key": "test",
            "openai_model": "scripted",
        }
        self.old = stack(**model).run()
        provider = self.old.provider_url
        self.new = stack(seeded=False, project=project, demo_provider_url=provider, **model)
        self.operator, *self.reviewers = people
        rows = Order.objects.with_everything().order_by("number")
        orders = [row.number for row in rows if row.payment.amount - row.given_back() > 100]
        self.orders: Iterator[str] = iter(orders)

    def start_new(self) -> None:
        """Activate the new release's agents and start its processes; the old ones go on."""
        self.new.manage("sync_agents", "--activate")
        self.new.run("web", "resumes", "runs")
        self.new.wait_until_ready()

    def park(self, site: Stack, count: int) -> list[str]:
        """Start runs at this release's web process, each with an order of its own."""
        program = ApiClient(site, self.operator)
        runs = [
            program.start("refund-desk", f"Please refund {next(self.orders)}.")
            for _ in range(count)
        ]
        for run in runs:
            self.old.wait_for(lambda run=run: state_of(run) == "waiting", 60, "the run is parked")
        return runs

    def see_through(self, run: str) -> list[str]:
        """Decide whatever the run asks, until it has succeeded; the kinds of its requests, in order."""
        people = [ApiClient(self.old, person) for person in self.reviewers]

        def ended() -> bool:
            for request in people[0].pending():
                if request["run"] == run:
                    settle(request, people)
            return state_of(run) in ("succeeded", "failed", "cancelled")

        self.old.wait_for(ended, 60, "the run has ended")
        assert state_of(run) == "succeeded"
        kinds = ApprovalRequest.objects.filter(run_id=run).order_by("created_at")
        return [str(kind) for kind in kinds.values_list("kind", flat=True)]

    def paid(self) -> Counter[str]:
        """How often the provider paid for each run's order; every order it was asked for is one of ours."""
        made = [each["refund"] for each in self.old.provider_calls() if each["refund"]]
        return Counter(each["payment"] for each in made)


def settle(request: dict[str, Any], people: list[ApiClient]) -> None:
    """Approve with as many people as it takes; where tools changed, go on with the new version."""
    body = {"choice": "use_new"} if request["kind"] == "attention" else {}
    for person in people:
        status, document = person.decide(
            request, "change" if request["kind"] == "attention" else "approve", **body
        )
        assert status == 200, document
        if document["state"] != "pending":
            return


def state_of(run: str) -> str:
    return str(Run.objects.values_list("state", flat=True).get(pk=run))


@pytest.fixture
def deploy(
    stack: Prepare, operator: User, reviewer: User, second_reviewer: User
) -> Iterator[Callable[[Callable[[str], str]], Deploy]]:
    """`deploy(change)`: the product runs, and beside it lies a copy of it with changed agents."""
    folder = short_folder()
    made: list[Deploy] = []

    def prepare(change: Callable[[str], str]) -> Deploy:
        project = folder / "project"
        shutil.copytree(PROJECT, project, ignore=LEFT_OUT)
        agents = project / "demo" / "agents" / "refunds.py"
        agents.write_text(change(agents.read_text()))
        made.append(Deploy(stack, [operator, reviewer, second_reviewer], project))
        return made[-1]

    yield prepare
    for each in made:
        each.model.close()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_renamed_tool_asks_a_person_and_both_releases_work_side_by_side(
    deploy: Callable[..., Deploy], operator: User
) -> None:
    it = deploy(renamed)
    before = it.park(it.old, 2)
    told = json.loads(it.new.manage("drain", "--json"))
    assert (told["open"], told["need_a_person"]) == (2, 2)
    it.start_new()
    refused, problem = ApiClient(it.old, operator).post(
        "runs", {"agent": "refund-desk", "input": "Please refund ORD-10001."}
    )
    assert (refused, problem["code"]) == (409, "agent_version_not_active")
    after = it.park(it.new, 2)
    for run in after:
        # Whichever process is faster: runs of the new version are left to the new release.
        assert it.see_through(run) == ["action"]
    either = it.see_through(before[0])
    assert either in (["action"], ["action", "attention", "action"])
    for name in ("resumes", "runs"):
        it.old.kill(name)
    assert it.see_through(before[1]) == ["action", "attention", "action"]
    assert sorted(it.paid().values()) == [1, 1, 1, 1]


def test_a_changed_prompt_lets_every_run_finish_on_its_own_whoever_works_on_it(
    deploy: Callable[..., Deploy],
) -> None:
    it = deploy(reworded)
    before = it.park(it.old, 2)
    told = json.loads(it.new.manage("drain", "--json", "--fail-on-change"))
    assert [each["outlook"] for each in told["outlooks"]] == ["finishes_on_its_old_definition"]
    it.start_new()
    after = it.park(it.new, 2)
    assert it.see_through(before[0]) == ["action"]
    for name in ("resumes", "runs"):
        it.old.kill(name)
    for run in (before[1], *after):
        assert it.see_through(run) == ["action"]
    assert sorted(it.paid().values()) == [1, 1, 1, 1]
    # A run's calls to the model all speak of one release.
    prompts: dict[str, set[str]] = {}
    for request in it.model.requests:
        system, task = (each["content"] for each in request["messages"][:2])
        prompts.setdefault(task, set()).add(NEW_WORDS if NEW_WORDS in system else OLD_WORDS)
    assert sorted(map(sorted, prompts.values())) == [[NEW_WORDS]] * 2 + [[OLD_WORDS]] * 2
