"""Jobs of accounts. Signatures take ids and `**_later`, so that they survive a deploy."""

from __future__ import annotations

from typing import Any

from accounts.services.mail_link import mail_link


def mail_links(people: str, language: str, **_later: Any) -> int:
    """Mail each of these people, by their ids with commas in between, a link for a new password; how many were
    sent."""
    return sum(
        mail_link(person_id=int(each), language=language) for each in people.split(",") if each
    )
