"""Agents that hand work to each other, for tests: each has a script of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from accounts.callers import Caller
from accounts.models import User
from agents import registry
from agents.authoring import Agent, Budget, Category, Tool
from agents.models import Run, Step
from agents.runner import advance
from agents.services.start_run import start_run
from audit.clock import database_now
from tests.agents.conftest import host
from tests.model_server import Answer, ModelServer, call, error, judged


def hand(to: str, task: str = "Look at it.", *, id: str | None = None, sure: Any = 0.95) -> Any:
    """A call that hands work to an agent."""
    return call("delegate", judged({"agent": to, "task": task}, sure), id=id)


class Line:
    """Hosts agents, each with its own script, and works off whatever is ready, here in this process."""

    def __init__(self, model: ModelServer, operator: User) -> None:
        self.model, self.operator = model, operator
        self.scripts: dict[str, list[Answer]] = {}
        self.hosted: list[str] = []
        model.follow(self.answer)

    def agent(
        self,
        slug: str,
        *answers: Answer,
        delegates: Iterable[str] = (),
        tools: Iterable[Tool] = (),
        **changes: Any,
    ) -> Agent:
        """Host an agent that follows these replies, one for each time it is asked."""
        fields: dict[str, Any] = {
            "slug": slug,
            "title": slug.capitalize(),
            "category": Category.OPEN,
            "owner": "finance",
            "instructions": f"You are {slug}.",
            "tools": tuple(tools),
            "budget": Budget(),
            "delegates": tuple(delegates),
        }
        made = Agent(**{**fields, **changes})
        host(made)
        self.scripts[slug] = list(answers)
        self.hosted.append(slug)
        return made

    def start(self, slug: str, text: str = "Do it.") -> Run:
        """Start a run, and work until nothing goes on by itself."""
        run, _ = start_run(agent=slug, input=text, caller=Caller.of_session(self.operator))
        self.work()
        return Run.objects.get(pk=run.pk)

    def work(self) -> None:
        """Advance every run as far as it goes."""
        for _ in range(1_000):
            ready = Run.objects.claimable(database_now()).order_by("created_at", "id")
            ids = list(ready.values_list("pk", flat=True))
            advanced = [advance(pk, owner="test", stopping=lambda: False) for pk in ids]
            if not any(advanced):
                return
        raise AssertionError("the runs never come to rest")

    def heard(self, slug: str) -> list[dict[str, Any]]:
        """The newest conversation of the agent, without its instructions."""
        return [sent["messages"][1:] for sent in self.model.requests if _of(sent) == slug][-1]

    def close(self) -> None:
        for slug in self.hosted:
            registry.unregister(slug)

    def answer(self, request: dict[str, Any]) -> Answer:
        script = self.scripts[_of(request)]
        return script.pop(0) if script else error(500)


def _of(request: dict[str, Any]) -> str:
    return str(request["messages"][0]["content"].split(".")[0].removeprefix("You are "))


def child_of(run: Run) -> Run:
    """The one run that it delegated to."""
    return Run.objects.get(parent=run, delegated_by__isnull=False)


def delegation(run: Run) -> Step:
    """Its one call to another agent."""
    return Step.objects.get(run=run, kind="delegate")
