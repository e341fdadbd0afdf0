"""Reasons to pick from: the list for all who work with policies; admins change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.doors import signed_in
from approvals.chip_forms import VERDICT_WORDS, ChipForm, NewChipForm
from approvals.errors import BadChip, ChipUnknown
from approvals.models import ReasonChip
from approvals.services.reason_chips import (
    add_chip,
    change_chip,
    move_chip,
    restore_chip,
    retire_chip,
)
from approvals.views.policy_page import for_readers
from approvals.vocabulary import Verdict

admins_change = permission_required("accounts.publish_policies", raise_exception=True)
PLACES = {"up": -1, "down": 1}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@for_readers
def reason_chips(request: HttpRequest) -> HttpResponse:
    """All reasons, and a form for another one."""
    if request.method == "POST":
        return _add(request)
    return _list(request, NewChipForm())


@admins_change
def _add(request: HttpRequest) -> HttpResponse:
    form = NewChipForm(request.POST)
    if not form.is_valid():
        return _list(request, form, status=422)
    try:
        chip = add_chip(**form.given, caller=signed_in(request))
    except BadChip as refusal:
        form.add_refusals(refusal.params["errors"])
        return _list(request, form, status=422)
    messages.success(request, gettext("“{label}” is offered from now on.").format(label=chip.label))
    return redirect("reason-chips")


def _list(request: HttpRequest, form: NewChipForm, status: int = 200) -> HttpResponse:
    offered = list(ReasonChip.objects.offered())
    retired = ReasonChip.objects.filter(retired_at__isnull=False).order_by("-retired_at")
    context = {
        "offered": [(chip, _verdicts(chip)) for chip in offered],
        "retired": [(chip, _verdicts(chip)) for chip in retired],
        "form": form,
        "may_change": signed_in(request).holds("publish_policies"),
    }
    return render(request, "approvals/reason_chips.html", context, status=status)


def _verdicts(chip: ReasonChip) -> str:
    return ", ".join(VERDICT_WORDS[Verdict(verdict)] for verdict in chip.verdicts)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@admins_change
def reason_chip(request: HttpRequest, code: str) -> HttpResponse:
    """One reason: what it says and what it is offered for."""
    chip = ReasonChip.objects.filter(code=code).first()
    if chip is None:
        raise Http404(gettext("There is no such reason."))
    if request.method != "POST":
        form = ChipForm(initial={"label": chip.label, "verdicts": chip.verdicts})
        return _one(request, chip, form)
    form = ChipForm(request.POST)
    if not form.is_valid():
        return _one(request, chip, form, status=422)
    try:
        changed = change_chip(code=code, **form.given, caller=signed_in(request))
    except BadChip as refusal:
        form.add_refusals(refusal.params["errors"])
        return _one(request, chip, form, status=422)
    messages.success(
        request,
        gettext("“{label}” is changed. What was decided keeps its words.").format(
            label=changed.label
        ),
    )
    return redirect("reason-chips")


def _one(request: HttpRequest, chip: ReasonChip, form: ChipForm, status: int = 200) -> HttpResponse:
    return render(
        request, "approvals/reason_chip.html", {"chip": chip, "form": form}, status=status
    )


@login_required
@require_POST
@admins_change
def reason_chip_move(request: HttpRequest, code: str) -> HttpResponse:
    """One place up or down in the order in which reasons are offered."""
    places = PLACES.get(str(request.POST.get("to", "")), 0)
    return _act(request, move_chip, code=code, places=places)


@login_required
@require_POST
@admins_change
def reason_chip_retire(request: HttpRequest, code: str) -> HttpResponse:
    """Offer a reason no longer; or again."""
    service = restore_chip if request.POST.get("restore") else retire_chip
    return _act(request, service, code=code)


def _act(
    request: HttpRequest, service: Callable[..., ReasonChip], **arguments: Any
) -> HttpResponse:
    try:
        service(**arguments, caller=signed_in(request))
    except ChipUnknown as refusal:
        raise Http404(refusal.detail) from refusal
    except BadChip as refusal:
        messages.error(request, refusal.detail)
    return redirect("reason-chips")
