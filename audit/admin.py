"""The log in Django's admin: to read, never to write."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from audit.models import Disclosure, Event, Export, Pending, Stream
from audit.record_keeping import Erasure, Hold, Retired, Sample


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Nothing can be added, changed or deleted here, whoever asks: services are the only writers."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = (
        "occurred_at",
        "type",
        "actor_kind",
        "actor_id",
        "agent",
        "tool",
        "stream",
        "seq",
    )
    ordering = ("-inserted_at", "-id")
    fields = (
        "text",
        "leaf_hex",
        "inserted_at",
        *("stream", "seq", "type", "actor_kind", "actor_id", "agent", "run", "request", "tool"),
    )
    readonly_fields = ("text", "leaf_hex")

    @admin.display(description="body")
    def text(self, event: Event) -> str:
        return bytes(event.body).decode()


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin):
    list_display = ("name", "seq")


@admin.register(Pending)
class PendingAdmin(ReadOnlyAdmin):
    list_display = ("event", "inserted_at")


@admin.register(Disclosure)
class DisclosureAdmin(ReadOnlyAdmin):
    list_display = ("event", "name", "digest")
    fields = ("event", "name", "digest")


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "asked_by", "format", "state", "events")


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    list_display = ("matter", "scope", "target", "set_at", "lifted_at")


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    list_display = ("subject", "reason_code", "state", "proposed_at", "decided_at")


@admin.register(Retired)
class RetiredAdmin(ReadOnlyAdmin):
    list_display = ("partition", "events", "dropped_at")
    fields = ("partition", "since", "until", "events", "dropped_at")


@admin.register(Sample)
class SampleAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "drawn_by", "seed", "size", "population")
