"""Memory: what runs of an agent wrote down for later runs of it."""

from __future__ import annotations

from typing import Final, Self

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVector
from django.db import models
from django.db.models import F, OrderBy, Q, Value

from accounts.models import User
from agents.kill_switches import new_id
from agents.models.agent import HostedAgent
from agents.models.fields import groups_of
from agents.models.run import Run
from agents.models.step import Step
from agents.notebook import LONGEST_KEY

#: Any language: words are taken as they stand.
WORDS: Final = SearchVector("key", "text", config="simple")
MOST_WORDS: Final = 32
"""So many words of a search are looked for."""


class MemoryQuerySet(models.QuerySet["Memory"]):
    def visible_to(self, user: User) -> Self:
        """All for those who manage agents or read everything, else what one's own agents wrote down."""
        if not user.is_active:
            return self.none()
        if user.has_perm("accounts.manage_agents") or user.has_perm("accounts.read_everything"):
            return self.all()
        return self.filter(agent__owner_group__in=groups_of(user))

    def current(self) -> Self:
        """What nothing newer under the same key has replaced."""
        return self.filter(superseded_at__isnull=True)

    def matching(self, text: str) -> Self:
        """Those that hold any of the words, each with its `rank`; all where there are none."""
        words = [SearchQuery(word, config="simple") for word in text.split()[:MOST_WORDS]]
        if not words:
            return self.annotate(rank=Value(0.0, models.FloatField()))
        query = words[0]
        for word in words[1:]:
            query |= word
        found = self.alias(words=WORDS).filter(words=query)
        return found.annotate(rank=SearchRank(WORDS, query))

    def best_first(self) -> Self:
        """Those that `matching` ranked highest; of equal ones the newest."""
        rank = OrderBy(F("rank"), descending=True)
        return self.order_by(rank, "-created_at", "-id")

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")


class Memory(models.Model):
    """One thing that an agent wrote down. `root` bounds it to one run and all below it; without, it is for
    every run of the agent. `tainted`: the run that wrote it had read text of somebody outside."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey(HostedAgent, on_delete=models.PROTECT, related_name="memories")
    root = models.ForeignKey(
        Run, null=True, blank=True, on_delete=models.PROTECT, related_name="memories_below"
    )
    key = models.CharField(max_length=LONGEST_KEY)
    text = models.TextField()
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="memories")
    step = models.OneToOneField(Step, on_delete=models.PROTECT, related_name="memory")
    tainted = models.BooleanField(default=False)
    tainted_by = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True, blank=True)

    objects = MemoryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "memories"
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "root", "key"],
                condition=Q(superseded_at__isnull=True),
                nulls_distinct=False,
                name="memory_current_once",
            ),
        ]
        indexes = [
            GinIndex(WORDS, name="memory_words"),
            models.Index(F("agent"), F("created_at").desc(), F("id").desc(), name="memory_newest"),
        ]

    def __str__(self) -> str:
        return self.key
