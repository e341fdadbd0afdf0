"""Working calendars, as they stand now. A request keeps the one it was opened by."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from approvals.calendars import Calendar


class WorkingCalendar(models.Model):
    """One calendar. `document` is `calendars.Calendar` as JSON; slug and title stand in it too."""

    slug = models.SlugField(max_length=64, unique=True)
    title = models.CharField(max_length=80)
    document = models.JSONField()
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["title", "slug"]

    def __str__(self) -> str:
        return self.title

    @property
    def calendar(self) -> Calendar:
        """The calendar, typed."""
        return Calendar.model_validate(self.document)
