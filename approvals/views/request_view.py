"""One request as its page shows it: words, numbers and links, and only what this caller may see."""

from __future__ import annotations

from functools import cached_property

from approvals.lists import WAITING
from approvals.views.listed import Listed
from approvals.views.request_basis import address
from approvals.views.request_content import RequestContent
from approvals.views.request_outcome import RequestOutcome
from approvals.views.request_rights import RequestRights


class RequestView(RequestContent, RequestRights, RequestOutcome):
    """What templates/approvals/_request.html takes. Made for one caller; asks a bounded number of queries."""

    @cached_property
    def next_url(self) -> str:
        """The next request of the list that this one was opened from, so that the list can be walked; once this
        one is closed."""
        if self.is_pending or self.desk is None or self.listed.wrong:
            return ""
        listed = self.listed if self.listed.tab in WAITING else Listed()
        following = self.desk.next_after(self.item.pk, listed.tab, listed.filters)
        return f"{address('request-detail', pk=following)}?{listed.query}" if following else ""
