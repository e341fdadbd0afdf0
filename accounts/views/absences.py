"""Out of office: one's own on the settings page, anybody's on the page of the person."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.absence_forms import AbsenceForm
from accounts.doors import signed_in
from accounts.errors import BadAbsence, UnknownAbsence
from accounts.models import User
from accounts.services.end_absence import end_absence
from accounts.services.name_stand_in import name_stand_in
from accounts.views.people import manages_people
from audit.clock import database_now


@require_http_methods(["GET", "POST"])
@login_required
def own_absence(request: HttpRequest) -> HttpResponse:
    """Name who stands in for oneself."""
    return _named(request, signed_in(request).user, back=reverse("settings"))


@require_http_methods(["GET", "POST"])
@login_required
@manages_people
def person_absence(request: HttpRequest, pk: int) -> HttpResponse:
    """Name who stands in for somebody, who may be ill and cannot."""
    person = get_object_or_404(User, pk=pk)
    return _named(request, person, back=reverse("person-detail", kwargs={"pk": pk}))


@require_POST
@login_required
def absence_end(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End it now; the person, the stand-in and whoever manages people may."""
    caller = signed_in(request)
    try:
        ended = end_absence(absence_id=pk, caller=caller)
    except UnknownAbsence as refusal:
        raise Http404(refusal.detail) from refusal
    messages.success(
        request,
        gettext("{stand_in} does not stand in for {person} any more.").format(
            stand_in=ended.stand_in, person=ended.person
        ),
    )
    own = caller.user.pk in (ended.person_id, ended.stand_in_id)
    return redirect("settings") if own else redirect("person-detail", pk=ended.person_id)


def _named(request: HttpRequest, person: User, *, back: str) -> HttpResponse:
    form = AbsenceForm(request.POST or None, person=person, now=database_now())
    if request.method == "POST" and form.is_valid():
        try:
            named = name_stand_in(person=person, caller=signed_in(request), **form.cleaned_data)
        except BadAbsence as refusal:
            form.take(refusal.errors)
        else:
            messages.success(
                request,
                gettext("{stand_in} stands in for {person}.").format(
                    stand_in=named.stand_in, person=named.person
                ),
            )
            return redirect(back)
    own = person.pk == signed_in(request).user.pk
    context = {"form": form, "person": person, "own": own, "back": back}
    return render(request, "accounts/absence.html", context, status=422 if form.errors else 200)
