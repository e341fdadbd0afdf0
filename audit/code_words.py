"""Codes of the log in words: states, outcomes and reasons as sentences speak of them."""

from typing import Final

from audit.wordings import Words

_WORDS: Final = Words(
    {
        # How runs and checks end.
        "queued": "queued",
        "running": "running",
        "waiting": "waiting",
        "succeeded": "succeeded",
        "failed": "failed",
        "cancelled": "cancelled",
        "abstained": "abstained",
        "confirmed": "confirmed",
        "accepted": "accepted",
        "bounced": "bounced",
        "compensated": "compensated",
        "in_doubt": "in doubt",
        "everything_fits": "everything fits",
        "something_does_not_fit": "something does not fit",
        "not_finished": "not finished",
        # What was settled or decided.
        "approve": "approve",
        "edit": "edit",
        "reject": "reject",
        "happened": "happened",
        "did_not": "did not",
        "compensate": "compensate",
        "other_way": "other way",
        # Kinds of requests.
        "action": "action",
        "question": "question",
        "budget": "budget",
        "result": "result",
        "attention": "attention",
        "hand_back": "hand back",
        # Ways to sign in.
        "app": "app",
        "totp": "totp",
        "passkey": "passkey",
        "webauthn": "webauthn",
        "recovery_code": "recovery code",
        "recovery_codes": "recovery codes",
        # Why something is erased.
        "asked": "on request",
        "not_needed": "not needed",
        "mistake": "mistake",
        "ordered": "ordered",
        # Reasons that reviewers pick, as an installation begins with them.
        "wrong_amount": "wrong amount",
        "wrong_recipient": "wrong recipient",
        "wrong_detail": "wrong detail",
        "wrong_tone": "wrong tone",
        "not_enough_evidence": "not enough evidence",
        "missing_information": "missing information",
        "against_rules": "against rules",
        "done_already": "done already",
        "another_way": "another way",
        "went_astray": "went astray",
        "suspicious": "suspicious",
        # Why something was refused, withdrawn or not used.
        "too_late": "too late",
        "policy_denies": "policy denies",
        "policy_tighter": "policy tighter",
        "world_changed": "world changed",
        "run_cancelled": "run cancelled",
        "goal_changed": "goal changed",
        "limits_changed": "limits changed",
        "tool_changed": "tool changed",
        "loop": "loop",
        "permission_missing": "permission missing",
        "scope_missing": "scope missing",
        "session_required": "session required",
        "token_refused": "token refused",
        "own_request": "own request",
        "own_edit": "own edit",
        "own_factors": "own factors",
        "not_in_groups": "not in groups",
        "stands_in_for_initiator": "stands in for initiator",
        "stands_in_for_editor": "stands in for editor",
        "sensitive_hidden": "sensitive hidden",
        "second_factor_required": "second factor required",
        "already_decided": "already decided",
        "already_voted": "already voted",
        "deadline_passed": "deadline passed",
        "content_changed": "content changed",
        "read_first": "read first",
        "verdict_not_offered": "verdict not offered",
        "edit_denied": "edit denied",
        "not_open": "not open",
        "wrong_code": "wrong code",
        "wrong_passkey": "wrong passkey",
        "codes_closed": "codes closed",
        "csrf_failed": "csrf failed",
        "outside_scope": "outside scope",
        "second_person_needed": "second person needed",
        "kill_switch_on": "kill switch on",
        "everything_stopped": "everything stopped",
        "agent_disabled": "agent disabled",
        # Parts of the product that act by themselves, where their name is no word.
        "evaluate": "evaluation",
        "create_token": "token command",
        "sync_agents": "update of agents",
        "link_identity": "identity command",
        "in-doubt": "check of calls in doubt",
    }
)


def code_in_words(code: str) -> str:
    """A code as a reader says it; one that is not known here without its underscores."""
    return _WORDS.get(code) or code.replace("_", " ").replace("-", " ")
