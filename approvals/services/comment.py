"""Comment: words under a request, for whoever may see it."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from accounts.callers import Caller
from approvals import events
from approvals.errors import EmptyComment
from approvals.locking import locked_for
from approvals.models import ApprovalRequest, Comment
from approvals.records import record_request
from approvals.told_secrets import holds_one
from audit.errors import Invalid, TooLarge

LONGEST = 5_000


class CommentTooLong(TooLarge):
    """A comment has a limit."""

    code = "comment_too_long"

    def __init__(self, length: int) -> None:
        super().__init__(
            gettext("A comment has at most {longest} characters; this one has {length}.").format(
                longest=LONGEST, length=length
            ),
            params={"length": length, "longest": LONGEST},
        )


class UnfitComment(Invalid):
    """PostgreSQL stores no NUL, and nobody tells others a tool's secret."""

    code = "unfit_comment"

    def __init__(self, what: str) -> None:
        super().__init__(gettext("A comment holds {what}.").format(what=what))


def comment(*, request_id: UUID, body: str, caller: Caller) -> Comment:
    """Write a comment; open to reviewers and to the run's initiator, whatever the state.

    Raises `EmptyComment`, `CommentTooLong`, `UnfitComment`, and `PermissionMissing` for those who only read.
    """
    text = body.strip()
    if not text:
        raise EmptyComment
    if len(text) > LONGEST:
        raise CommentTooLong(len(text))
    if "\0" in text:
        raise UnfitComment(gettext("no NUL character"))
    if holds_one(text):
        raise UnfitComment(
            gettext("no secret of a tool; take it out, since comments are kept and shown")
        )
    with transaction.atomic():
        request = locked_for(request_id, caller)
        if request.initiator_id == caller.user.pk:
            caller.require(None, scope="run" if "run" in caller.scopes else "decide")
        else:
            caller.require("decide_requests", scope="decide")
        written = Comment.objects.create(request=request, author=caller.user, body=text)
        request.version += 1
        ApprovalRequest.objects.filter(pk=request.pk).update(version=request.version)
        record_request(
            request,
            "request.commented",
            caller.actor,
            facts={"comment": written.pk},
            texts={"comment": text},
        )
        events.announce(request, "commented")
        return written
