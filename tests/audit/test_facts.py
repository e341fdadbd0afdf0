"""The event types: each has a schema and a sentence, and the product uses no other."""

import ast
from pathlib import Path

import pytest

from audit.fact_schemas import Facts
from audit.facts import FACTS
from audit.schemas import ActionRef
from audit.sentences import SENTENCES, sentence

PROJECT = Path(__file__).resolve().parent.parent.parent
APPS = ("audit", "accounts", "approvals", "agents", "insights", "demo", "countersign")

PROMISED = (
    "run.started",
    "run.parked",
    "run.woken",
    "run.ended",
    "run.cancelled",
    "run.paused",
    "run.resumed",
    "run.version_changed",
    "model.called",
    "action.proposed",
    "action.allowed",
    "action.denied",
    "request.opened",
    "request.shown",
    "request.claimed",
    "request.released",
    "request.voted",
    "request.edited",
    "request.decided",
    "request.undone",
    "request.expired",
    "request.superseded",
    "request.cancelled",
    "request.extended",
    "request.commented",
    "decision.refused",
    "effect.dispatched",
    "effect.succeeded",
    "effect.accepted",
    "effect.confirmed",
    "effect.bounced",
    "effect.contradicted",
    "effect.undo_asked",
    "effect.compensated",
    "effect.failed",
    "effect.in_doubt",
    "effect.resolved",
    "approval.lapsed",
    "policy.drafted",
    "policy.published",
    "agent.first_seen",
    "agent.activated",
    "agent.disabled",
    "agent.enabled",
    "signin.succeeded",
    "signin.failed",
    "signout",
    "person.created",
    "role.changed",
    "group.joined",
    "group.left",
    "token.created",
    "token.used_first",
    "token.revoked",
    "export.asked",
    "export.downloaded",
    "access.refused",
    "disclosure.read",
    "disclosure.redacted",
)


@pytest.mark.parametrize("name", PROMISED)
def test_every_promised_event_type_has_a_schema_and_a_sentence(name: str) -> None:
    assert issubclass(FACTS[name], Facts)
    assert SENTENCES[name]


def test_there_is_a_sentence_for_every_type_and_no_other() -> None:
    assert SENTENCES.keys() == FACTS.keys()


def test_facts_refuse_what_they_do_not_know() -> None:
    for schema in FACTS.values():
        assert schema.model_config["extra"] == "forbid"
        assert schema.model_config["strict"] is True


def recorded_types() -> set[str]:
    """Event types that stand as text in a call to record() or record_refusal() anywhere."""
    found = set()
    for app in APPS:
        for path in (PROJECT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    found |= {
                        keyword.value.value
                        for keyword in node.keywords
                        if keyword.arg == "type"
                        and isinstance(keyword.value, ast.Constant)
                        and getattr(node.func, "id", "") in ("record", "record_refusal")
                    }
    return found


def test_the_product_records_only_known_types() -> None:
    used = recorded_types()
    assert "export.asked" in used
    assert used <= FACTS.keys()


PERSON = {"kind": "person", "id": "7", "auth": "session"}


@pytest.mark.parametrize("name", sorted(FACTS))
def test_a_sentence_stands_with_nothing_but_an_actor(name: str) -> None:
    said = sentence({"type": name, "actor": PERSON}, {})
    assert said.endswith(".")
    assert "{" not in said
    assert "None" not in said


def test_a_sentence_names_person_tool_and_policy() -> None:
    decided = {
        "type": "request.decided",
        "actor": PERSON,
        "action": {"tool": "issue_refund"},
        "outcome": {"decision": "approve"},
    }
    assert sentence(decided, {"7": "Reviewer"}) == "Reviewer approved issue_refund."
    allowed = {
        "type": "action.allowed",
        "actor": {"kind": "system", "id": "gate", "auth": "none"},
        "action": {"tool": "send_email"},
        "policy": {"version": 14},
    }
    assert sentence(allowed, {}) == "The gate allowed send_email under policy 14."


def test_text_in_a_name_is_never_taken_as_a_template() -> None:
    body = {"type": "signout", "actor": PERSON}
    assert sentence(body, {"7": "{actor.__class__}"}) == "{actor.__class__} signed out."


def test_references_accept_words_and_refuse_prose() -> None:
    assert ActionRef("issue_refund", "high", 6100).tool == "issue_refund"
    for wrong in ({"tool": "Refund the customer"}, {"tool": "x", "confidence_bp": 10_001}):
        with pytest.raises(ValueError, match=r"String should match|less than or equal"):
            ActionRef(**wrong)  # type: ignore[arg-type]
