"""Requests that wait for people, what was decided on them, reason chips, and the policy versions."""

from approvals.models.calendar import WorkingCalendar
from approvals.models.first_mail import FirstMail
from approvals.models.listing import Listing
from approvals.models.policy import PolicyVersion
from approvals.models.reason_chip import ReasonChip
from approvals.models.request import ApprovalRequest
from approvals.models.saved_view import SavedView
from approvals.models.simulation import Simulation
from approvals.models.sticky import StickyApproval
from approvals.models.trail import (
    Comment,
    RequestGroup,
    RequestRevision,
    Snooze,
    Viewing,
    Vote,
)
from approvals.models.words import MOST_COUNTED, ApprovalRequestQuerySet, Reader, reader_of

__all__ = [
    "MOST_COUNTED",
    "ApprovalRequest",
    "ApprovalRequestQuerySet",
    "Comment",
    "FirstMail",
    "Listing",
    "PolicyVersion",
    "Reader",
    "ReasonChip",
    "RequestGroup",
    "RequestRevision",
    "SavedView",
    "Simulation",
    "Snooze",
    "StickyApproval",
    "Viewing",
    "Vote",
    "WorkingCalendar",
    "reader_of",
]
