"""`manage.py replay RUN`: make what a run sent to models anew from its journal, and say what differs."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agents.masking import Mask
from agents.models import Run
from agents.replay import replay, usual_for
from agents.replay_api import replay_as_json
from agents.replayed import Against, Replayed, Result
from agents.withheld import sensitive_values
from approvals.withholding import Withheld

WORDS = {
    Result.SAME: "same",
    Result.DIFFERS: "differs",
    Result.CANNOT: "cannot be rebuilt",
}


class Command(BaseCommand):
    help = (
        "Replays a run from its journal: each request to a model and each decision of a workflow is made anew with "
        "today's code and compared byte for byte. No model is asked, no tool called, nothing written. Ends with 1 "
        "where something is not as it was."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=UUID, help="its id")
        parser.add_argument(
            "--version-of",
            choices=[each.value for each in Against],
            help="the agent as it is installed (usual), or as it was recorded when the run was made (usual for forks)",
        )
        parser.add_argument("--json", action="store_true", help="write what the API would answer")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = Run.objects.select_related("agent__owner_group", "agent_version")
        run = rows.filter(pk=options["run"]).first()
        if run is None:
            raise CommandError(f"There is no run {options['run']}.")
        chosen = options["version_of"]
        # What is sensitive stays out of terminals, whoever sits at them.
        mask = Mask(withheld=Withheld(sensitive_values([run]).get(run.pk, frozenset())))
        found = replay(run, mask=mask, against=Against(chosen) if chosen else usual_for(run))
        if options["json"]:
            self.stdout.write(json.dumps(replay_as_json(found), indent=2, ensure_ascii=False))
        else:
            self.stdout.write(f"Run {run.pk} of {run.agent.slug}, agent as {found.against.value}")
            for step in found.steps:
                self._say(step)
        if not found.same:
            counted = ", ".join(
                f"{found.count(result)} {WORDS[result]}" for result in Result if found.count(result)
            )
            raise CommandError(f"Not as it was: {counted}.")
        if not options["json"]:
            made = self.style.SUCCESS("Everything is as it was")
            self.stdout.write(f"{made}: {found.count(Result.SAME)} steps made anew.")

    def _say(self, step: Replayed) -> None:
        word = WORDS[step.result] if step.result else ""
        style = self.style.SUCCESS if step.result in (None, Result.SAME) else self.style.WARNING
        said = " ".join(part for part in (style(word) if word else "", step.why) if part)
        if said:
            self.stdout.write(f"  {step.seq:>4}  {step.kind:<9} {step.name}: {said}")
        for change in step.changes:
            self.stdout.write(f"        {change.title} ({change.part})")
            for line in change.lines:
                self.stdout.write(f"          {line.mark} {line.text}")
        verdict = step.verdict
        if step.reading:
            self.stdout.write(f"  {step.seq:>4}  {step.kind:<9} {step.name}: {step.reading}")
        if verdict is not None and not verdict.same:
            now = verdict.why or f"{verdict.now} by policy {verdict.policy_now} now"
            self.stdout.write(f"  {step.seq:>4}  gate      {step.name}: {verdict.then} then; {now}")
