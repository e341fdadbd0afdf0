"""Working calendars: a list, and one as a form."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.doors import signed_in
from approvals.calendar_errors import BadCalendar, CalendarInUse, CalendarTaken, CalendarUnknown
from approvals.calendar_forms import CalendarForm
from approvals.calendar_words import week_words
from approvals.calendars import add_working
from approvals.models import WorkingCalendar
from approvals.services import policies
from approvals.services.calendars import calendars_named
from approvals.services.delete_calendar import delete_calendar
from approvals.services.set_calendar import change_calendar, create_calendar
from approvals.views.policy_page import for_readers
from audit.clock import database_now

EXAMPLE_HOURS = 8


@login_required
@require_safe
@for_readers
def calendar_list(request: HttpRequest) -> HttpResponse:
    """All calendars, with those that the policy in force counts by."""
    context = {
        "calendars": [_described(row) for row in WorkingCalendar.objects.all()],
        "may_publish": signed_in(request).holds("publish_policies"),
    }
    return render(request, "approvals/calendars.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@for_readers
def calendar_add(request: HttpRequest) -> HttpResponse:
    """A new calendar."""
    caller = signed_in(request)
    if not caller.holds("publish_policies"):
        raise PermissionDenied(gettext("Working calendars are kept by those who publish policies."))
    week = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), "09:00-17:00")
    form = CalendarForm(request.POST or None, new=True, initial=week)
    if request.method == "POST" and form.is_valid():
        try:
            calendar = create_calendar(document=form.document(), caller=caller)
        except BadCalendar as refusal:
            form.take(refusal.params["errors"])
        except CalendarTaken as refusal:
            form.add_error("slug", refusal.detail)
        else:
            messages.success(
                request, gettext("The calendar {title} is set up.").format(title=calendar.title)
            )
            return redirect("calendar-list")
    return render(
        request, "approvals/calendar.html", {"form": form}, status=422 if form.errors else 200
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@for_readers
def calendar_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One calendar; a form for those who may change it."""
    caller = signed_in(request)
    row = WorkingCalendar.objects.filter(slug=slug).first()
    if row is None:
        raise Http404(CalendarUnknown(slug).detail)
    if request.method == "POST" and not caller.holds("publish_policies"):
        raise PermissionDenied(gettext("Working calendars are kept by those who publish policies."))
    form = None
    if caller.holds("publish_policies"):
        given = request.POST if request.method == "POST" else None
        form = CalendarForm(given, new=False, initial=CalendarForm.initial_of(row.calendar))
        if request.method == "POST" and form.is_valid():
            try:
                changed = change_calendar(slug=slug, document=form.document(), caller=caller)
            except BadCalendar as refusal:
                form.take(refusal.params["errors"])
            else:
                messages.success(
                    request,
                    gettext("{title} is saved. What is open already keeps its deadline.").format(
                        title=changed.title
                    ),
                )
                return redirect("calendar-list")
    return _page(request, row, form, status=422 if form is not None and form.errors else 200)


@login_required
@require_POST
@for_readers
def calendar_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Delete one that nothing counts by."""
    caller = signed_in(request)
    if not caller.holds("publish_policies"):
        raise PermissionDenied(gettext("Working calendars are kept by those who publish policies."))
    try:
        delete_calendar(slug=slug, caller=caller)
    except CalendarUnknown as refusal:
        raise Http404(refusal.detail) from refusal
    except CalendarInUse as refusal:
        row = WorkingCalendar.objects.get(slug=slug)
        form = CalendarForm(None, new=False, initial=CalendarForm.initial_of(row.calendar))
        return _page(request, row, form, status=409, problem=refusal.detail)
    messages.success(request, gettext("The calendar {slug} is deleted.").format(slug=slug))
    return redirect("calendar-list")


def _page(
    request: HttpRequest,
    row: WorkingCalendar,
    form: CalendarForm | None,
    *,
    status: int,
    problem: str = "",
) -> HttpResponse:
    context = {**_described(row), "form": form, "problem": problem}
    return render(request, "approvals/calendar.html", context, status=status)


def _described(row: WorkingCalendar) -> dict[str, Any]:
    calendar = row.calendar
    named = {name for _, name in calendars_named(policies.current().policy)}
    return {
        "calendar": calendar,
        "week": week_words(calendar),
        "in_use": calendar.slug in named,
        "example_hours": EXAMPLE_HOURS,
        "example": add_working(database_now(), EXAMPLE_HOURS * 3_600, calendar),
    }
