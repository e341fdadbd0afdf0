"""Playing suites: what fails is said, what was killed is resumed, and nothing half counts as passed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from agents.models import Run
from audit.models import Event
from countersign.programs import PROJECT
from evaluations.models import CaseResult, Evaluation
from evaluations.services.finish_evaluation import interrupt_stale
from evaluations.vocabulary import EvaluationState
from evaluations.wording import problem_said
from tests.evaluations.conftest import Ended
from tests.harness.stack import Stack

SUITE = """
suite: lamps
agent: refund-desk
cases:
  - name: a lamp
    input: A desk lamp from order ORD-10002 was damaged in transit. Please refund €38.50.
    tools:
      look_up_order:
        - result: {order: ORD-10002, customer: Globex GmbH, product: Desk lamp, quantity: 10,
                   unit_price: "38.50", total: "385.00", refunded: "0.00", refundable: "385.00",
                   status: delivered, placed_on: "2026-11-01", delivered_on: "2026-11-08",
                   days_since_delivery: 9, customer_note: "", as_of: "2026-11-17T09:00:00Z"}
      read_refund_rules:
        - result: {window_days: 90, rules: []}
      issue_refund:
        - result: {reference: R-1, order: ORD-10002, amount: "38.50"}
    expect: {outcome: done, answer: {amount: 38.5}}
"""


def written(folder: Path, *changes: tuple[str, str], text: str = SUITE) -> str:
    """The suite as a file, with these parts of it put otherwise."""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "lamps.yaml"
    path.write_text(text)
    return str(path)


#: What is put otherwise in the case, and what is said of it then.
WRONG = [
    (("{amount: 38.5}", "{amount: 40}"), 'The answer\'s amount is "38.50", and 40 was expected.'),
    (("outcome: done", "outcome: abstained"), "It ended as done, and abstained was expected."),
    (("expect: {", "expect: {calls: {never: [issue_refund]}, "), "which must never happen"),
    (("expect: {", "expect: {calls: {exactly: [look_up_order]}, "), "which was not expected"),
    (
        ("expect: {", "expect: {calls: {in_order: [issue_refund, look_up_order]}, "),
        "but not in the expected order",
    ),
    (
        ("expect: {", "expect: {calls: {include: [{tool: issue_refund, gate: review}]}, "),
        "It never called issue_refund() [gate review]; the nearest was",
    ),
    (("expect: {", "expect: {model_calls: 1, "), "It asked its model 4 times, and 1 was"),
    (("expect: {", "expect: {answer_schema: {required: [why]}, "), "does not fit its schema"),
    (("issue_refund:", "send_email:"), "is not what the tool returns"),
    (("issue_refund:", "invented:"), "refund-desk has no such tool"),
    (
        ("- result: {reference: R-1", "- when: {amount: 1}\n          result: {reference: R-1"),
        "for which the scenario has no answer",
    ),
    (("€38.50.", "€380.00."), "It waits for a person on issue_refund("),
    (
        ("expect: {", "people: [{on: send_email, decide: edit, arguments: {}}]\n    expect: {"),
        "The scenario's decision on send_email cannot be taken",
    ),
]


def test_what_is_not_as_expected_is_said_in_a_sentence(
    evaluate: Callable[..., Ended], tmp_path: Path
) -> None:
    head, case = SUITE.split("  - name", 1)
    cases = []
    for number, ((old, new), _) in enumerate(WRONG):
        assert old in case
        cases.append("  - name" + case.replace("a lamp", f"case {number}").replace(old, new))
    path = tmp_path / "wrong.yaml"
    path.write_text(head + "".join(cases))
    ended = evaluate("refund-desk", suite=str(path))
    assert (ended.code, ended.evaluation.state) == (1, "failed"), ended.said
    assert f"0 of {len(WRONG)} passed" in ended.said
    told = {
        result.name: " ".join(map(problem_said, result.problems))
        for result in ended.evaluation.results.all()
    }
    for number, (_, said) in enumerate(WRONG):
        assert said in told[f"case {number}"]


def test_repeats_are_counted_results_are_written_and_the_log_says_so(
    evaluate: Callable[..., Ended], tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    ended = evaluate("refund-desk", suite=written(tmp_path), repeat=3, json=out, model="practice")
    assert (ended.code, ended.evaluation.passed, ended.evaluation.played) == (0, 3, 3), ended.said
    document = json.loads(out.read_text())
    assert [each["attempt"] for each in document["results"]] == [1, 2, 3]
    assert document["model_calls"] == sum(each["model_calls"] for each in document["results"]) == 12
    assert document["results"][0]["models"] == ["practice"]
    assert Run.objects.filter(simulated=True).count() == 3
    event = Event.objects.get(type="evaluation.finished")
    facts = json.loads(bytes(event.body))["facts"]
    assert (facts["suite"], facts["passed"], facts["repeat"]) == ("lamps", 3, 3)


@pytest.mark.parametrize(
    "point", ["evaluation.case_begun", "simulated.committed", "evaluation.case_recorded"]
)
def test_a_killed_evaluation_never_counts_as_passed_and_is_resumed(
    point: str,
    stack: Callable[..., Stack],
    evaluate: Callable[..., Ended],
    practice: str,
    tmp_path: Path,
) -> None:
    points = tmp_path / "points"
    points.mkdir()
    model = {"openai_base_url": practice, "openai_api_key": "any", "openai_model": "practice"}
    made = stack(**model, seeded=False, fault_points=points)
    (points / point).write_text("kill")
    suite = written(tmp_path)
    killed = command(made, "--suite", suite, "--repeat", "2")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    evaluation = Evaluation.objects.get()
    assert (evaluation.state, evaluation.played) == ("running", 0)

    early = evaluate("refund-desk", resume=evaluation.pk)
    assert (early.code, "being played by another process" in early.said) == (1, True), early.said
    Evaluation.objects.update(lease_expires_at=F("lease_expires_at") - timedelta(hours=1))
    assert interrupt_stale() == 1
    evaluation.refresh_from_db()
    assert evaluation.state == "interrupted"
    assert Event.objects.filter(type="evaluation.interrupted").count() == 1

    resumed = command(made, "--resume", str(evaluation.pk))
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    evaluation.refresh_from_db()
    assert (evaluation.state, evaluation.played, evaluation.passed) == ("passed", 2, 2)
    assert CaseResult.objects.count() == Run.objects.filter(simulated=True).count() == 2
    again = evaluate("refund-desk", resume=evaluation.pk)
    assert (again.code, "It has ended" in again.said) == (1, True), again.said


def test_two_never_play_one_evaluation_and_half_of_one_never_passes(
    evaluate: Callable[..., Ended], tmp_path: Path
) -> None:
    ended = evaluate("refund-desk", suite=written(tmp_path), repeat=2)
    whole = ended.evaluation
    for change in ({"played": 1}, {"passed": 1}, {"state": "running"}, {"cases": 3}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Evaluation.objects.filter(pk=whole.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        whole.results.update(problems=[{"code": "outcome"}])


def test_what_cannot_be_played_is_refused_before_anything_is_kept(
    evaluate: Callable[..., Ended], tmp_path: Path
) -> None:
    suite = written(tmp_path)
    for agent, options, said in (
        ("data-steward", {"suite": suite}, "is for refund-desk"),
        ("refund-desk", {"suite": "nowhere"}, "There are: refund-desk"),
        ("refund-desk", {"suite": suite, "repeat": 0}, "1 to 100 times"),
        ("refund-desk", {"suite": suite, "digest": "abcdef0"}, "no recorded version"),
        ("refund-desk", {"suite": suite, "person": "nobody"}, "nobody"),
        ("refund-desk", {}, "--suite NAME"),
    ):
        ended = evaluate(agent, **options)
        assert (ended.code, said in ended.said) == (1, True), ended.said
    assert not Evaluation.objects.exists()


def test_a_stopped_command_says_how_it_goes_on(
    evaluate: Callable[..., Ended], tmp_path: Path, monkeypatch: Any
) -> None:
    heard: list[int] = []

    def stop_after_one(self: Any, result: CaseResult) -> None:
        heard.append(result.pk)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("evaluations.management.commands.evaluate.Command._say", stop_after_one)
    stopped = evaluate("refund-desk", suite=written(tmp_path), repeat=3)
    assert (stopped.code, stopped.evaluation.state, len(heard)) == (130, "interrupted", 1)
    monkeypatch.undo()
    gone_on = evaluate("refund-desk", resume=stopped.evaluation.pk)
    assert (gone_on.code, gone_on.evaluation.passed) == (0, 3), gone_on.said
    assert gone_on.evaluation.state == EvaluationState.PASSED


def command(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), "evaluate", "refund-desk", *arguments],
        cwd=PROJECT,
        env=stack.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
