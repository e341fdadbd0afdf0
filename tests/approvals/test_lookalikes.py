"""Addresses that are not what they seem are said to be so; every other text is left alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.lookalikes import MOST_WARNINGS, warnings_of
from approvals.models import RequestRevision
from approvals.schemas import Preview
from tests.approvals.conftest import Opener
from tests.approvals.till import refund


@pytest.mark.parametrize(
    ("text", "host", "true_name"),
    [
        ("https://ex\u0430mple.com/pay", "ex\u0430mple.com", "xn--exmple-4nf.com"),
        ("(bob@\u0430\u0440\u0440\u04cf\u0435.com)", "\u0430\u0440\u0440\u04cf\u0435.com", "xn--80ak6aa92e.com"),
        ("see \u0430\u0440\u0440\u04cf\u0435.com", "\u0430\u0440\u0440\u04cf\u0435.com", "xn--80ak6aa92e.com"),
        ("b@m\u00fcller.de", "m\u00fcller.de", "xn--mller-kva.de"),
        ("bob@xn--exmple-4nf.com", "xn--exmple-4nf.com", "ex\u0430mple.com"),
        ("bob@XN--EXMPLE-4NF.com", "XN--EXMPLE-4NF.com", "ex\u0430mple.com"),
        ("a\uff20\uff45\uff56\uff49\uff4c\uff0e\uff43\uff4f\uff4d", "\uff45\uff56\uff49\uff4c\uff0e\uff43\uff4f\uff4d", "evil.com"),  # noqa: E501
        ("http://evil\u3002com/", "evil\u3002com", "evil.com"),
        ("http://exam\u200bple.com", "exam\u200bple.com", "example.com"),
        ("https://good.example@evil.example/", "good.example@evil.example", "evil.example"),
        ("//\u0261oogle.com", "\u0261oogle.com", "xn--oogle-qmc.com"),
    ],
)  # fmt: skip
def test_an_address_that_is_not_what_it_seems_is_named_with_what_it_is(
    text: str, host: str, true_name: str
) -> None:
    [warning] = warnings_of({"to": [{"address": text}]})
    assert f"“{host}”" in warning
    assert true_name in warning


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/a?b=c@d and bob@example.com, eve@mail.example.co.uk.",
        "https://bob@example.com:8080/path",
        "Zwölf Müller.Bitte zahlen",
        "Привет.Как дела? Файл отчёт.pdf",
        "支払い。返金 请访问example.com。谢谢",
        "Wait…what? a/b.c 3.14 v1.2.3 naïve café",
        "xn-- is a prefix",
        "@",
        "",
    ],
)
def test_ordinary_text_and_ordinary_addresses_are_left_alone(text: str) -> None:
    assert warnings_of(text, {"a": text}, None, [1, True, None]) == []


def test_a_name_that_cannot_be_decoded_is_said_to_be_so() -> None:
    [warning] = warnings_of("bob@xn--zzzz-99999999999999.com")
    assert "cannot be read" in warning


def test_very_many_addresses_are_counted() -> None:
    found = warnings_of([f"a@b\u0430{n}.com" for n in range(500)])
    assert len(found) == MOST_WARNINGS + 1
    assert found[-1].startswith("480 more")


@given(st.text(alphabet=st.sampled_from("aа.@:/\\xn-0\u200b。＠é ?#=%\ud7ff"), max_size=80))
def test_no_text_breaks_the_search(text: str) -> None:
    assert all(isinstance(warning, str) for warning in warnings_of(text))


def test_a_warning_stands_in_the_document_that_a_decision_is_bound_to(opened: Opener) -> None:
    arguments = {"order": "1", "amount": "20.00", "note": "mail p\u0430y@ex\u0430mple.com"}
    request = opened(action=refund(arguments=arguments), preview=Preview(title="Refund €20"))
    shown = json.loads(bytes(RequestRevision.objects.get(request=request).shown))
    [warning] = shown["address_warnings"]
    assert "xn--exmple-4nf.com" in warning
