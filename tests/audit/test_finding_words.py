"""What checks of the log, exports, sinks and witnesses say, in the reader's language."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest
from django.utils.translation import gettext, override

from audit import (
    cosigned_fsck,
    fsck,
    protection,
    reconciliation,
    sealed_fsck,
    signing,
    waiting_fsck,
)
from audit.finding_words import in_words
from audit.services import ask_witness, stream_out, tidy_exports, verify_log, write_export
from audit.streaming import failing, files, http, sinks, trust, witnessing

CHECKS = (fsck, sealed_fsck, cosigned_fsck, waiting_fsck, reconciliation, protection, verify_log)
OTHERS = (
    *(signing, write_export, tidy_exports, stream_out, ask_witness),
    *(failing, files, http, sinks, trust, witnessing),
)
#: What is said to a program, to a log file or as the settings are read, and on no page.
UNSEEN = (
    "There is no such check.",
    "Only the sealer signs checkpoints.",
    "The witness has cosigned 7 last.",
)


def sentences(module: ModuleType) -> Iterator[str]:
    """Each sentence that the module writes down, with a number for whatever is put into it."""
    tree = ast.parse(inspect.getsource(module))
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr | ast.Expr)
        for part in ast.walk(node)
        if part is not node and not isinstance(getattr(node, "value", None), ast.Yield | ast.Call)
    }
    for node in ast.walk(tree):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        if id(node) in inside or not isinstance(node, ast.JoinedStr | ast.Constant):
            continue
        texts = [str(part.value) if isinstance(part, ast.Constant) else "7" for part in parts]
        text = "".join(texts)
        if text.count(" ") >= 4 and (text.endswith((".", ": 7"))):
            yield text


@pytest.mark.parametrize("module", [*CHECKS, *OTHERS], ids=lambda module: module.__name__)
def test_whatever_a_check_an_export_a_sink_or_a_witness_says_is_said_in_german(
    module: ModuleType,
) -> None:
    said = {each for each in sentences(module) if each not in UNSEEN}
    assert said
    with override("de"):
        assert not [each for each in said if in_words(each) == gettext(each) == each]


def test_what_a_sentence_names_is_said_with_it_and_what_is_not_known_as_it_is() -> None:
    said = "Event 7 (run.ended, number 2 of log) does not have the leaf hash of its body: the row was changed by hand."
    with override("de"):
        assert in_words(said) == (
            "Ereignis 7 (run.ended, Nummer 2 von log) hat nicht den Blatt-Hash des eigenen Wortlauts: "
            "Die Zeile wurde von Hand geändert."
        )
        assert in_words("Something else.") == "Something else."
    assert in_words(said) == said
