"""The guides speak of pages in the words that stand on them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from babel.messages.pofile import read_po
from markdown_it import MarkdownIt

from agents import registry
from countersign.programs import PROJECT
from tests.documentation.pages import DOCUMENTS

GUIDES = ("quick-start", "reviewer", "admin", "auditor", "operator")


def words_of_pages() -> set[str]:
    """Every string that pages say, and what the demo's agents and examples are called."""
    found = {agent.title for agent in registry.all_agents()}
    found |= {example.title for agent in registry.all_agents() for example in agent.examples}
    for domain in ("django", "djangojs"):
        with (PROJECT / f"locale/de/LC_MESSAGES/{domain}.po").open("rb") as file:
            for message in read_po(file):
                found |= {message.id} if isinstance(message.id, str) else set(message.id)
    return found


def slanted(guide: str) -> Iterator[str]:
    """What stands in italics: words of pages, by the habit of these guides."""
    text = (DOCUMENTS / f"{guide}.md").read_text()
    for token in MarkdownIt().enable("table").parse(text):
        children = token.children or []
        for child, following in pairwise(children):
            if child.type == "em_open":
                yield following.content


@pytest.mark.parametrize("guide", GUIDES)
def test_what_stands_in_italics_stands_on_a_page(guide: str) -> None:
    words = words_of_pages()
    named = set(slanted(guide))
    assert len(named) > 5
    # Of a long one its first sentence, or what stands before a colon, will do.
    unknown = {
        each
        for each in named - words
        if not any(word.startswith((f"{each}.", f"{each}:")) for word in words)
    }
    assert unknown == set()
