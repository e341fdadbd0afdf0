"""Approvals and policies over the API: the same rules, as problem documents."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from approvals.desk import Desk
from approvals.models import ApprovalRequest, PolicyVersion, Snooze, Vote
from approvals.schemas import CoinToss, Requirements
from approvals.services import policies
from approvals.vocabulary import Friction, Kind
from tests.approvals.conftest import As, Opener
from tests.approvals.till import Till, by, events_of
from tests.harness.people import person

ROOT = "/api/v1"

PROMISED = {
    *("id", "kind", "state", "version", "revision", "digest", "shown_sha256", "agent", "tool"),
    *("arguments", "risk", "confidence", "threshold", "reasons", "requirements", "run"),
    "review_deadline",
}


def post(client: Client, path: str, body: dict[str, Any] | None = None) -> Any:
    return client.post(f"{ROOT}/{path}", body or {}, content_type="application/json")


def read(client: Client, request: ApprovalRequest) -> dict[str, Any]:
    answer = client.get(f"{ROOT}/approvals/{request.pk}")
    assert answer.status_code == 200, answer.content
    data: dict[str, Any] = answer.json()
    return data


def decision(data: dict[str, Any], verdict: str = "approve", **body: Any) -> dict[str, Any]:
    seen = {name: data[name] for name in ("revision", "digest", "shown_sha256")}
    return {"verdict": verdict, "nonce": uuid.uuid4().hex, **seen, **body}


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"].startswith("application/problem+json")
    data: dict[str, Any] = answer.json()
    assert data["code"] == code
    assert data["detail"]
    return data


def test_a_request_holds_what_is_promised(
    opened: Opener, acting: As, reviewer: User, operator: User
) -> None:
    request = opened(run_id=uuid.uuid4())
    data = read(acting(reviewer, "read"), request)
    assert set(data) >= PROMISED
    assert (data["confidence"], data["threshold"]) == (0.61, 0.9)
    assert data["arguments"] == {"order": "10291", "amount": "20.00", "note": "broken"}
    assert data["reasons"][0]["sentence"]
    assert data["requirements"]["groups"] == [{"group": "support", "count": 1}]
    assert data["needs"][0]["missing"] == 1
    assert data["initiator"] == operator.username


def test_approving_by_api_says_when_it_runs(opened: Opener, acting: As, reviewer: User) -> None:
    request = opened()
    client = acting(reviewer, "read", "decide")
    body = decision(read(client, request))
    first = post(client, f"approvals/{request.pk}/decisions", body)
    assert first.status_code == 200
    assert first.json()["state"] == "approved"
    assert first.json()["ready_at"]
    again = post(client, f"approvals/{request.pk}/decisions", body)
    assert again.json() == first.json() | {"replayed": True}
    other = post(
        client, f"approvals/{request.pk}/decisions", body | {"verdict": "reject", "reason": "no"}
    )
    problem(other, 422, "nonce_reused")
    assert Vote.objects.count() == 1
    undone = post(client, f"approvals/{request.pk}/undo")
    assert undone.json()["state"] == "pending"


def test_the_loser_is_told_who_what_and_when(
    opened: Opener, acting: As, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    client = acting(reviewer)
    body = decision(read(client, request), "reject", reason="no")
    post(client, f"approvals/{request.pk}/decisions", body)
    late = post(
        acting(second_reviewer),
        f"approvals/{request.pk}/decisions",
        body | {"nonce": uuid.uuid4().hex},
    )
    told = problem(late, 409, "already_decided")["params"]
    assert (told["who"], told["what"]) == (reviewer.get_full_name(), "rejected")
    assert told["when"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"revision": 2}, 409, "content_changed"),
        ({"digest": "sha256:" + "0" * 64}, 409, "content_changed"),
        ({"shown_sha256": "sha256:" + "0" * 64}, 409, "content_changed"),
        ({"digest": "0"}, 422, "invalid_request"),
        ({"verdict": "bless"}, 422, "invalid_request"),
        ({"verdict": "reject"}, 422, "bad_body"),
        ({"verdict": "accept"}, 422, "verdict_not_offered"),
        ({"nonce": "short"}, 422, "invalid_request"),
        ({"surprise": 1}, 422, "invalid_request"),
        ({"reason": "x" * 5_001}, 422, "invalid_request"),
    ],
)
def test_a_decision_that_does_not_fit_changes_nothing(
    opened: Opener, acting: As, reviewer: User, change: dict[str, Any], status: int, code: str
) -> None:
    request = opened()
    client = acting(reviewer)
    body = decision(read(client, request)) | change
    problem(post(client, f"approvals/{request.pk}/decisions", body), status, code)
    request.refresh_from_db()
    assert request.state == "pending"
    assert not Vote.objects.exists()


def test_who_may_not_is_refused_in_the_documented_way(
    opened: Opener,
    acting: As,
    reviewer: User,
    operator: User,
    outsider: User,
    auditor: User,
    admin: User,
) -> None:
    request = opened()
    path = f"approvals/{request.pk}/decisions"
    body = decision(read(acting(reviewer), request))
    problem(post(Client(), path, body), 401, "authentication_required")
    problem(post(acting(outsider), path, body), 404, "request_unknown")
    problem(post(acting(reviewer, "read"), path, body), 403, "scope_missing")
    problem(post(acting(auditor), path, body), 403, "permission_missing")
    problem(post(acting(operator), path, body), 403, "permission_missing")
    problem(post(acting(admin), path, body), 403, "not_in_groups")
    unknown = f"approvals/{uuid.uuid4()}/decisions"
    problem(post(acting(reviewer), unknown, body), 404, "request_unknown")


def test_own_request_is_refused_by_token(opened: Opener, acting: As, reviewer: User) -> None:
    request = opened(initiator=reviewer.pk)
    client = acting(reviewer)
    answer = post(client, f"approvals/{request.pk}/decisions", decision(read(client, request)))
    problem(answer, 403, "own_request")


def test_second_factor_refuses_a_token(opened: Opener, acting: As, reviewer: User) -> None:
    request = opened(needs=Requirements(friction=Friction.SECOND_FACTOR))
    client = acting(reviewer)
    for verdict, body in (("approve", {}), ("reject", {"reason": "no"})):
        answer = post(
            client,
            f"approvals/{request.pk}/decisions",
            decision(read(client, request), verdict, **body),
        )
        problem(answer, 403, "second_factor_required")


def test_the_list_is_what_one_may_see_and_filters(
    opened: Opener, acting: As, reviewer: User, operator: User, outsider: User
) -> None:
    action, question = opened(), opened(kind=Kind.QUESTION)

    def listed(client: Client, query: str = "") -> list[str]:
        answer = client.get(f"{ROOT}/approvals?{query}")
        assert answer.status_code == 200, answer.content
        return [row["id"] for row in answer.json()["items"]]

    assert listed(acting(outsider)) == []
    client = acting(reviewer)
    assert listed(client) == [str(question.pk), str(action.pk)]
    assert listed(client, "kind=question") == [str(question.pk)]
    assert listed(client, "state=approved") == []
    assert listed(client, "agent=other") == []
    assert listed(client, "state=pending&agent=till&kind=action") == [str(action.pk)]
    assert listed(acting(operator), "decidable=true") == [str(question.pk)]
    first = client.get(f"{ROOT}/approvals?limit=1").json()
    rest = listed(client, f"limit=1&cursor={first['next_cursor']}")
    assert [first["items"][0]["id"], *rest] == [str(question.pk), str(action.pk)]
    problem(client.get(f"{ROOT}/approvals?cursor=x"), 422, "bad_cursor")
    problem(client.get(f"{ROOT}/approvals?state=gone"), 422, "invalid_request")


def test_a_list_takes_no_query_for_each_row(
    opened: Opener, acting: As, reviewer: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(8):
        opened()
    client = acting(reviewer)
    client.get(f"{ROOT}/approvals")
    with django_assert_max_num_queries(9):
        assert len(client.get(f"{ROOT}/approvals").json()["items"]) == 8


def test_a_sensitive_argument_stands_nowhere_for_who_may_not_see_it(
    opened: Opener, till: Till, acting: As, reviewer: User
) -> None:
    till.sensitive = ("note",)
    planted = {"order": "10291", "amount": "20.00", "note": "PLANTED"}
    request = opened(
        action=None,
        rationale="The note says PLANTED.",
        evidence=({"text": "PLANTED"},),
    )
    ApprovalRequest.objects.filter(pk=request.pk).update(
        arguments=planted, title="PLANTED", preview={"title": "PLANTED"}
    )
    client = acting(reviewer)
    one = client.get(f"{ROOT}/approvals/{request.pk}")
    many = client.get(f"{ROOT}/approvals")
    for answer in (one, many):
        assert answer.status_code == 200
        assert b"PLANTED" not in answer.content
    assert one.json()["arguments"]["note"] == {"hidden": True}
    assert one.json()["hidden_arguments"] == ["note"]
    trusted = person("trusted", "reviewer", "sensitive-reader")
    for row in reviewer.memberships.all():
        trusted.memberships.create(group=row.group)
    assert read(acting(trusted), request)["arguments"]["note"] == "PLANTED"


def test_sample_and_score_are_told_after_the_verdict(
    opened: Opener, acting: As, reviewer: User
) -> None:
    coin = CoinToss(value=0.1, rate=0.5, propensity=0.5, is_sample=True, score_visible=False)
    request = opened(coin=coin)
    client = acting(reviewer)
    data = read(client, request)
    assert data["confidence"] is data["is_sample"] is None
    post(
        client,
        f"approvals/{request.pk}/decisions",
        decision(data, "reject", reason="no"),
    )
    data = read(client, request)
    assert (data["confidence"], data["is_sample"]) == (0.61, True)
    assert Vote.objects.get().score_visible is False


def test_claim_extend_and_comment_by_api(
    opened: Opener, acting: As, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    path = f"approvals/{request.pk}"
    client, other = acting(reviewer), acting(second_reviewer)
    assert client.post(f"{ROOT}/{path}/claim").status_code == 200
    problem(post(other, f"{path}/claim"), 409, "claim_held")
    assert post(other, f"{path}/claim?take_over=true").json()["by"] == (
        second_reviewer.get_full_name()
    )
    assert other.delete(f"{ROOT}/{path}/claim").status_code == 204
    assert post(client, f"{path}/extend", {"hours": 2}).status_code == 200
    problem(post(client, f"{path}/extend", {"hours": 200}), 409, "extension_limit")
    written = post(client, f"{path}/comments", {"body": "checked"})
    assert written.status_code == 201
    assert read(client, request)["comments"][0]["body"] == "checked"


def test_a_request_is_snoozed_and_woken_by_api(
    opened: Opener, acting: As, reviewer: User, second_reviewer: User, outsider: User
) -> None:
    request = opened()
    path = f"approvals/{request.pk}/snooze"
    client = acting(reviewer)
    answer = post(client, path, {"hours": 2})
    assert answer.status_code == 200, answer.content
    snooze = Snooze.objects.get(request=request)
    assert snooze.user == reviewer
    assert answer.json() == {"request": str(request.pk), "until": snooze.until.isoformat()}
    assert (Desk(by(reviewer)).counts["snoozed"], Desk(by(second_reviewer)).counts["team"]) == (
        1,
        1,
    )
    for hours in (0, 169, "two"):
        problem(post(client, path, {"hours": hours}), 422, "invalid_request")
    problem(acting(outsider).delete(f"{ROOT}/{path}"), 404, "request_unknown")
    # Another's snooze is theirs: nothing is there to wake.
    assert acting(second_reviewer).delete(f"{ROOT}/{path}").status_code == 204
    assert Snooze.objects.filter(request=request).count() == 1
    for _ in range(2):
        assert client.delete(f"{ROOT}/{path}").status_code == 204
    assert not Snooze.objects.filter(request=request).exists()
    assert events_of(request)[-2:] == ["request.snoozed", "request.woken"]
    vote = decision(read(client, request), "reject", reason="no")
    assert post(client, f"approvals/{request.pk}/decisions", vote).status_code == 200
    problem(post(client, path, {"hours": 2}), 409, "not_open")


def test_a_token_that_only_reads_puts_nothing_off_and_gives_nothing_back(
    opened: Opener, acting: As, reviewer: User
) -> None:
    request = opened()
    path = f"approvals/{request.pk}"
    client, reads = acting(reviewer), acting(reviewer, "read")
    assert post(client, f"{path}/snooze", {"hours": 2}).status_code == 200
    assert post(client, f"{path}/claim").status_code == 200
    problem(reads.delete(f"{ROOT}/{path}/snooze"), 403, "scope_missing")
    problem(reads.delete(f"{ROOT}/{path}/claim"), 403, "scope_missing")
    problem(post(reads, f"{path}/snooze", {"hours": 1}), 403, "scope_missing")
    assert Snooze.objects.filter(request=request, user=reviewer).exists()
    request.refresh_from_db()
    assert request.claimed_by == reviewer


@pytest.mark.parametrize("action", ["undo", "extend", "comments", "claim", "snooze"])
def test_an_outsider_reaches_nothing_of_a_request(
    opened: Opener, acting: As, outsider: User, action: str
) -> None:
    request = opened()
    body = {"extend": {"hours": 1}, "snooze": {"hours": 1}, "comments": {"body": "x"}}.get(action)
    answer = post(acting(outsider), f"approvals/{request.pk}/{action}", body)
    problem(answer, 404, "request_unknown")
    problem(acting(outsider).get(f"{ROOT}/approvals/{request.pk}"), 404, "request_unknown")
    problem(acting(outsider).delete(f"{ROOT}/approvals/{request.pk}/claim"), 404, "request_unknown")


def test_admin_changes_a_threshold_in_a_draft_and_publishes(
    acting: As, admin: User, second_admin: User, reviewer: User
) -> None:
    client = acting(admin)
    base = policies.current().version
    line = {"value": 0.95, "agent": "till", "tool": "pay_back"}
    drafted = post(
        client, "policies/drafts", {"base_version": base, "thresholds": [line], "why": "Too many."}
    )
    assert drafted.status_code == 201, drafted.content
    draft = drafted.json()
    assert draft["document"]["thresholds"]["agent_tools"] == {"till": {"pay_back": "0.95"}}
    assert policies.current().version == base
    late = post(
        acting(second_admin), "policies/drafts", {"base_version": base, "thresholds": [line]}
    ).json()
    published = post(client, f"policies/drafts/{draft['id']}/publish")
    assert published.json()["version"] == base + 1
    assert published.json()["in_force"] is True
    answer = post(acting(second_admin), f"policies/drafts/{late['id']}/publish", {"why": "x"})
    problem(answer, 409, "published_meanwhile")
    seen = acting(reviewer).get(f"{ROOT}/policies").json()["items"]
    assert [row["version"] for row in seen] == [base + 1, base]
    one = acting(reviewer).get(f"{ROOT}/policies/{base + 1}").json()
    assert (one["why"], one["published_by"]) == ("Too many.", admin.username)
    problem(client.get(f"{ROOT}/policies/99"), 404, "policy_unknown")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"thresholds": [{"value": 2}]},
        {"thresholds": [{"rule": "nobody", "value": 0.5}]},
        {"thresholds": [], "document": None},
        {"document": {"thresholds": {"default": 7}}},
    ],
)
def test_a_bad_draft_is_refused(acting: As, admin: User, body: dict[str, Any]) -> None:
    base = policies.current().version
    answer = post(acting(admin), "policies/drafts", {"base_version": base} | body)
    assert answer.status_code == 422, answer.content
    assert not PolicyVersion.objects.filter(state="draft").exists()


def test_others_than_admins_draft_and_publish_nothing(
    acting: As, outsider: User, reviewer: User, admin: User
) -> None:
    base = policies.current().version
    body = {"base_version": base, "thresholds": [{"value": 0.5}], "why": "x"}
    problem(post(acting(outsider), "policies/drafts", body), 403, "permission_missing")
    problem(post(acting(admin, "decide"), "policies/drafts", body), 403, "scope_missing")
    draft = post(acting(admin), "policies/drafts", body).json()
    answer = post(acting(outsider), f"policies/drafts/{draft['id']}/publish")
    problem(answer, 403, "permission_missing")
    # The owner group of an agent keeps its own rules, and nothing else.
    answer = post(acting(reviewer), f"policies/drafts/{draft['id']}/publish")
    assert answer.status_code in (403, 404)
    assert policies.current().version == base
