"""Policies: the thresholds and rules in force, changes begun from there, the history."""

from __future__ import annotations

from typing import Any

import orjson
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.callers import Caller
from accounts.doors import signed_in
from approvals.authority import authority_of, readable_drafts
from approvals.errors import PolicyUnknown
from approvals.forms import ThresholdForm
from approvals.models import PolicyVersion
from approvals.naming import names
from approvals.policies import Policy, load
from approvals.policy_diff import changes
from approvals.policy_forms import ImportForm, WhyForm
from approvals.policy_words import Names
from approvals.services import drafts, policies
from approvals.services.publish import roll_back
from approvals.views.policy_page import (
    Entry,
    described,
    entry,
    for_readers,
    line_of,
    opened_form,
    saying_refusals,
    threshold_form,
    with_line,
)
from audit.errors import Refusal

MOST_HISTORY = 20
MOST_DRAFTS = 50


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@saying_refusals
@for_readers
def policy_thresholds(request: HttpRequest) -> HttpResponse:
    """The policy in force. Who may change it opens a line's form by its address, and begins a draft."""
    published = policies.current()
    if request.method == "POST":
        return _change_threshold(request)
    may_write = authority_of(signed_in(request)).whole
    form = opened_form(published.policy, request.GET.dict(), published.version)
    return _render(request, form if may_write else None)


def _change_threshold(request: HttpRequest) -> HttpResponse:
    """Write the change into the caller's own draft of today's policy, or into a new one."""
    caller = signed_in(request)
    caller.require("publish_policies", scope="admin")
    published = policies.current()
    form = threshold_form(published.policy, data=request.POST)
    if not form.is_valid():
        return _render(request, form, status=422)
    cleaned = form.cleaned_data
    base = cleaned["base_version"]
    if base != published.version:
        return _meanwhile(request, base)
    value = None if cleaned["remove"] else cleaned["value"]
    draft = _own_draft(caller, base)
    policy = load(draft.document) if draft else published.policy
    try:
        after = with_line(policy, cleaned["line"], value)
        if after == published.policy:
            form.add_error(
                "value", gettext("This is what version {base} says already.").format(base=base)
            )
            return _render(request, form, status=422)
        draft = _kept(draft, after, base, caller, cleaned["why"])
    except Refusal as refusal:
        for error in refusal.problems:
            form.add_error("value", str(error["message"]))
        return _render(request, form, status=422)
    messages.success(
        request, gettext("Kept as a draft. Nothing is in force yet: look at it, then submit it.")
    )
    return redirect("policy-draft", pk=draft.pk)


def _own_draft(caller: Caller, base: int) -> PolicyVersion | None:
    own = PolicyVersion.objects.filter(author=caller.user, base=base, scope="")
    return own.filter(state=PolicyVersion.State.DRAFT).order_by("-id").first()


def _kept(
    draft: PolicyVersion | None, policy: Policy, base: int, caller: Caller, why: str
) -> PolicyVersion:
    if draft is None:
        return drafts.begin_draft(document=policy, base_version=base, caller=caller, why=why)
    said = why if not draft.why or why == draft.why else f"{draft.why}\n{why}"
    return drafts.change_draft(
        draft_id=draft.pk, document=policy, edition=draft.edition, caller=caller, why=said
    )


def _meanwhile(request: HttpRequest, base: int) -> HttpResponse:
    """The change as it was typed, on top of what was published meanwhile, which is said first."""
    published = policies.current()
    data = request.POST.copy()
    data["base_version"] = str(published.version)
    form = threshold_form(published.policy, data=data)
    try:
        before = policies.version(base).policy
    except PolicyUnknown as refusal:
        form.add_error("value", refusal.detail)
        return _render(request, form, status=422)
    row = PolicyVersion.objects.select_related("published_by").get(number=published.version)
    meanwhile = {
        "who": row.published_by.get_full_name() if row.published_by else gettext("The system"),
        "why": row.why,
        "number": published.version,
        "changes": changes(before, published.policy, names()),
    }
    return _render(request, form, status=409, meanwhile=meanwhile)


def _render(
    request: HttpRequest,
    form: ThresholdForm | None,
    *,
    status: int = 200,
    meanwhile: dict[str, Any] | None = None,
) -> HttpResponse:
    published = policies.current()
    caller = signed_in(request)
    authority = authority_of(caller)
    row = PolicyVersion.objects.select_related("published_by", "author").get(
        number=published.version
    )
    words = described(published.policy)
    context = {
        **words,
        "version": entry(row, _policy_before(row), words["called"]),
        "may_publish": authority.whole,
        "may_write": authority.writes,
        "form": form,
        "form_action": request.path,
        "meanwhile": meanwhile,
        "editing": line_of(published.policy, str(form["line"].value())) if form else None,
        "drafts": _drafts(caller),
        "history": _history(published.version, words["called"]),
    }
    return render(request, "approvals/policies.html", context, status=status)


def _drafts(caller: Caller) -> list[PolicyVersion]:
    """The open drafts that this caller may read, the newest first."""
    drafts = readable_drafts(caller).open_drafts().select_related("author", "submitted_by")
    return list(drafts.newest_first()[:MOST_DRAFTS])


@login_required
@require_safe
@for_readers
def policy_version(request: HttpRequest, number: int) -> HttpResponse:
    """One version as it was published, and what it changed."""
    try:
        published = policies.version(number)
    except PolicyUnknown as refusal:
        raise Http404(refusal.detail) from refusal
    row = PolicyVersion.objects.select_related("published_by", "author").get(number=number)
    words = described(published.policy)
    context = {
        **words,
        "version": entry(row, _policy_before(row), words["called"]),
        "sha256": published.sha256,
        "in_force": policies.current().version == number,
        "may_publish": authority_of(signed_in(request)).whole,
        "form": WhyForm(
            initial={"why": gettext("Back to version {number}: ").format(number=number)}
        ),
    }
    return render(request, "approvals/policy_version.html", context)


@login_required
@require_POST
@saying_refusals
@for_readers
def policy_roll_back(request: HttpRequest, number: int) -> HttpResponse:
    """Bring an earlier version back, at once where the caller may publish it alone."""
    try:
        draft = roll_back(
            version=number, caller=signed_in(request), why=request.POST.get("why", "")
        )
    except PolicyUnknown as refusal:
        raise Http404(refusal.detail) from refusal
    if draft.number:
        messages.success(
            request,
            gettext("Version {number} is in force; it says what {number2} said.").format(
                number=draft.number, number2=number
            ),
        )
        return redirect("policy-thresholds")
    messages.success(request, gettext("Submitted. Somebody else has to publish it."))
    return redirect("policy-draft", pk=draft.pk)


@login_required
@require_safe
@for_readers
def policy_export(request: HttpRequest, number: int) -> HttpResponse:
    """One published version as a JSON file, to be imported elsewhere."""
    try:
        published = policies.version(number)
    except PolicyUnknown as refusal:
        raise Http404(refusal.detail) from refusal
    return as_file(published.policy, f"policy-{number}.json")


def as_file(policy: Policy, name: str) -> HttpResponse:
    """A policy as a file that a person can read and a repository can compare."""
    body = orjson.dumps(policy.document(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    answer = HttpResponse(body + b"\n", content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@saying_refusals
@for_readers
def policy_import(request: HttpRequest) -> HttpResponse:
    """A whole policy as JSON becomes a draft."""
    caller = signed_in(request)
    caller.require("publish_policies", scope="admin")
    form = ImportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            draft = drafts.begin_draft(
                document=form.cleaned_data["document"],
                base_version=policies.current().version,
                caller=caller,
                why=form.cleaned_data["why"],
            )
        except Refusal as refusal:
            for line in refusal.lines:
                form.add_error("document", line)
        else:
            return redirect("policy-draft", pk=draft.pk)
    status = 422 if form.errors else 200
    return render(request, "approvals/policy_import.html", {"form": form}, status=status)


def _policy_before(row: PolicyVersion) -> Policy | None:
    earlier = PolicyVersion.objects.published().filter(number__lt=row.number)
    document = earlier.order_by("-number").values_list("document", flat=True).first()
    return load(document) if document is not None else None


def _history(newest: int, called: Names) -> list[Entry]:
    """The newest versions with what each changed; one query."""
    found = (
        PolicyVersion.objects.published()
        .filter(number__lte=newest)
        .select_related("published_by", "author")
    )
    rows = list(found.newest_first()[: MOST_HISTORY + 1])
    befores = [load(row.document) for row in rows[1:]]
    pairs = zip(rows, [*befores, None], strict=True)
    return [entry(row, before, called) for row, before in pairs][:MOST_HISTORY]
