"""What operators do to a run from its page."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.doors import signed_in
from agents.forms import ReasonForm
from agents.models import Run
from agents.services.ask_undo import ask_undo
from agents.services.control import cancel_run, pause_run, resume_run
from agents.states import ENDED
from agents.views.refusals import say
from audit.errors import Refusal


@require_POST
@login_required
def run_cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Cancel at once when parked, at the next safe point when at work."""

    def cancel(reason: str) -> str:
        run = cancel_run(run_id=pk, reason=reason, caller=signed_in(request))
        if run.state in ENDED:
            return "The run is cancelled. What it had done stays done."
        return "The run is cancelled at the next safe point."

    return _do(request, pk, cancel)


@require_POST
@login_required
def run_pause(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let no worker take the run up until it is resumed."""

    def pause(reason: str) -> str:
        pause_run(run_id=pk, reason=reason, caller=signed_in(request))
        return (
            "The run is paused. Decisions still land; nothing is carried out until it is resumed."
        )

    return _do(request, pk, pause)


@require_POST
@login_required
def run_resume(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let workers take the run up again."""

    def resume(_reason: str) -> str:
        resume_run(run_id=pk, caller=signed_in(request))
        return "The run goes on."

    return _do(request, pk, resume)


@require_POST
@login_required
def effect_undo(request: HttpRequest, pk: UUID, effect: UUID) -> HttpResponse:
    """Ask for something that the run did to be undone."""

    def undo(reason: str) -> str:
        caller = signed_in(request)
        run = ask_undo(run_id=pk, effect_id=effect, reason=reason, caller=caller)
        if run.pk == pk:
            return "It is proposed to be undone at the run's next safe point."
        return "The run has ended, so a run of its own was started to undo it."

    return _do(request, pk, undo)


def _do(request: HttpRequest, pk: UUID, act: Callable[[str], str]) -> HttpResponse:
    form = ReasonForm(request.POST)
    if form.is_valid():
        try:
            messages.success(request, act(form.cleaned_data["reason"]))
        except Refusal as refusal:
            say(request, refusal)
    else:
        messages.error(request, " ".join(str(error) for error in form.errors["reason"]))
    # Whoever may do this may see the run; a refusal has said otherwise already.
    return redirect("run-detail", pk=pk) if _is_there(request, pk) else redirect("run-list")


def _is_there(request: HttpRequest, pk: UUID) -> bool:
    return Run.objects.visible_to(signed_in(request).user).filter(pk=pk).exists()
