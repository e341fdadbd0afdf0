"""The pages of the documentation, and the blocks of code in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from countersign.programs import PROJECT

DOCUMENTS = PROJECT / "docs"
PAGES = (*sorted(DOCUMENTS.rglob("*.md")), PROJECT / "README.md", PROJECT / "CONTRIBUTING.md")
#: How a block of commands says why no test runs it; readers see it above the block.
NOT_RUN = re.compile(r'title="Not run by tests: [^"]+"')


@dataclass(frozen=True)
class Block:
    """A block of code: where it stands, its language, whatever its first line says besides, and its text."""

    page: Path
    line: int
    language: str
    says: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(PROJECT)}:{self.line}"

    @property
    def is_run(self) -> bool:
        """Whether its commands are run over the product."""
        return self.language == "sh" and not self.says


def blocks_of(page: Path) -> list[Block]:
    """In the order of the page; the language of an indented block is empty."""
    found = []
    for token in MarkdownIt().parse(page.read_text()):
        if token.type in {"fence", "code_block"}:
            assert token.map is not None
            language, _, says = token.info.strip().partition(" ")
            found.append(Block(page, token.map[0] + 1, language, says.strip(), token.content))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
