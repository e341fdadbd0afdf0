"""How the log is sealed: its size, what waits, the keys that sign, the logs before it."""

from django.http import HttpRequest
from ninja import Router, Schema

from audit.api.shapes import Moment
from audit.fact_schemas import moment_text
from audit.models import Log, LogKey
from audit.ports import caller_of
from audit.services.sealing_state import sealing_state

router = Router()


class KeyOut(Schema):
    """A key that signs checkpoints, as a C2SP verifier key: from the log of `added_size` events on, to that of
    `retired_size`, where it was retired."""

    verifier: str
    added_at: Moment
    added_size: int
    retired_at: Moment | None
    retired_size: int | None


class LogOut(Schema):
    """A log of this installation and how many events it took over when it began."""

    origin: str
    began_at: Moment
    first_size: int


class SealedLogOut(Schema):
    """How sealing stands. `complaint` says what an operator has to know, null where all is well; `waiting` events
    have no place in the log yet, the oldest for `lag_seconds`. `keys` and `logs` are newest first."""

    origin: str | None
    sealed: int
    waiting: int
    lag_seconds: float
    complaint: str | None
    keys: list[KeyOut]
    logs: list[LogOut]


@router.get("audit/log", response=SealedLogOut, summary="The sealed log", operation_id="read_log")
def read_log(request: HttpRequest) -> SealedLogOut:
    """How the log is sealed, and by which keys. Needs the scope `audit`."""
    caller_of(request).require("read_audit", scope="audit")
    state = sealing_state()
    return SealedLogOut(
        origin=state.origin or None,
        sealed=state.sealed,
        waiting=state.waiting,
        lag_seconds=round(state.lag_seconds, 3),
        complaint=state.complaint or None,
        keys=[
            KeyOut(
                verifier=key.verifier,
                added_at=moment_text(key.added_at),
                added_size=key.added_size,
                retired_at=moment_text(key.retired_at) if key.retired_at else None,
                retired_size=key.retired_size,
            )
            for key in LogKey.objects.order_by("-added_at", "verifier")
        ],
        logs=[
            LogOut(origin=log.origin, began_at=moment_text(log.began_at), first_size=log.first_size)
            for log in Log.objects.order_by("-id")
        ],
    )
