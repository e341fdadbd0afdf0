"""What operators do to a run from its page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.callers import Caller
from accounts.doors import signed_in
from agents.errors import RunCancelling, RunEnded
from agents.forms import GoalForm, MessageForm, ReasonForm
from agents.models import Run
from agents.services.ask_undo import ask_undo
from agents.services.change_goal import change_goal
from agents.services.control import cancel_run, pause_run, resume_run
from agents.services.message_run import message_run
from agents.services.take_over import take_over
from agents.states import ENDED
from agents.views.refusals import say
from agents.views.runs import run_context
from audit.errors import Forbidden, NotFound, Refusal

Act = Callable[[Caller, dict[str, Any]], str]


@require_POST
@login_required
def run_cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Cancel at once when parked, at the next safe point when at work."""

    def cancel(caller: Caller, given: dict[str, Any]) -> str:
        run = cancel_run(run_id=pk, reason=given["reason"], caller=caller)
        if run.state in ENDED:
            return gettext("The run is cancelled. What it had done stays done.")
        return gettext("The run is cancelled at the next safe point.")

    return _do(request, pk, cancel, ReasonForm(request.POST))


@require_POST
@login_required
def run_pause(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let no worker take the run up until it is resumed."""

    def pause(caller: Caller, given: dict[str, Any]) -> str:
        pause_run(run_id=pk, reason=given["reason"], caller=caller)
        return gettext(
            "The run is paused. Decisions still land; nothing is carried out until it is resumed."
        )

    return _do(request, pk, pause, ReasonForm(request.POST))


@require_POST
@login_required
def run_resume(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let workers take the run up again."""

    def resume(caller: Caller, _given: dict[str, Any]) -> str:
        resume_run(run_id=pk, caller=caller)
        return gettext("The run goes on.")

    return _do(request, pk, resume, ReasonForm(request.POST))


@require_POST
@login_required
def effect_undo(request: HttpRequest, pk: UUID, effect: UUID) -> HttpResponse:
    """Ask for something that the run did to be undone."""

    def undo(caller: Caller, given: dict[str, Any]) -> str:
        run = ask_undo(run_id=pk, effect_id=effect, reason=given["reason"], caller=caller)
        if run.pk == pk:
            return gettext("It is proposed to be undone at the run's next safe point.")
        return gettext("The run has ended, so a run of its own was started to undo it.")

    return _do(request, pk, undo, ReasonForm(request.POST))


@require_POST
@login_required
def run_take_over(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let the run stand still until the person hands it back."""

    def take(caller: Caller, given: dict[str, Any]) -> str:
        take_over(run_id=pk, reason=given["reason"], caller=caller)
        return gettext("The run is yours. Nothing of it goes out until you hand it back.")

    return _do(request, pk, take, ReasonForm(request.POST))


@require_http_methods(["GET", "POST"])
@login_required
def run_message(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Tell the run something. The address itself leads to the run."""

    def message(caller: Caller, given: dict[str, Any]) -> str:
        message_run(run_id=pk, text=given["text"], caller=caller)
        return gettext("The message is sent. The agent reads it before it goes on.")

    return _say(request, pk, message, MessageForm, "message")


@require_http_methods(["GET", "POST"])
@login_required
def run_goal(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give the run another task. The address itself leads to the run."""

    def change(caller: Caller, given: dict[str, Any]) -> str:
        change_goal(run_id=pk, text=given["text"], caller=caller)
        return gettext("The task is changed. What the run had asked for is set aside.")

    return _say(request, pk, change, GoalForm, "goal")


def _say(
    request: HttpRequest, pk: UUID, act: Act, form_class: type[forms.Form], prefix: str
) -> HttpResponse:
    """Like `_do`, with what was written kept where it is not taken."""
    if request.method == "GET":
        return redirect("run-detail", pk=pk)
    caller = signed_in(request)
    form = form_class(request.POST, auto_id=f"{prefix}-%s")
    if form.is_valid():
        try:
            messages.success(request, act(caller, form.cleaned_data))
        except (RunEnded, RunCancelling, Forbidden, NotFound) as refusal:
            say(request, refusal)
        except Refusal as refusal:
            form.add_error("text", refusal.detail)
        if not form.errors:
            return redirect("run-detail", pk=pk)
    context = run_context(request, pk, refused={f"{prefix}_form": form})
    return render(request, "agents/run_detail.html", context, status=422)


def _do(request: HttpRequest, pk: UUID, act: Act, form: forms.Form) -> HttpResponse:
    if form.is_valid():
        try:
            messages.success(request, act(signed_in(request), form.cleaned_data))
        except Refusal as refusal:
            say(request, refusal)
    else:
        messages.error(request, " ".join(str(error) for error in form.errors["reason"]))
    # Whoever may do this may see the run; a refusal has said otherwise already.
    return redirect("run-detail", pk=pk) if _is_there(request, pk) else redirect("run-list")


def _is_there(request: HttpRequest, pk: UUID) -> bool:
    return Run.objects.visible_to(signed_in(request).user).filter(pk=pk).exists()
