"""Effects as the audit log must know them, for `audit_fsck`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

from django.utils.translation import ngettext

from agents.models import EffectRecord
from agents.states import EffectState
from audit.canonical import MalformedJson, canonical_bytes, sha256_hex
from audit.ports import Stated

ROWS_AT_A_TIME = 500


class Effects:
    """Every effect that was sent has its events, with the digests of what was sent and of what came back."""

    what = "effects"
    types = frozenset(
        {
            *(f"effect.{state}" for state in EffectState if state is not EffectState.READY),
            "effect.resolved",
        }
    )
    owner: Literal["request", "run", "stream"] = "run"

    def counted(self, number: int) -> str:
        """`{number} effects`."""
        return ngettext("{number} effect", "{number} effects", number)

    def rows(self) -> Iterator[Sequence[Stated]]:
        """Every effect whose intent was committed."""
        found = (
            EffectRecord.objects.exclude(state=EffectState.READY)
            .order_by("pk")
            .values_list("pk", "run_id", "state", "digest", "result")
        )
        rows = found.iterator(ROWS_AT_A_TIME)
        while chunk := list(islice(rows, ROWS_AT_A_TIME)):
            yield [
                Stated(pk, run, f"The effect {pk}", state, {"args_sha256": digest, **_of(result)})
                for pk, run, state, digest, result in chunk
            ]

    def named_in(self, body: Mapping[str, Any]) -> str | None:
        """The effect that the event is about."""
        effect = body.get("facts", {}).get("effect")
        return str(effect) if effect else None

    def after(self, state: str, body: Mapping[str, Any]) -> str:
        """The event's own name says it; what a person found out stands among its facts."""
        if body["type"] == "effect.resolved":
            return str(body["facts"].get("state", state))
        return str(body["type"]).removeprefix("effect.")

    def agree(self, stated: str, logged: str) -> bool:
        """The same state."""
        return stated == logged

    def there(self, ids: Collection[str]) -> set[str]:
        """Effects that are there."""
        return set(map(str, EffectRecord.objects.filter(pk__in=ids).values_list("pk", flat=True)))


def _of(result: Any) -> dict[str, str]:
    """The digest of what came back, where it has one; see `events.result_disclosures`."""
    try:
        return {"result_sha256": sha256_hex(canonical_bytes(result))}
    except MalformedJson:
        return {}
