"""What a tool shows before it acts is data: a message, texts, rows, links; pages draw it and run nothing of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pydantic import ValidationError

from accounts.models import User
from approvals.line_diff import MOST_COMPARED, Line, line_by_line
from approvals.models import ApprovalRequest, Viewing
from approvals.schemas import Link, Message, Preview, TextChange
from audit.models import Event
from tests.approvals.conftest import Opener
from tests.approvals.till import Till

HTML = '<p onclick="alert(1)">Dear <b>Ada</b></p><script>alert(2)</script><img src="https://evil.example/x">'
MESSAGE = Message(to=("ada@example.org",), cc=("b@example.org",), subject="Yours\u200b", html=HTML)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def shown(opened: Opener, **parts: Any) -> ApprovalRequest:
    return opened(preview=Preview(title="Write to Ada", **parts))


def page(reader: User, request: ApprovalRequest) -> str:
    url = reverse("request-detail", kwargs={"pk": request.pk})
    return signed_in(reader).get(url).content.decode()


def frame(reader: User, request: ApprovalRequest) -> Any:
    return signed_in(reader).get(reverse("request-message", kwargs={"pk": request.pk}))


def test_the_html_of_a_message_is_shown_by_itself_and_can_do_nothing(
    opened: Opener, reviewer: User
) -> None:
    request = shown(opened, message=MESSAGE)
    text = page(reviewer, request)
    assert (
        f'<iframe class="letter-frame" src="/requests/{request.pk}/message/" sandbox title' in text
    )
    assert "<b>Ada</b>" not in text
    assert "ada@example.org" in text
    assert "b@example.org" in text
    assert "U+200B" in text
    answer = frame(reviewer, request)
    assert answer.content.decode() == HTML
    said = dict(
        part.strip().partition(" ")[::2] for part in answer["Content-Security-Policy"].split(";")
    )
    assert said["default-src"] == "'none'"
    assert said["sandbox"] == ""
    assert said["img-src"] == "data:"
    assert said["frame-ancestors"] == "'self'"
    assert "script-src" not in said
    assert (answer["X-Frame-Options"], answer["Referrer-Policy"]) == ("SAMEORIGIN", "no-referrer")


def test_a_message_is_for_who_may_see_its_request(
    opened: Opener, reviewer: User, outsider: User
) -> None:
    request = shown(opened, message=MESSAGE)
    assert frame(outsider, request).status_code == 404
    assert (
        frame(
            reviewer, shown(opened, message=Message(to=("a@example.org",), text="Hi."))
        ).status_code
        == 404
    )
    assert frame(reviewer, opened()).status_code == 404
    # Looking at the frame is not looking at the request.
    assert not Viewing.objects.exists()


def test_html_that_may_repeat_something_sensitive_is_not_open_to_who_may_not_read_that(
    opened: Opener, till: Till, reviewer: User, auditor: User
) -> None:
    request = shown(opened, message=MESSAGE.model_copy(update={"text": "The code is 4711-22."}))
    ApprovalRequest.objects.filter(pk=request.pk).update(withheld=["4711-22"])
    text = page(reviewer, request)
    assert "How it looks is not open to you" in text
    assert "4711-22" not in text
    assert frame(reviewer, request).status_code == 404
    ApprovalRequest.objects.filter(pk=request.pk).update(sensitive=["amount"])
    text = page(reviewer, request)
    assert "ada@example.org" not in text
    assert frame(reviewer, request).status_code == 404


def test_each_look_of_an_auditor_at_a_message_with_something_sensitive_is_an_event(
    opened: Opener, auditor: User
) -> None:
    request = shown(opened, message=MESSAGE)
    ApprovalRequest.objects.filter(pk=request.pk).update(withheld=["4711-22"])
    auditor.groups.add(*type(auditor.groups.first()).objects.filter(name="sensitive-reader"))
    assert frame(auditor, request).status_code == 200
    assert Event.objects.filter(type="request.sensitive_read").count() == 1


def test_texts_are_compared_line_by_line_and_links_written_out(
    opened: Opener, reviewer: User
) -> None:
    change = TextChange(label="Notice", before="one\ntwo\nthree", after="one\n2 <b>\nthree")
    link = Link(label="The shop", url="https://shop.example/<x>")
    text = page(reviewer, shown(opened, texts=(change,), links=(link,)))
    assert "Gone: </span>two" in text
    assert "New: </span>2 &lt;b&gt;" in text
    assert 'href="https://shop.example/&lt;x&gt;" rel="noopener noreferrer nofollow"' in text
    assert "https://shop.example/&lt;x&gt;</span>" in text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example", "data:text/html,x", "ftp://x"]
)
def test_a_link_leads_to_the_web_or_is_no_link(url: str) -> None:
    with pytest.raises(ValidationError):
        Link(label="x", url=url)


def test_a_preview_without_these_is_stored_as_it_always_was() -> None:
    stored = Preview(title="x").model_dump(mode="json")
    assert stored == {"title": "x", "summary": "", "subject": "", "facts": [], "warnings": []}


def test_long_texts_are_not_compared_but_stand_whole() -> None:
    old, new = ["a"] * MOST_COMPARED, ["b", "c"]
    lines = list(line_by_line(old, new))
    assert [line.mark for line in lines] == ["-"] * len(old) + ["+", "+"]
    assert list(line_by_line(["a", "b"], ["a", "c"])) == [
        Line(" ", "a"),
        Line("-", "b"),
        Line("+", "c"),
    ]
