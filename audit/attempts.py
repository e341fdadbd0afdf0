"""What rows share that stand for somebody outside, whom we try to reach until it works."""

import random
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models

from audit.streaming.failing import NotDelivered


class Attempted(models.Model):
    """How the last attempts went. `told` says that the log of events has been told of the failure."""

    attempts = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)
    told = models.BooleanField(default=False)

    class Meta:
        abstract = True

    def waits(self, now: datetime) -> bool:
        """Whether it is to be left alone for now."""
        return self.retry_at is not None and self.retry_at > now

    def failed(self, failure: NotDelivered, now: datetime, *, first_wait: float) -> bool:
        """Put the next attempt off; whether the failure has lasted for so long that it is to be told now.

        Once, and only of one that lasts: the event is to be sent too, and a receiver that fails now and then would
        make events for itself with every batch. `first_wait` are the seconds after the first failure, which are
        doubled with each further one.
        """
        self.attempts += 1
        self.failing_since = self.failing_since or now
        self.problem = str(failure)
        seconds = _wait(first_wait, self.attempts, failure.after_seconds)
        self.retry_at = now + timedelta(seconds=seconds)
        patience = timedelta(seconds=settings.COUNTERSIGN.audit_sink_alarm_seconds)
        is_news = not self.told and now - self.failing_since >= patience
        self.told = self.told or is_news
        return is_news

    def succeeded(self) -> bool:
        """It worked; whether a failure that was told is over with that."""
        told = self.told
        self.attempts, self.retry_at, self.failing_since = 0, None, None
        self.problem, self.told = "", False
        return told


def _wait(first: float, attempts: int, asked: float | None) -> float:
    """Seconds until the next attempt: doubled each time, never in step with others, as long as asked for."""
    longest = settings.COUNTERSIGN.audit_sink_longest_wait_seconds
    # Spread, and no secret.
    spread = min(first * 2.0 ** min(attempts - 1, 30), longest) * random.uniform(0.5, 1)  # noqa: S311
    return float(max(spread, min(asked or 0, longest)))
