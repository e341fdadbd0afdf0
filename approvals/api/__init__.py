"""Approvals over the API: one router for the root to include."""

from ninja import Router

from approvals.api import access, calendars, policies, reason_chips, requests, simulations, sticky

router = Router()
router.add_router("", requests.router)
router.add_router("", policies.router)
router.add_router("", simulations.router)
router.add_router("", sticky.router)
router.add_router("", reason_chips.router)
router.add_router("", calendars.router)
router.add_router("", access.router)

__all__ = ["router"]
