"""Requests that wait for people, what was decided on them, and the policy versions."""

from approvals.models.policy import PolicyVersion
from approvals.models.request import ApprovalRequest
from approvals.models.trail import Comment, RequestGroup, RequestRevision, Viewing, Vote

__all__ = [
    "ApprovalRequest",
    "Comment",
    "PolicyVersion",
    "RequestGroup",
    "RequestRevision",
    "Viewing",
    "Vote",
]
