"""`manage.py check`: each mistake in a definition is an error that says what to change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command, load_command_class
from django.core.management.base import SystemCheckError
from pytest_django import Settings

from agents import registry
from agents.authoring import Effect, Risk, ToolContext, tool
from agents.mistakes import DefinitionError
from countersign.programs import PROJECT
from tests.agents.bank import Payment
from tests.agents.made_app import START, checked, installed
from tests.harness.cluster import product_environment

PAY = """
@tool(risk=Risk.HIGH, effects={Effect.MONEY}, %s)
def pay(ctx: ToolContext, thing: Thing) -> %s:
    '''Pay.'''
    %s

@pay.preview
def show(ctx: ToolContext, thing: Thing) -> str:
    return "Pay"
"""
KEPT = "effect_class=EffectClass.IDEMPOTENT"


def paying(more: str = KEPT, returns: str = "str", body: str = "return ctx.idempotency_key") -> str:
    return PAY % (more, returns, body)


MADE = "made = agent(tools=[look, pay])"
WRONG = {
    "no owner": ("made = agent(owner='')", "E001", "has no owner", "Name the review group"),
    "an owner that is no slug": (
        "made = agent(owner='The Board')",
        "E001",
        "'The Board' is no slug",
        "Name the review",
    ),
    "a slug that cannot be used": ("made = agent(slug='Made!')", "E005", "'Made!'", "lower-case"),
    "an empty title": ("made = agent(title=' ')", "E006", "title", "plain letters"),
    "a category that is none": (
        "made = agent(category='bound')",
        "E007",
        "'bound' is no category",
        "Category.BOUNDED",
    ),
    "an open input": (
        "class Any(BaseModel): pass\nmade = agent(input=Any)",
        "E008",
        "its input model takes fields",
        'ConfigDict(extra="forbid")',
    ),
    "a built-in name": (
        "look.name = 'ask_human'\nmade = agent()",
        "E009",
        "built-in tool",
        "Rename yours",
    ),
    "a name that cannot be used": (
        "look.name = 'Look'\nmade = agent()",
        "E009",
        "'Look' cannot be used",
        "lower_snake_case",
    ),
    "one tool twice": (
        "made = agent(tools=[look, look])",
        "E010",
        "two tools are called look",
        "Rename one",
    ),
    "a preview twice": (
        paying() + "pay.preview(show)",
        "E010",
        "preview is declared twice",
        "Keep one",
    ),
    "a high-risk tool without a preview": (
        paying() + "pay.previewer = None\n" + MADE,
        "E011",
        "high risk tool needs a preview",
        "@pay.preview",
    ),
    "a queryable tool without a lookup": (
        paying("effect_class=EffectClass.QUERYABLE") + MADE,
        "E002",
        "needs a lookup",
        "@pay.lookup",
    ),
    "a read that is read back": (
        "look.verify(lambda ctx, thing, result: True)\nmade = agent()",
        "E012",
        "a read has nothing to read back",
        "Declare its effects",
    ),
    "a read that is undone": (
        "look.undo(lambda ctx, thing, result: None)\nmade = agent()",
        "E012",
        "a read has nothing to undo",
        "Declare its effects",
    ),
    "a tool without a docstring": (
        "@tool(risk=Risk.LOW)\ndef x(ctx: ToolContext, thing: Thing) -> str: return ''",
        "E013",
        "no docstring",
        "Write one",
    ),
    "a tool without a context": (
        "@tool(risk=Risk.LOW)\ndef x(thing: Thing) -> str:\n    'X.'\n    return ''",
        "E013",
        "takes 1 arguments",
        "Have it take exactly",
    ),
    "a tool whose result nobody knows": (
        "@tool(risk=Risk.LOW)\ndef x(ctx: ToolContext, thing: Thing):\n    'X.'",
        "E013",
        "nobody knows what it returns",
        "Annotate the result",
    ),
    "a tool whose arguments nobody knows": (
        "@tool(risk=Risk.LOW)\ndef x(ctx: ToolContext, thing) -> str:\n    'X.'",
        "E013",
        "nobody knows what thing is",
        "pydantic model",
    ),
    "a reserved argument": (
        "class Sure(BaseModel):\n    model_config = ConfigDict(extra='forbid')\n    confidence: int\n"
        "@tool(risk=Risk.LOW)\ndef x(ctx: ToolContext, sure: Sure) -> str:\n    'X.'",
        "E014",
        "confidence is added to every tool",
        "Rename yours",
    ),
    "an argument that is not there": (
        "@tool(risk=Risk.LOW, sensitive={'iban'})\n"
        "def x(ctx: ToolContext, thing: Thing) -> str:\n    'X.'",
        "E015",
        "sensitive names iban",
        "The arguments are name",
    ),
    "a time of nothing": (
        "@tool(risk=Risk.LOW, timeout_seconds=0)\n"
        "def x(ctx: ToolContext, thing: Thing) -> str:\n    'X.'",
        "E018",
        "may take 0 seconds",
        "above 0",
    ),
    "an error at import": ("made = agnet()", "E019", "NameError: name 'agnet'", "Mend it at"),
    "a word that is no effect": (
        "@tool(risk=Risk.LOW, effects={Effect.PHYSICAL})\n"
        "def x(ctx: ToolContext, thing: Thing) -> str:\n    'X.'",
        "E019",
        "AttributeError: PHYSICAL",
        "agents.py:",
    ),
    "a syntax error": ("made = = 1", "E019", "SyntaxError", "agents.py:"),
    "an idempotent tool that sends no key": (
        paying(body="return f'{ctx.now} {thing.name}'") + MADE,
        "E020",
        "never looks at ctx.idempotency_key",
        "declare it queryable (with a lookup) or opaque",
    ),
    "an idempotent undo that sends no key": (
        paying() + "@pay.undo\ndef back(ctx: ToolContext, thing: Thing, was: str | None) -> None:\n"
        "    print(thing)\n" + MADE,
        "E020",
        "the undo of pay is declared idempotent",
        "Send ctx.idempotency_key",
    ),
    "a lookup that nobody asks": (
        paying()
        + "@pay.lookup\ndef find(ctx: ToolContext, thing: Thing) -> str | None: ...\n"
        + MADE,
        "E021",
        "has a lookup and is idempotent",
        "EffectClass.QUERYABLE",
    ),
    "an acceptance that nobody confirms": (
        paying(returns="Accepted[str] | str") + MADE,
        "E022",
        "nobody could confirm",
        "callback=",
    ),
    "callbacks of what is never accepted": (
        paying(KEPT + ", callback='mail'") + MADE,
        "E022",
        "never returns Accepted",
        "Accepted[…]",
    ),
    "a secret that is not set": (
        paying(KEPT + ", secrets={'pay_key'}") + MADE,
        "E023",
        "its secret pay_key is not set",
        "Set COUNTERSIGN_SECRET_PAY_KEY",
    ),
    "arguments that hold what drops fields": (
        "class Line(BaseModel):\n    sum: int\n"
        "class Bill(BaseModel):\n    model_config = ConfigDict(extra='forbid')\n    lines: list[Line] | None\n"
        "@tool(risk=Risk.LOW)\ndef x(ctx: ToolContext, bill: Bill) -> str:\n    'X.'",
        "E032",
        "Tool x: Bill holds Line, which takes fields that it does not name",
        'Give Line ConfigDict(extra="forbid")',
    ),
    "an answer that holds what drops fields": (
        "class Line(BaseModel):\n    sum: int\n"
        "class Report(BaseModel):\n    model_config = ConfigDict(extra='forbid')\n    by: dict[str, Line]\n"
        "made = agent(output=Report)",
        "E032",
        "Agent made: its output model holds Line",
        'Give Line ConfigDict(extra="forbid")',
    ),
    "a reserved field of the answer": (
        "class Report(BaseModel):\n    model_config = ConfigDict(extra='forbid')\n    done: str\n"
        "made = agent(output=Report)",
        "E027",
        "done is added to every final answer",
        "Rename the field of Report",
    ),
    "a threshold that no answer meets": (
        "made = agent(answer_threshold=80)",
        "E028",
        "its answer_threshold is 80",
        "between 0 and 1",
    ),
    "an assertion of a tool that it does not have": (
        paying() + "made = agent(asserts=[Asserts(pay)])",
        "E029",
        "asserts pay, which is none of its tools",
        "Add it to tools",
    ),
    "an assertion by a field that is not there": (
        paying()
        + "made = agent(tools=[look, pay], asserts=[Asserts(pay, when={'outcom': ['paid']})])",
        "E029",
        "names outcom, which its output does not have",
        "The fields of Answer are summary",
    ),
    "a route beside models": (
        "made = agent(models=['a'], route=Route(entry=('a',)))",
        "E033",
        "names models beside its route",
        "in the route alone",
    ),
    "a route that begins beside its chain": (
        "made = agent(route=Route(entry=('a',), classify=(Path(name='x', when='x', entry='b'),)))",
        "E033",
        "begins with b, which is not on the chain",
        "The chain is a",
    ),
    "an agent that hands work to one twice": (
        "made = agent(delegates=['clerk', 'clerk'])",
        "E025",
        "cannot hand work to 'clerk'",
        "once, by its slug",
    ),
    "an example that does not fit": (
        "made = agent(examples=[Example('Odd', 7)])",
        "E003",
        "the example 'Odd' does not fit",
        "Change the example",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_an_error_that_says_what_to_change(case: str, tmp_path: Path) -> None:
    source, number, what, hint = WRONG[case]
    (found,) = checked(tmp_path, source)
    assert found.id == f"agents.{number}"
    assert what in found.msg
    assert hint in str(found.hint)


def test_a_tool_that_hands_its_context_on_may_send_the_key(tmp_path: Path) -> None:
    assert checked(tmp_path, paying(body="return str(print(ctx))") + MADE) == []


def test_a_secret_that_is_set_is_no_mistake(tmp_path: Path, settings: Settings) -> None:
    given = {"tool_secrets": {"pay_key": "a-long-enough-one"}}
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update=given)
    assert checked(tmp_path, paying(KEPT + ", secrets={'pay_key'}") + MADE) == []


def test_several_mistakes_of_an_agent_are_told_at_once(tmp_path: Path) -> None:
    wrong = "slug='Made!', owner='', tools=[look, look], answer_threshold=2, models=['a'], route=Route(entry=('b',))"
    found = checked(tmp_path, f"made = agent({wrong})")
    numbers = ("E001", "E005", "E010", "E028", "E033")
    assert {each.id for each in found} == {f"agents.{number}" for number in numbers}


@pytest.mark.parametrize("given", ["openai_base_url", "openai_api_key"])
def test_a_server_without_a_model_is_an_error(
    given: str, tmp_path: Path, settings: Settings
) -> None:
    there = {given: "http://127.0.0.1:9/v1", "openai_model": ""}
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update=there)
    (found,) = checked(tmp_path, "made = agent()")
    assert found.id == "agents.E034"
    assert "made" in found.msg
    assert "Set OPENAI_MODEL" in str(found.hint)
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"openai_model": "small"})
    assert checked(tmp_path, "made = agent()") == []


def test_one_slug_in_two_apps_is_an_error_that_names_both(tmp_path: Path) -> None:
    with installed(tmp_path, "made = agent()", "other = agent()") as names:
        (found,) = run_checks(tags=["agents"])
    assert found.id == "agents.E010"
    for name in names:
        assert f"{name}.agents" in found.msg


def test_a_broken_app_takes_no_other_agent_away_but_nothing_begins_to_work(tmp_path: Path) -> None:
    with installed(tmp_path, "made = agent()", "broken"):
        assert registry.find("made") is not None
        assert registry.find("refund-desk") is not None
        with pytest.raises(DefinitionError, match="NameError"):
            registry.require_sound()
    registry.require_sound()


def test_the_command_names_the_file_and_the_web_process_does_not_start(tmp_path: Path) -> None:
    shop = tmp_path / "broken_shop"
    shop.mkdir()
    (shop / "__init__.py").write_text("")
    (shop / "agents.py").write_text(START + "made = agent(owner='')\n")
    environment = product_environment(
        COUNTERSIGN_APPS="broken_shop",
        COUNTERSIGN_DEMO="1",
        COUNTERSIGN_DATA_DIR=str(tmp_path / "data"),
        DATABASE_URL="postgresql://app@db.example/countersign",
        REDIS_URL="redis://redis.example/0",
        SECRET_KEY="x0-y1-z2" * 8,
        PYTHONPATH=str(tmp_path),
    )
    for arguments in (["manage.py", "check"], ["-c", "import countersign.asgi"]):
        outcome = subprocess.run(
            [sys.executable, *arguments],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert outcome.returncode != 0
        assert "Agent made has no owner." in outcome.stderr
        assert "Name the review group" in outcome.stderr
        assert ("Traceback" in outcome.stderr) is (arguments[0] == "-c")


def test_what_has_effects_is_taken_to_last_unless_its_author_says_that_it_can_be_undone() -> None:
    def reversible(**said: Any) -> bool:
        def act(ctx: ToolContext, payment: Payment) -> str:
            """Act."""
            return ""

        return tool(**said)(act).reversible

    assert not reversible(risk=Risk.HIGH, effects={Effect.MONEY})
    assert not reversible(risk=Risk.MEDIUM)
    assert reversible(risk=Risk.LOW)
    assert reversible(risk=Risk.HIGH, effects={Effect.MONEY}, reversible=True)


@pytest.mark.django_db(databases="__all__")
def test_what_carries_out_no_tool_starts_without_its_secrets_and_not_with_a_mistake(
    tmp_path: Path,
) -> None:
    pool = load_command_class("countersign", "rqworker-pool")
    toolless = [
        load_command_class("countersign", "scheduler"),
        load_command_class("countersign", "migrate"),
        load_command_class("agents", "sync_agents"),
    ]
    for command in (pool, *toolless):
        # Only whether they would start.
        command.handle = lambda *_args, **_options: None
    with installed(tmp_path, paying(KEPT + ", secrets={'pay_key'}") + MADE):
        for command in toolless:
            call_command(command, skip_checks=False)
            # `migrate` checks by itself.
            command.check()
        call_command(pool, "background", skip_checks=False)
        for queue in ("resumes", "runs"):
            with pytest.raises(SystemCheckError, match="E023"):
                call_command(pool, queue, skip_checks=False)
        assert [each.id for each in run_checks(tags=["agents"])] == ["agents.E023"]
    with installed(tmp_path, "made = agent(owner='')"):
        for command in toolless:
            with pytest.raises(SystemCheckError, match="E001"):
                command.check()
