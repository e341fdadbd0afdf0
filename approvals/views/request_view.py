"""One request as its page shows it: words, numbers and links, and only what this caller may see."""

from __future__ import annotations

from functools import cached_property

from approvals.views.request_basis import address
from approvals.views.request_content import RequestContent
from approvals.views.request_outcome import RequestOutcome
from approvals.views.request_rights import RequestRights


class RequestView(RequestContent, RequestRights, RequestOutcome):
    """What templates/approvals/_request.html takes. Made for one caller; asks a bounded number of queries."""

    @cached_property
    def next_url(self) -> str:
        """The next request that this person may decide, so that the queue can be walked; once this one is closed."""
        if self.is_pending or self.desk is None:
            return ""
        following = self.desk.next_after(self.item.pk)
        return f"{address('request-detail', pk=following)}?tab=team" if following else ""
