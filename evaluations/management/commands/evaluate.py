"""`manage.py evaluate AGENT --suite S`: play a suite of scenarios and say what is not as expected."""

from __future__ import annotations

import json
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.callers import Caller
from accounts.errors import UnknownPerson
from accounts.models import User
from accounts.services.create_person import create_person
from agents import registry
from agents.errors import UnknownAgent
from agents.models import AgentVersion, HostedAgent
from agents.services.sync import sync_agents
from audit.actors import Actor
from audit.errors import Refusal
from evaluations.models import CaseResult, Evaluation
from evaluations.playing import PATIENCE_SECONDS, Player, Stopped, lease_seconds
from evaluations.representations import whole_as_json
from evaluations.services.begin_evaluation import begin_evaluation, resume_evaluation
from evaluations.services.finish_evaluation import interrupt, interrupt_stale
from evaluations.suites import find_suite, suite_names
from evaluations.vocabulary import CaseState, EvaluationState
from evaluations.wording import CASE_STATES, problem_said

ACCOUNT: Final = "evaluations"
FAILED: Final = 1
INTERRUPTED: Final = 130
SHORTEST_DIGEST: Final = 6


class Command(BaseCommand):
    """Ends with 0 only where every case passed, each time."""

    help = (
        "Plays a suite of scenarios with an agent: the engine, the gate and the model are real, tools and people "
        "are answered from the suite. Ends with an error unless every case passes."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Here a version is that of an agent, and not Django's."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("agent", help="slug of the agent")
        parser.add_argument(
            "--suite", help="name of a suite, or a file; --list says which there are"
        )
        parser.add_argument(
            "--list", action="store_true", help="say which suites there are, and end"
        )
        parser.add_argument(
            "--version",
            dest="digest",
            default="",
            help="digest of a recorded version, or its beginning; the installed one unless given",
        )
        parser.add_argument("--model", default="", help="a model in place of the agent's own")
        parser.add_argument("--repeat", type=int, default=1, help="play each case so many times")
        parser.add_argument("--json", type=Path, help="write all results to this file as well")
        parser.add_argument(
            "--resume", type=UUID, help="go on with an evaluation that was interrupted"
        )
        parser.add_argument(
            "--as",
            dest="person",
            default="",
            help="user name of who evaluates; an account of its own unless given",
        )
        parser.add_argument(
            "--patience",
            type=float,
            default=PATIENCE_SECONDS,
            help="seconds after which a case that does not go on is given up",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        slug = options["agent"]
        try:
            if options["list"]:
                self.stdout.write("\n".join(suite_names(slug)) or f"There is no suite for {slug}.")
                return
            if bool(options["suite"]) == bool(options["resume"]):
                raise CommandError("Say --suite NAME, or --resume ID.")
            interrupt_stale()
            evaluation = self._begin(slug, options)
            evaluation = self._play(evaluation, options)
        except Refusal as refusal:
            raise CommandError("\n".join(refusal.lines)) from refusal
        if options["json"]:
            self._write(evaluation, options["json"])
        self._sum_up(evaluation)
        if evaluation.state != EvaluationState.PASSED:
            sys.exit(FAILED)

    def _begin(self, slug: str, options: dict[str, Any]) -> Evaluation:
        caller = Caller.of_session(_person(options["person"]))
        agent = registry.get(slug)
        if options["resume"]:
            return resume_evaluation(
                evaluation_id=options["resume"], caller=caller, lease_seconds=lease_seconds(agent)
            )
        found = find_suite(options["suite"], agent=slug)
        # What is installed here may be what nobody has recorded yet, as before a deploy.
        sync_agents([agent], actor=Actor.system("evaluate"))
        hosted = HostedAgent.objects.filter(slug=slug).first()
        if hosted is None:
            raise UnknownAgent(slug)
        return begin_evaluation(
            agent=hosted,
            version=_version(slug, options["digest"] or agent.version),
            found=found,
            caller=caller,
            lease_seconds=lease_seconds(agent),
            model=options["model"],
            repeat=options["repeat"],
        )

    def _play(self, evaluation: Evaluation, options: dict[str, Any]) -> Evaluation:
        shown = f"{evaluation.suite} with {evaluation.agent.slug} {evaluation.agent_version.digest[:19]}"
        times = f", {evaluation.repeat} times each" if evaluation.repeat > 1 else ""
        self.stdout.write(f"Evaluation {evaluation.pk}: {shown}, {evaluation.cases} cases{times}")
        with _signals() as asked:
            player = Player(
                evaluation,
                Caller.of_session(evaluation.started_by),
                stopping=lambda: bool(asked),
                heard=self._say,
                patience_seconds=options["patience"],
            )
            try:
                return player.play()
            except Stopped:
                interrupt(evaluation)
                self.stderr.write(
                    f"Stopped. Go on with: manage.py evaluate {evaluation.agent.slug} --resume {evaluation.pk}"
                )
                sys.exit(INTERRUPTED)

    def _say(self, result: CaseResult) -> None:
        state = CaseState(result.state)
        style = self.style.SUCCESS if state is CaseState.PASSED else self.style.ERROR
        again = f" ({result.attempt})" if result.attempt > 1 else ""
        self.stdout.write(f"  {style(CASE_STATES[state])}  {result.name}{again}")
        for problem in result.problems:
            self.stdout.write(f"      {problem_said(problem)}")
        if result.problems and result.run_id:
            self.stdout.write(f"      Run {result.run_id}")

    def _sum_up(self, evaluation: Evaluation) -> None:
        passed = evaluation.state == EvaluationState.PASSED
        cost = f"{evaluation.cost_micros / 1_000_000:.6f}".rstrip("0").rstrip(".") or "0"
        unknown = (
            f" ({evaluation.unpriced_calls} without a price)" if evaluation.unpriced_calls else ""
        )
        self.stdout.write(
            (self.style.SUCCESS if passed else self.style.ERROR)(
                f"{evaluation.passed} of {evaluation.plays} passed."
            )
            + f" {evaluation.model_calls} model calls{unknown}, {evaluation.tokens} tokens, cost {cost},"
            f" {evaluation.seconds:.1f} s at work."
        )

    def _write(self, evaluation: Evaluation, path: Path) -> None:
        results = evaluation.results.order_by("place", "attempt")
        document = json.dumps(whole_as_json(evaluation, results), indent=2, ensure_ascii=False)
        try:
            path.write_text(f"{document}\n")
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error


def _person(username: str) -> User:
    """Who evaluates: the person of that name, or an account of its own that nobody can sign in to."""
    person: User | None = User.objects.filter(username__iexact=username or ACCOUNT).first()
    if person is not None:
        return person
    if username:
        raise UnknownPerson(username)
    return create_person(
        username=ACCOUNT,
        display_name="Evaluations",
        roles=("operator",),
        caller=Actor.system("evaluate"),
    )


def _version(slug: str, digest: str) -> AgentVersion:
    """The one recorded version whose digest begins so."""
    begins = digest if digest.startswith("sha256:") else f"sha256:{digest}"
    if len(begins) < len("sha256:") + SHORTEST_DIGEST:
        raise CommandError(f"Give at least {SHORTEST_DIGEST} characters of the version's digest.")
    rows = AgentVersion.objects.declared().filter(slug=slug, digest__startswith=begins)
    found = list(rows[:2])
    if not found:
        raise CommandError(
            f"{slug} has no recorded version {digest}. See its page for those there are."
        )
    if len(found) > 1:
        raise CommandError(f"Several versions of {slug} begin with {digest}. Give more of it.")
    return found[0]


@contextmanager
def _signals() -> Iterator[list[int]]:
    """What SIGINT and SIGTERM ask for, as a list that is empty until then."""
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
