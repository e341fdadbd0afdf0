"""Reading the pages of runs and agents: what a person sees, without the markup."""

from __future__ import annotations

import html
import re

from django.http import HttpResponse


def words(markup: str) -> str:
    """The text of some markup in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def text_of(answer: HttpResponse) -> str:
    """The text of the page's main part in one line; the answer must be a page."""
    markup = answer.content.decode()
    assert answer.status_code in (200, 422), answer.status_code
    return words(markup[markup.index("<main") : markup.index("</main>")])


def step_of(answer: HttpResponse, seq: int) -> str:
    """The text of one step of a timeline in one line."""
    markup = answer.content.decode()
    start = markup.index('<li class="step', markup.index(f'id="step-{seq}"') - 40)
    ends = [markup.find(end, start + 1) for end in ('<li class="step', "</ol>\n", "</section>")]
    return words(markup[start : min(end for end in ends if end > 0)])
