"""The inbox without JavaScript: what each person sees, and that every verdict can be given."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.callers import Caller
from accounts.models import User
from approvals.models import ApprovalRequest
from approvals.schemas import GroupNeed, Requirements
from approvals.services.claim import claim
from approvals.templatetags.interface import counted
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank
from tests.agents.conftest import Counter
from tests.approvals.conftest import Opener
from tests.model_server import call, calls, final, judged

PAY = judged({"account": "Acme GmbH", "amount": "42.00"})


@pytest.fixture
def parked(counter: Counter) -> ApprovalRequest:
    """One payment that one of Finance decides."""
    run = counter.start([calls(call("pay", PAY)), final(summary="done")])
    return counter.request(run)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def posted(request: ApprovalRequest, verdict: str, **body: object) -> dict[str, object]:
    """What the page's form would post."""
    return {
        "verdict": verdict,
        "revision": request.revision,
        "digest": request.digest,
        "shown_sha256": request.shown_sha256,
        "nonce": f"nonce-{verdict}-{request.revision}",
        "tab": "team",
        **body,
    }


def page(client: Client, request: ApprovalRequest, query: str = "") -> Any:
    return client.get(reverse("request-detail", kwargs={"pk": request.pk}) + query)


def decide(client: Client, request: ApprovalRequest, verdict: str, **body: object) -> Any:
    url = reverse("request-decide", kwargs={"pk": request.pk})
    return client.post(url, posted(request, verdict, **body))


def test_a_request_stands_in_its_reviewers_team_list(
    parked: ApprovalRequest, reviewer: User
) -> None:
    answer = signed_in(reviewer).get(reverse("inbox"))
    assert answer.status_code == 200
    assert "Pay €42.00 to Acme GmbH" in answer.content.decode()


def test_the_page_shows_what_will_happen_why_it_paused_and_every_argument(
    parked: ApprovalRequest, reviewer: User
) -> None:
    text = page(signed_in(reviewer), parked).content.decode()
    for part in ("What will happen", "Why it paused", "Needs", "42.00", "Acme GmbH", "Approve"):
        assert part in text


@pytest.mark.parametrize("said", [True, False])
def test_a_rule_is_called_by_its_title_and_only_once(
    parked: ApprovalRequest, reviewer: User, said: bool
) -> None:
    parked.rule, title = "large-sums", "Sums over a thousand"
    of_it = {"rule": parked.rule, "title": title, "confidence_bp": 9_500, "points": 9_500}
    # That a rule would have allowed it would tell a score that is not shown yet.
    code = "reviewed_by_rule" if said else "allowed_by_rule"
    ruled = {"code": code, "params": {**of_it, "threshold_bp": 9_000}}
    parked.reasons = [{"code": "tainted", "params": {"by": ["read_mail"]}}, ruled]
    parked.score_visible = said
    parked.save()
    text = page(signed_in(reviewer), parked).content.decode()
    assert (f"The rule “{title}” asks for a review." in text) is said
    assert (f", rule “{title}”" in text) is not said
    assert text.count(title) == 1
    assert parked.rule not in text
    assert "text that nobody vouches for: “Read mail”." in text


@pytest.mark.parametrize("name", ["inbox", "inbox-rows", "inbox-counts"])
def test_lists_ask_a_visitor_to_sign_in(db: None, name: str) -> None:
    answer = Client().get(reverse(name))
    assert answer.status_code == 302
    assert "/login" in answer["Location"] or "/sign-in" in answer["Location"]


def test_an_outsider_finds_neither_list_entry_nor_page(
    parked: ApprovalRequest, outsider: User
) -> None:
    client = signed_in(outsider)
    assert "Acme" not in client.get(reverse("inbox")).content.decode()
    assert page(client, parked).status_code == 404
    for name in ("decide", "undo", "claim", "extend", "comment"):
        url = reverse(f"request-{name}", kwargs={"pk": parked.pk})
        assert client.post(url, posted(parked, "approve")).status_code == 404
    parked.refresh_from_db()
    assert parked.state == "pending"


def test_approving_without_javascript_leads_back_to_the_request(
    parked: ApprovalRequest, reviewer: User
) -> None:
    client = signed_in(reviewer)
    page(client, parked)
    answer = decide(client, parked, "approve")
    assert answer.status_code == 302
    assert "Approved by" in client.get(answer["Location"]).content.decode()


@pytest.mark.parametrize(
    ("verdict", "state"), [("reject", "rejected"), ("send_back", "superseded")]
)
def test_refusing_asks_for_a_reason_and_then_closes(
    parked: ApprovalRequest, reviewer: User, verdict: str, state: str
) -> None:
    client = signed_in(reviewer)
    assert "Reason" in page(client, parked, "?mode=reject").content.decode()
    empty = decide(client, parked, verdict, reason="")
    assert empty.status_code == 422
    assert "Pick a reason, or write one." in empty.content.decode()
    assert decide(client, parked, verdict, reason="Wrong account.").status_code == 302
    parked.refresh_from_db()
    assert parked.state == state


def test_an_edit_is_typed_in_fields_and_shows_before_and_after(
    parked: ApprovalRequest, reviewer: User, second_reviewer: User
) -> None:
    client = signed_in(reviewer)
    assert 'name="arguments.amount"' in page(client, parked, "?mode=edit").content.decode()
    fields = {"arguments.account": "Acme GmbH", "arguments.amount": "80.00"}
    assert decide(client, parked, "edit", **fields).status_code == 302
    parked.refresh_from_db()
    assert (parked.revision, parked.arguments["amount"]) == (2, "80.00")
    text = page(signed_in(second_reviewer), parked).content.decode()
    assert "Before:" in text
    assert "80.00" in text


def test_an_edit_that_the_tool_refuses_stands_at_its_field_with_the_draft(
    parked: ApprovalRequest, reviewer: User
) -> None:
    fields = {"arguments.account": "Acme GmbH", "arguments.amount": "-5"}
    answer = decide(signed_in(reviewer), parked, "edit", **fields)
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "greater than 0" in text
    assert 'value="-5"' in text


def test_the_loser_of_a_race_is_told_who_decided_and_keeps_the_draft(
    parked: ApprovalRequest, reviewer: User, second_reviewer: User
) -> None:
    decide(signed_in(second_reviewer), parked, "approve")
    answer = decide(signed_in(reviewer), parked, "reject", reason="Mine was different.")
    text = answer.content.decode()
    assert answer.status_code == 409
    assert second_reviewer.get_full_name() in text
    assert "Mine was different." in text


def test_a_verdict_on_an_older_revision_is_refused_with_the_new_one(
    parked: ApprovalRequest, reviewer: User, second_reviewer: User
) -> None:
    stale = ApprovalRequest.objects.get(pk=parked.pk)
    fields = {"arguments.account": "Acme GmbH", "arguments.amount": "80.00"}
    decide(signed_in(second_reviewer), parked, "edit", **fields)
    answer = decide(signed_in(reviewer), stale, "approve")
    assert answer.status_code == 409
    assert "80.00" in answer.content.decode()


def test_who_started_the_run_reads_the_request_and_has_no_verdict_to_give(
    counter: Counter, bank: Bank, operator: User
) -> None:
    run = counter.start([calls(call("pay", PAY))])
    text = page(signed_in(operator), counter.request(run)).content.decode()
    assert 'name="verdict"' not in text
    assert "dock-note" in text


def test_an_approval_is_taken_back_in_its_undo_time(
    counter: Counter, reviewer: User, settings: Any
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"undo_seconds": 30.0})
    run = counter.start([calls(call("pay", PAY))])
    request = counter.request(run)
    client = signed_in(reviewer)
    decide(client, request, "approve")
    assert "Take it back" in page(client, request).content.decode()
    assert client.post(reverse("request-undo", kwargs={"pk": request.pk})).status_code == 302
    request.refresh_from_db()
    assert request.state == "pending"


def test_claim_comment_and_extend_are_seen_on_the_page(
    parked: ApprovalRequest, reviewer: User, second_reviewer: User
) -> None:
    client = signed_in(reviewer)
    for name, body in (
        ("claim", {}),
        ("comment", {"text": "Looks odd <b>to me</b>."}),
        ("extend", {"hours": "4"}),
    ):
        url = reverse(f"request-{name}", kwargs={"pk": parked.pk})
        assert client.post(url, body).status_code == 302
    text = page(signed_in(second_reviewer), parked).content.decode()
    assert "is looking at it" in text
    assert "Looks odd &lt;b&gt;to me&lt;/b&gt;." in text
    assert str(parked.pk) in client.get(f"{reverse('inbox')}?tab=mine").content.decode()


def test_a_question_is_answered_in_its_own_form(counter: Counter, reviewer: User) -> None:
    asked = {"question": "Which account?", "answer_type": "text"}
    run = counter.start([calls(call("ask_human", asked)), final(summary="ok")])
    request = counter.request(run)
    client = signed_in(reviewer)
    assert "Which account?" in page(client, request).content.decode()
    assert decide(client, request, "answer", answer="A5").status_code == 302
    assert counter.go_on(run).state == "succeeded"


def test_a_reached_limit_is_raised_in_its_own_form(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    run = counter.start(
        [calls(call("read_balance", judged({"account": "A1"})))] * 30 + [final(summary="ok")]
    )
    request = counter.request(run)
    assert request.kind == "budget"
    client = signed_in(reviewer)
    cap = next(iter(request.question["caps"]))
    assert cap in page(client, request).content.decode()
    assert decide(client, request, "extend", **{cap: "40"}).status_code == 302


def test_invisible_and_turning_characters_are_marked(counter: Counter, reviewer: User) -> None:
    sly = judged({"account": "Acme\u202e HbmG\u200b", "amount": "5.00"})
    run = counter.start([calls(call("pay", sly))])
    text = page(signed_in(reviewer), counter.request(run)).content.decode()
    assert "U+202E" in text
    assert "U+200B" in text


@pytest.mark.parametrize("tab", ["mine", "team", "decided"])
def test_a_longer_list_asks_the_database_no_more_often(
    counter: Counter, reviewer: User, django_assert_max_num_queries: Callable[..., Any], tab: str
) -> None:
    client = signed_in(reviewer)

    def one_more() -> None:
        request = counter.request(counter.start([calls(call("pay", PAY))]))
        if tab == "decided":
            counter.decide(request, Verdict.REJECT, reviewer, reason="No.")
        if tab == "mine":
            claim(request_id=request.pk, caller=Caller.of_session(reviewer))

    one_more()
    url = f"{reverse('inbox')}?tab={tab}"
    client.get(url)
    with django_assert_max_num_queries(11) as asked:
        client.get(url)
    for _ in range(4):
        one_more()
    with django_assert_max_num_queries(len(asked)):
        text = client.get(url).content.decode()
    assert text.count('class="row-title"') == 5


def test_what_waits_is_counted_no_further_than_people_read(
    counter: Counter, reviewer: User
) -> None:
    for _ in range(3):
        counter.start([calls(call("pay", PAY))])
    team = ApprovalRequest.objects.team(reviewer)
    assert [team.number(most=most) for most in (1, 2, 3, 4)] == [2, 3, 3, 3]
    assert [counted(number) for number in (0, 200, 201)] == ["0", "200", "200+"]
    assert signed_in(reviewer).get(reverse("inbox-counts")).json() == {
        "counts": {"mine": "0", "team": "3", "snoozed": "0"}
    }


def test_every_open_verdict_of_a_doubtful_effect_can_be_given(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    def lost() -> None:
        raise ConnectionResetError

    run = counter.start([calls(call("wire", PAY)), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    bank.trouble = lost
    run = counter.go_on(run)
    request = counter.request(run)
    client = signed_in(second_reviewer)
    assert "It happened" in page(client, request).content.decode()
    assert decide(client, request, "happened", result="").status_code == 302
    assert counter.go_on(run).state == "succeeded"


def test_an_empty_list_says_that_others_still_have_something_to_decide(
    parked: ApprovalRequest, auditor: User, reviewer: User
) -> None:
    page_text = signed_in(auditor).get(reverse("inbox")).content.decode()
    assert "Nothing waits for you" in page_text
    assert "1 waits for others." in page_text
    decide(signed_in(reviewer), parked, "approve")
    assert "Nothing is waiting" in signed_in(auditor).get(reverse("inbox")).content.decode()


def verdicts(client: Client, request: ApprovalRequest) -> list[str]:
    """The verdicts that the dock offers, as buttons and as links to their forms."""
    text = page(client, request).content.decode()
    dock = text[text.index('id="dock"') :]
    found = re.findall(r'name="verdict" value="(\w+)"|data-mode="(\w+)"', dock)
    return [button or link for button, link in found]


def test_who_changed_the_arguments_is_not_offered_to_approve_them(
    parked: ApprovalRequest, reviewer: User, second_reviewer: User
) -> None:
    assert verdicts(signed_in(reviewer), parked)[0] == "approve"
    fields = {"arguments.account": "Acme GmbH", "arguments.amount": "80.00"}
    decide(signed_in(reviewer), parked, "edit", **fields)
    parked.refresh_from_db()
    text = page(signed_in(reviewer), parked).content.decode()
    assert "You changed these arguments" in text
    assert verdicts(signed_in(reviewer), parked) == ["edit", "send_back", "reject", "stop"]
    assert verdicts(signed_in(second_reviewer), parked)[0] == "approve"


def test_who_has_approved_is_not_offered_it_again_while_a_second_person_is_needed(
    opened: Opener,
    reviewer: User,
    second_reviewer: User,
) -> None:
    request = opened(needs=Requirements(groups=(GroupNeed(group="support", count=2),)))
    client = signed_in(reviewer)
    page(client, request)
    assert decide(client, request, "approve").status_code == 302
    request.refresh_from_db()
    assert request.state == "pending"
    assert verdicts(client, request) == ["edit", "send_back", "reject", "stop"]
    assert "it needs somebody else now" in page(client, request).content.decode()
    assert verdicts(signed_in(second_reviewer), request)[0] == "approve"
