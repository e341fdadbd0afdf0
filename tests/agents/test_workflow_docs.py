"""docs/workflows.md: its code is run as it stands, and what it says of moves and outcomes is what there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

from accounts.callers import Caller
from accounts.models import User
from agents import registry
from agents.checks import check_agents
from agents.models import Run
from agents.runner import advance
from agents.services.start_run import start_run
from agents.workflow import Move
from approvals.vocabulary import Verdict
from tests.agents.conftest import Counter, host
from tests.model_server import Answer, call, calls, judged

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "workflows.md"


@pytest.fixture
def written(tmp_path: Path) -> Iterator[ModuleType]:
    """The page's code as a module, hosted as a deploy would."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "written.py"
    path.write_text(code)
    spec = spec_from_file_location("written", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    registry.unregister("expenses")


def claim(counter: Counter, *answers: Answer) -> Run:
    counter.model.follow(answers)
    caller = Caller.of_session(counter.operator)
    run, _ = start_run(agent="expenses", input="A train to Kiel, 38.50.", caller=caller)
    advance(run.pk, owner="test", stopping=lambda: False)
    return Run.objects.get(pk=run.pk)


def read(amount: str) -> Answer:
    fields: dict[str, Any] = {"purpose": "a train to Kiel", "amount": amount}
    return calls(call("answer", judged(fields)))


def test_the_pages_workflow_passes_the_checks_and_pays_what_a_person_approved(
    counter: Counter, written: ModuleType, reviewer: User
) -> None:
    host(written.expenses)
    assert [m for m in check_agents(None) if "expenses" in m.msg] == []
    run = claim(counter, read("38.50"))
    request = counter.request(run)
    assert request.preview["title"] == "Pay back €38.50 for a train to Kiel"
    counter.decide(request, Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert run.output is not None
    assert run.output["summary"].startswith("Paid back: payroll entry ")


def test_the_pages_workflow_reads_again_what_was_sent_back(
    counter: Counter, written: ModuleType, reviewer: User
) -> None:
    host(written.expenses)
    run = claim(counter, read("38.50"), read("35.80"))
    counter.decide(counter.request(run), Verdict.SEND_BACK, reviewer, reason="Digits turned.")
    run = counter.go_on(run)
    assert counter.request(run).arguments["amount"] == "35.80"
    asked = counter.model.requests[-1]["messages"][1]["content"]
    assert "A reviewer says: Digits turned." in asked


def test_the_pages_workflow_abstains_from_small_sums(counter: Counter, written: ModuleType) -> None:
    host(written.expenses)
    assert claim(counter, read("4.99")).outcome == "abstained"


def test_every_move_stands_on_the_page_and_no_other() -> None:
    section = PAGE.read_text().split("## Moves")[1].split("What becomes of a call")[0]
    written = set(re.findall(r"^\| `(\w+)\(", section, re.MULTILINE))
    assert written == {move.__name__ for move in get_args(Move)}
