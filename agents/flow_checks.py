"""`manage.py check` for workflows: what is wrong with a machine, and what to change."""

from __future__ import annotations

from collections.abc import Iterator

from agents.definitions import Agent, Category
from agents.mistakes import Mistake


def mistakes_of_flow(agent: Agent) -> Iterator[Mistake]:
    """Mistakes in an agent's workflow, or that it has none where it should, or one where it may not."""
    flow = agent.flow
    if flow is None:
        if agent.category is Category.WORKFLOW:
            what = f"Agent {agent.slug} is of the category workflow and follows none."
            yield Mistake("agents.E101", what, "Give it a Workflow as `flow`.")
        return
    if agent.category is not Category.WORKFLOW:
        what = f"Agent {agent.slug} follows a workflow and is of the category {agent.category}."
        yield Mistake("agents.E102", what, "Make it Category.WORKFLOW.")
    if agent.route is not None:
        what = f"Agent {agent.slug} follows a workflow and has a route."
        yield Mistake(
            "agents.E104", what, "Take the route away: the machine says what comes first."
        )
    for problem, hint in flow.problems():
        yield Mistake("agents.E103", f"Agent {agent.slug}: {problem}.", hint)
