"""The form that starts a run: which agents it offers, how it is filled in, what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.urls import reverse

from accounts.callers import Caller
from agents import registry
from agents.errors import (
    AgentDisabled,
    BudgetSpent,
    EverythingStopped,
    InvalidInput,
    UnknownAgent,
    VersionNotActive,
)
from agents.forms import StartForm
from agents.inputs import read_input, text_field, write_input
from agents.models import HostedAgent, Run
from agents.services.start_run import start_run
from agents.switchboard import Switchboard
from audit.canonical import canonical_bytes, sha256_hex


@dataclass(frozen=True)
class Offer:
    """An example of an agent's input; `url` fills the form with it without a script."""

    agent: str
    agent_title: str
    title: str
    text: str
    url: str


def startable(agents: list[HostedAgent]) -> list[HostedAgent]:
    """Those of the agents that a run can be started of now."""
    board = Switchboard.now()
    return [
        hosted
        for hosted in agents
        if board.over_agent(hosted.pk) is None
        and (declared := registry.find(hosted.slug)) is not None
        and hosted.active_version is not None
        and hosted.active_version.digest == declared.version
    ]


def offers(agents: list[HostedAgent]) -> list[Offer]:
    """The examples of these agents."""
    found = []
    for hosted in agents:
        declared = registry.find(hosted.slug)
        for number, example in enumerate(declared.examples if declared else (), start=1):
            query = urlencode({"start": hosted.slug, "example": number})
            found.append(
                Offer(
                    agent=hosted.slug,
                    agent_title=hosted.title,
                    title=example.title,
                    text=write_input(example.input),
                    url=f"{reverse('run-list')}?{query}#start",
                )
            )
    return found


def start_form(
    agents: list[HostedAgent], *, data: Mapping[str, Any] | None = None, given: Mapping[str, str]
) -> StartForm:
    """The form over these agents; `given` are the address's `start` and `example`."""
    initial: dict[str, Any] = {}
    chosen = registry.find(given.get("start", ""))
    if chosen is not None:
        initial["agent"] = chosen.slug
        number = given.get("example", "")
        if number.isdecimal() and 1 <= int(number) <= len(chosen.examples):
            initial["text"] = write_input(chosen.examples[int(number) - 1].input)
    return StartForm(
        data,
        initial=initial,
        agents=[(hosted.slug, hosted.title) for hosted in agents],
        text_label=_label(agents),
    )


UNSTARTABLE: Final = (
    UnknownAgent,
    AgentDisabled,
    EverythingStopped,
    VersionNotActive,
    BudgetSpent,
)


def start(form: StartForm, caller: Caller) -> tuple[Run, bool] | None:
    """Start the run of a valid form: the run and whether it is new; None when the form now says
    what is wrong. Raises Forbidden without the permission."""
    slug, text = form.cleaned_data["agent"], form.cleaned_data["text"]
    try:
        declared = registry.get(slug)
        given = read_input(declared, text)
        return start_run(agent=slug, input=given, caller=caller, idempotency_key=_key(form))
    except InvalidInput as refusal:
        form.add_error("text", refusal.detail)
    except UNSTARTABLE as refusal:
        form.add_error("agent", refusal.detail)
    return None


def _label(agents: list[HostedAgent]) -> str:
    """The title of the input's only field, where all agents agree on it."""
    titles = set()
    for hosted in agents:
        declared = registry.find(hosted.slug)
        name = text_field(declared) if declared else None
        if declared is None or name is None:
            return ""
        titles.add(declared.input.model_fields[name].title or name.capitalize())
    return titles.pop() if len(titles) == 1 else ""


def _key(form: StartForm) -> str | None:
    """A key of this form with this content: sent twice it starts one run, changed it starts another."""
    if not form.cleaned_data["key"]:
        return None
    content = [form.cleaned_data["key"], form.cleaned_data["agent"], form.cleaned_data["text"]]
    return f"page-{sha256_hex(canonical_bytes(content))}"
