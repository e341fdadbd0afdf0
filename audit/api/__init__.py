"""The log for programs: one router for the root to include."""

from ninja import Router

from audit.api import (
    erasures,
    events,
    exceptions,
    exports,
    holds,
    proofs,
    retention,
    samples,
    sealed_log,
    stories,
    tlog,
    verifications,
)

router = Router(tags=["audit"])
for _part in (
    events,
    stories,
    exports,
    sealed_log,
    proofs,
    tlog,
    verifications,
    exceptions,
    samples,
    holds,
    erasures,
    retention,
):
    router.add_router("", _part.router)

__all__ = ["router"]
