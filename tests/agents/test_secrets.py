"""Secrets of tools: who is handed them, what becomes of a call without one, and in which forms they are found."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from accounts.callers import Caller
from agents import registry
from agents.authoring import (
    Agent,
    DefinitionError,
    Effect,
    EffectClass,
    Preview,
    Risk,
    Tool,
    ToolContext,
    Trust,
    tool,
)
from agents.errors import InvalidInput, UnfitText
from agents.foreign_errors import told_of
from agents.models import Run, Step
from agents.secret_masks import SecretMasks
from agents.services.message_run import message_run
from agents.services.start_run import start_run
from agents.storable import storable
from agents.tool_secrets import Handed, SecretNotSet
from approvals.vocabulary import Verdict
from tests.agents.bank import Account, Bank, teller
from tests.agents.conftest import Counter, host
from tests.leak.forms import all_forms, forms_of
from tests.model_server import call, calls, final, judged

KEY = "k-\"ä/9\\+\n☃ 😀<x>'&"
OTHER = "another-secret-0815"


@pytest.fixture
def given(settings: Settings) -> dict[str, str]:
    """The secrets that are set."""
    secrets = {"bank_key": KEY, "post_key": OTHER}
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"tool_secrets": secrets})
    return secrets


@pytest.mark.parametrize("form", [*forms_of(KEY), "all at once"])
def test_a_secret_is_found_in_every_form(form: str) -> None:
    said = " ".join(all_forms(KEY)) if form == "all at once" else forms_of(KEY)[form]
    masked = SecretMasks({"bank_key": KEY}).text(f"before {said} after")
    assert "[secret: bank_key]" in masked
    for left in forms_of(KEY).values():
        assert left not in masked


def test_what_is_no_secret_stays_as_it_is() -> None:
    masks = SecretMasks({"bank_key": KEY, "post_key": OTHER})
    for text in ("", "another-secret-081", json.dumps({"a": ["%41", "\\u0041", "☃"]}), KEY[:-1]):
        assert masks.text(text) == text


def test_of_two_secrets_the_longer_one_is_found_where_it_holds_the_other() -> None:
    masks = SecretMasks({"short": "abcd-efgh", "long": "abcd-efgh-ijkl"})
    assert masks.text("abcd-efgh-ijkl abcd-efgh") == "[secret: long] [secret: short]"


def test_keys_and_numbers_of_a_result_are_masked_too(settings: Settings) -> None:
    secrets = {"pin": "4711081512"}
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"tool_secrets": secrets})
    mark = "[secret: pin]"
    given = {"4711081512": [4711081512, 3, True, 4711081512.0]}
    assert storable(given) == {mark: [mark, 3, True, f"{mark}.0"]}


def test_a_secret_is_not_shown_by_what_holds_it() -> None:
    handed = Handed({"bank_key": KEY})
    assert handed["bank_key"] == KEY
    assert KEY not in repr(handed) + str(handed)
    with pytest.raises(SecretNotSet, match="post_key"):
        handed["post_key"]


def paying(secrets: set[str], seen: list[dict[str, str]]) -> list[Tool]:
    """A tool with these secrets, all of whose functions look at them, and one without any."""

    @tool(
        risk=Risk.HIGH,
        effects={Effect.MONEY},
        reversible=True,
        effect_class=EffectClass.QUERYABLE,
        secrets=secrets,
        trust=Trust.TRUSTED,
    )
    def remit(ctx: ToolContext, account: Account) -> str:
        """Remit."""
        seen.append({"did": "remit", **ctx.secrets})
        raise ValueError("was it done?")

    @remit.preview
    def show(ctx: ToolContext, account: Account) -> Preview:
        seen.append({"did": "preview", **ctx.secrets})
        return Preview(title="Remit")

    @remit.state_token
    def token(ctx: ToolContext, account: Account) -> str:
        seen.append({"did": "state_token", **ctx.secrets})
        return "same"

    @remit.lookup
    def find(ctx: ToolContext, account: Account) -> str:
        seen.append({"did": "lookup", **ctx.secrets})
        return "found"

    @remit.verify
    def look(ctx: ToolContext, account: Account, result: str) -> bool:
        seen.append({"did": "verify", **ctx.secrets})
        return True

    @tool(risk=Risk.LOW, trust=Trust.TRUSTED)
    def glance(ctx: ToolContext, account: Account) -> str:
        """Glance."""
        seen.append({"did": "glance", **ctx.secrets})
        return "nothing"

    return [remit, glance]


@pytest.fixture
def till(bank: Bank) -> Iterator[Callable[..., Agent]]:
    def hosted(secrets: set[str], seen: list[dict[str, str]]) -> Agent:
        agent = teller(bank, tools=paying(secrets, seen))
        host(agent)
        return agent

    yield hosted
    registry.unregister("teller")


def one(name: str) -> dict[str, Any]:
    return call(name, judged({"account": "7"}))


def test_a_tool_is_handed_the_secrets_that_it_declares_and_no_other(
    counter: Counter, till: Callable[..., Agent], given: dict[str, str], reviewer: Any
) -> None:
    seen: list[dict[str, str]] = []
    till({"bank_key"}, seen)
    run = counter.start([calls(one("remit"), one("glance")), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    assert counter.go_on(run).state == "succeeded"
    assert {each["did"] for each in seen} == {
        *("preview", "state_token", "remit", "lookup", "verify", "glance")
    }
    for each in seen:
        handed = {} if each["did"] == "glance" else {"bank_key": KEY}
        assert each == {"did": each["did"], **handed}


def test_a_call_whose_secret_is_not_set_does_not_run(
    counter: Counter,
    till: Callable[..., Agent],
    given: dict[str, str],
    reviewer: Any,
    steps_of: Callable[[Run], list[Step]],
) -> None:
    seen: list[dict[str, str]] = []
    till({"bank_key", "lost_key"}, seen)
    run = counter.start([calls(one("remit")), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    step = next(step for step in steps_of(run) if step.name == "remit")
    assert (step.state, step.problem) == ("refused", "secret_missing")
    assert "lost_key is missing" in str(step.output)
    assert "remit" not in {each["did"] for each in seen}


def test_nobody_can_tell_a_run_a_secret(counter: Counter, given: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="secret"):
        counter.start([], text=f"It is {OTHER}.")
    run = counter.start([calls(one("read_balance")), final(summary="ok")])
    with pytest.raises(InvalidInput, match="secret"):
        start_run(agent="teller", input=OTHER, caller=Caller.of_session(counter.operator))
    with pytest.raises(UnfitText, match="secret"):
        message_run(run_id=run.pk, text=OTHER, caller=Caller.of_session(counter.operator))


def test_what_a_tool_with_a_secret_raises_is_not_worded_in_the_log() -> None:
    holder = paying({"bank_key"}, [])[0]
    for keeper, worded in ((holder, False), (paying(set(), [])[0], True)):
        assert (KEY[:9] in str(told_of(keeper, ValueError(KEY[:9])))) is worded


def test_a_secret_is_masked_in_every_line_of_the_log(given: dict[str, str]) -> None:
    [handler] = [each for each in logging.getLogger().handlers if each.formatter is not None][:1]
    try:
        raise RuntimeError(OTHER) from KeyError(OTHER)
    except RuntimeError as error:
        told = (type(error), error, error.__traceback__)
    record = logging.LogRecord("lib", logging.ERROR, "", 0, "%s", (OTHER,), told)
    record.more = {OTHER: [OTHER, {"deep": json.dumps({"it": OTHER})}]}
    line = handler.format(record)
    assert OTHER not in line
    assert line.count("[secret: post_key]") >= 4
    assert json.loads(line)["event"] == "[secret: post_key]"


@pytest.mark.parametrize("name", ["Payments", "pay-ments", "key", ""])
def test_a_secret_that_no_variable_could_give_is_refused(name: str) -> None:
    with pytest.raises(DefinitionError, match="lower_snake_case"):
        paying({name}, [])
