"""People, their roles and review groups, and who can decide what."""

from typing import Final
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.absences import absences_of
from accounts.callers import Caller
from accounts.deciders import deciders_by_group, holders_by_permission
from accounts.doors import signed_in
from accounts.errors import BadPerson, BadReviewGroup, LastAdmin, OwnFactors, UsernameTaken
from accounts.factors import has_factor
from accounts.forms import AccessForm, GroupForm, PersonForm
from accounts.invitations import invitation_url
from accounts.models import ApiToken, User
from accounts.passwords import is_linked, may_be_invited, provider
from accounts.roles import roles_of
from accounts.services.create_group import create_group
from accounts.services.create_person import create_person
from accounts.services.end_sessions import end_sessions_of
from accounts.services.join_group import join_group
from accounts.services.leave_group import leave_group
from accounts.services.reset_factors import reset_factors
from accounts.services.set_roles import set_roles
from accounts.views.confirming import confirmed
from accounts.vocabulary import ROLES
from audit.paging import BadCursor, page

PEOPLE_PER_PAGE: Final = 50

manages_people = permission_required("accounts.manage_people", raise_exception=True)


@require_GET
@login_required
@manages_people
def people(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()
    found = User.objects.prefetch_related("groups", "review_groups")
    if query:
        found = found.filter(Q(username__icontains=query) | Q(display_name__icontains=query))
    try:
        shown = page(
            found, order=("username",), cursor=request.GET.get("cursor"), limit=PEOPLE_PER_PAGE
        )
    except BadCursor:
        return redirect(_list_url(query, None))
    return render(
        request,
        "accounts/people.html",
        {
            "people": [(person, _role_titles(person)) for person in shown.items],
            "next_url": _list_url(query, shown.next_cursor) if shown.next_cursor else None,
            "first_url": _list_url(query, None) if request.GET.get("cursor") else None,
            "query": query,
            "by_group": deciders_by_group(),
            "by_permission": holders_by_permission(),
        },
    )


@require_http_methods(["GET", "POST"])
@login_required
@manages_people
@never_cache
def person_add(request: HttpRequest) -> HttpResponse:
    """On success the answer itself carries the link: it is stored nowhere, so it is shown once."""
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            person = create_person(caller=signed_in(request), **form.cleaned_data)
        except BadPerson as refusal:
            form.take(refusal.errors)
        except UsernameTaken as refusal:
            form.add_error("username", refusal.detail)
        else:
            return _invitation(request, person)
    return render(request, "accounts/person_add.html", {"form": form}, status=_status(form))


@require_http_methods(["GET", "POST"])
@login_required
@manages_people
def person_detail(request: HttpRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(User, pk=pk)
    held = {
        "roles": roles_of(person),
        "groups": [group.slug for group in person.review_groups.all()],
    }
    form = AccessForm(request.POST if request.method == "POST" else None, initial=held)
    if request.method == "POST" and form.is_valid():
        try:
            _give_access(person, form, signed_in(request))
        except LastAdmin as refusal:
            form.add_error("roles", refusal.detail)
        else:
            messages.success(
                request,
                gettext("Roles and review groups of {person} are saved.").format(person=person),
            )
            still_manages = User.objects.holding("manage_people").filter(
                pk=signed_in(request).user.pk
            )
            return (
                redirect("person-detail", pk=person.pk) if still_manages else redirect("settings")
            )
    return render(
        request,
        "accounts/person.html",
        {
            "person": person,
            "form": form,
            "invited": may_be_invited(person),
            "signs_in_at": provider() if is_linked(person) else None,
            "may_decide": person.has_perm("accounts.decide_requests"),
            **absences_of(person),
            "has_factor": has_factor(person),
            "tokens": ApiToken.objects.visible_to(person).usable().count(),
            "is_oneself": person.pk == signed_in(request).user.pk,
        },
        status=_status(form),
    )


@require_POST
@login_required
@manages_people
@never_cache
def person_invite(request: HttpRequest, pk: int) -> HttpResponse:
    """Another link for somebody who has no password yet.

    Nobody gets one for an account in use: its holder asks for an e-mail, or whoever manages people
    could sign in as a reviewer and approve in their name.
    """
    person = get_object_or_404(User, pk=pk)
    if not may_be_invited(person):
        messages.error(
            request,
            gettext(
                "{person} has a password already and can ask for a new one when signing in."
            ).format(person=person)
            if person.has_usable_password()
            else gettext("{person} signs in at the identity provider and needs no link.").format(
                person=person
            ),
        )
        return redirect("person-detail", pk=person.pk)
    return _invitation(request, person)


@require_http_methods(["GET", "POST"])
@login_required
@manages_people
@confirmed
@never_cache
def factors_reset(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove the second factors of somebody who lost theirs, after asking. Nobody can read them."""
    person = get_object_or_404(User, pk=pk)
    if request.method == "POST":
        try:
            removed = reset_factors(person=person, caller=signed_in(request))
        except OwnFactors as refusal:
            messages.error(request, refusal.detail)
        else:
            messages.success(
                request,
                gettext(
                    "{person} has no second factor now and signs in with the password alone."
                ).format(person=person)
                if removed
                else gettext("{person} had no second factor.").format(person=person),
            )
        return redirect("person-detail", pk=person.pk)
    return render(request, "accounts/factors_reset.html", {"person": person})


@require_POST
@login_required
@manages_people
@never_cache
def sessions_end(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign somebody out everywhere, now: a browser of theirs is lost, or in wrong hands."""
    person = get_object_or_404(User, pk=pk)
    ended, revoked = end_sessions_of(
        person=person, caller=signed_in(request), with_tokens="tokens" in request.POST
    )
    messages.success(
        request,
        gettext("{person} is signed out everywhere.").format(person=person)
        if ended
        else gettext("{person} was signed in nowhere.").format(person=person),
    )
    if revoked:
        messages.success(
            request,
            ngettext(
                "{count} API token of theirs is revoked.",
                "{count} API tokens of theirs are revoked.",
                revoked,
            ).format(count=revoked),
        )
    return redirect("person-detail", pk=person.pk)


@require_http_methods(["GET", "POST"])
@login_required
@manages_people
def group_add(request: HttpRequest) -> HttpResponse:
    form = GroupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            group = create_group(caller=signed_in(request), **form.cleaned_data)
        except BadReviewGroup as refusal:
            form.add_error(None, refusal.detail)
        else:
            messages.success(
                request,
                gettext("Review group {group} is set up. Now add people to it.").format(
                    group=group
                ),
            )
            return redirect("people")
    return render(request, "accounts/group_add.html", {"form": form}, status=_status(form))


def _give_access(person: User, form: AccessForm, caller: Caller) -> None:
    wanted = set(form.cleaned_data["groups"])
    held = set(person.review_groups.values_list("slug", flat=True))
    with transaction.atomic():
        set_roles(person=person, roles=form.cleaned_data["roles"], caller=caller)
        for slug in sorted(wanted - held):
            join_group(person=person, group=slug, caller=caller)
        for slug in sorted(held - wanted):
            leave_group(person=person, group=slug, caller=caller)


def _invitation(request: HttpRequest, person: User) -> HttpResponse:
    link = invitation_url(person) if may_be_invited(person) else ""
    context = {"person": person, "link": link, "provider": provider()}
    return render(request, "accounts/invitation.html", context)


def _list_url(query: str, cursor: str | None) -> str:
    return f"{reverse('people')}?{urlencode({'q': query, 'cursor': cursor or ''})}"


def _role_titles(person: User) -> list[str]:
    return [gettext(ROLES[name].title) for name in roles_of(person)]


def _status(form: object) -> int:
    return 422 if getattr(form, "errors", None) else 200
