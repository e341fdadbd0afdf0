"""A draft of a policy: what it changes, and on from there to submitted and published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.callers import Caller
from accounts.doors import signed_in
from accounts.problems import status_of
from approvals import ports
from approvals.authority import Authority, authority_of, others_who_may_publish, readable_drafts
from approvals.errors import BadPolicy
from approvals.forms import ThresholdForm
from approvals.models import PolicyVersion
from approvals.naming import agent_titles, names
from approvals.policies import Policy, load
from approvals.policy_diff import changes
from approvals.policy_forms import DurationsForm, WhyForm
from approvals.policy_words import Names, rule_lines, threshold_lines
from approvals.services import drafts, policies
from approvals.services.publish import publish_draft
from approvals.simulations import newest_of
from approvals.soundness import unmet
from approvals.tightening import loosenings
from approvals.views.policies import as_file
from approvals.views.policy_page import (
    choices,
    described,
    line_of,
    opened_form,
    saying_refusals,
    threshold_form,
    with_line,
)
from audit.errors import Conflict, Invalid

State = PolicyVersion.State


def found(pk: int, caller: Caller) -> PolicyVersion:
    """The draft (or what became of it), for whoever may read it; else 404."""
    rows = readable_drafts(caller).select_related("author", "submitted_by", "published_by")
    row = rows.filter(pk=pk).first()
    if row is None:
        raise Http404(gettext("There is no such draft."))
    return row


def may_write(draft: PolicyVersion, authority: Authority) -> bool:
    """Whether somebody with this authority may change the draft."""
    is_open = draft.state in (State.DRAFT, State.SUBMITTED)
    return is_open and (authority.whole or draft.scope in authority.groups)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@saying_refusals
def policy_draft(request: HttpRequest, pk: int) -> HttpResponse:
    """The draft; a threshold's form is opened by its address (`?line=`) and posted back here."""
    caller = signed_in(request)
    draft = found(pk, caller)
    policy = load(draft.document)
    if request.method == "POST":
        return _change_threshold(request, draft, policy)
    allowed = authority_of(caller).whole and may_write(draft, authority_of(caller))
    form = opened_form(policy, request.GET.dict(), draft.edition) if allowed else None
    return page(request, draft, form=form)


def _change_threshold(request: HttpRequest, draft: PolicyVersion, policy: Policy) -> HttpResponse:
    form = threshold_form(policy, data=request.POST)
    form.fields["why"].required = False
    if not form.is_valid():
        return page(request, draft, form=form, status=422)
    cleaned = form.cleaned_data
    try:
        drafts.change_draft(
            draft_id=draft.pk,
            document=with_line(
                policy, cleaned["line"], None if cleaned["remove"] else cleaned["value"]
            ),
            edition=cleaned["base_version"],
            caller=signed_in(request),
            why=cleaned["why"] or None,
        )
    except BadPolicy as refusal:
        for error in refusal.params["errors"]:
            form.add_error("value", error["message"])
        return page(request, draft, form=form, status=422)
    return redirect("policy-draft", pk=draft.pk)


def page(
    request: HttpRequest,
    draft: PolicyVersion,
    *,
    form: ThresholdForm | None = None,
    durations: DurationsForm | None = None,
    problems: list[dict[str, str]] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of one draft."""
    caller = signed_in(request)
    authority = authority_of(caller)
    policy, current = load(draft.document), policies.current()
    is_open = draft.state in (State.DRAFT, State.SUBMITTED)
    base = policies.version(draft.base or 1)
    catalogue = ports.runs().catalogue()
    loose = loosenings(current.policy, policy, catalogue) if is_open else []
    alone = caller.user.pk in draft.editors
    others = others_who_may_publish(draft.scope, caller)
    words = described(policy)
    called = words["called"]
    context = {
        **words,
        "draft": draft,
        "is_open": is_open,
        "changes": changes(base.policy, policy, called),
        "loosenings": loose,
        "lacking": unmet(policy, catalogue) if is_open else [],
        "behind": _behind(base.policy, draft, current.policy, current.version),
        "may_write": may_write(draft, authority),
        "may_publish": authority.whole and may_write(draft, authority),
        "alone": alone,
        "waives": alone and bool(loose) and not others,
        "publishable": may_write(draft, authority)
        and draft.base == current.version
        and (not alone or not loose or not others)
        and (alone or draft.state == State.SUBMITTED),
        "form": form,
        "form_action": request.path,
        "editing": line_of(policy, str(form["line"].value())) if form else None,
        "durations": durations
        or DurationsForm(initial=DurationsForm.initial_of(policy), **choices()),
        "why_form": WhyForm(initial={"why": draft.why, "edition": draft.edition}),
        "problems": problems or [],
        "simulation": newest_of(draft),
        "curve_lines": _curve_lines(base.policy, policy),
    }
    return render(request, "approvals/draft.html", context, status=status)


def _curve_lines(before: Policy, policy: Policy) -> list[dict[str, Any]]:
    """The thresholds that a curve may run over; one that the draft changes is chosen."""
    was = {
        line.key: line.share for line in (*rule_lines(before), *threshold_lines(before.thresholds))
    }
    called = Names(agents=agent_titles())
    lines = [*rule_lines(policy), *threshold_lines(policy.thresholds, called)]
    changed = next((line.key for line in lines if was.get(line.key) != line.share), lines[0].key)
    return [{"key": line.key, "title": line.about, "chosen": line.key == changed} for line in lines]


def _behind(
    base: Policy, draft: PolicyVersion, current: Policy, version: int
) -> Mapping[str, Any] | None:
    """Who published what since the draft began; None where nobody did."""
    if draft.base == version or draft.state not in (State.DRAFT, State.SUBMITTED):
        return None
    row = PolicyVersion.objects.select_related("published_by").get(number=version)
    return {
        "number": version,
        "who": row.published_by.get_full_name() if row.published_by else gettext("The system"),
        "why": row.why,
        "changes": changes(base, current, names()),
    }


@login_required
@require_POST
@saying_refusals
def policy_draft_begin(request: HttpRequest) -> HttpResponse:
    """Begin a draft that says what is in force now."""
    current = policies.current()
    draft = drafts.begin_draft(
        document=current.policy, base_version=current.version, caller=signed_in(request)
    )
    return redirect("policy-draft", pk=draft.pk)


@login_required
@require_POST
@saying_refusals
def policy_draft_durations(request: HttpRequest, pk: int) -> HttpResponse:
    """Undo time, time to decide, and who may loosen by rules of their own."""
    draft = found(pk, signed_in(request))
    policy = load(draft.document)
    form = DurationsForm(request.POST, **choices())
    if not form.is_valid():
        return page(request, draft, durations=form, status=422)
    try:
        drafts.change_draft(
            draft_id=pk,
            document=policy.document() | form.cleaned_data,
            edition=edition_of(request),
            caller=signed_in(request),
        )
    except BadPolicy as refusal:
        form.take(refusal, "")
        return page(request, draft, durations=form, status=422)
    return redirect("policy-draft", pk=pk)


@login_required
@require_POST
@saying_refusals
def policy_draft_act(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Submit, publish, rebase or withdraw the draft as it was looked at."""
    caller = signed_in(request)
    draft = found(pk, caller)
    why = request.POST.get("why", "")
    given: dict[str, Any] = {"draft_id": pk, "edition": edition_of(request), "caller": caller}
    try:
        if act == "submit":
            drafts.submit_draft(**given, why=why)
            messages.success(request, gettext("Submitted. Somebody else can publish it now."))
        elif act == "publish":
            published = publish_draft(**given, why=why)
            messages.success(
                request, gettext("Version {version} is in force.").format(version=published.version)
            )
            return redirect("policy-thresholds")
        elif act == "rebase":
            _tell_conflicts(request, drafts.rebase_draft(**given).conflicts)
        else:
            drafts.withdraw_draft(**given)
            messages.success(request, gettext("The draft was given up."))
            return redirect("policy-thresholds")
    except (Conflict, Invalid) as refusal:
        draft.refresh_from_db()
        return page(request, draft, problems=refusal.problems, status=status_of(refusal))
    return redirect("policy-draft", pk=pk)


def _tell_conflicts(request: HttpRequest, conflicts: list[str]) -> None:
    messages.success(request, gettext("The draft's changes stand on top of what is in force now."))
    for conflict in conflicts:
        messages.warning(request, conflict)


@login_required
@require_safe
def policy_draft_export(request: HttpRequest, pk: int) -> HttpResponse:
    """The draft as a JSON file."""
    draft = found(pk, signed_in(request))
    return as_file(load(draft.document), f"policy-draft-{pk}.json")


def edition_of(request: HttpRequest) -> int:
    """The edition that the person looked at; one that no draft has where the form was not whole."""
    text = request.POST.get("edition", "")
    return int(text) if text.isdecimal() and len(text) < 10 else 0
