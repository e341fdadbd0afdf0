"""Refusals of approvals, each with a code that stays and a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from audit.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable


class RequestUnknown(NotFound):
    """No such request, or none that this caller may see."""

    code = "request_unknown"

    def __init__(self, request_id: UUID | str) -> None:
        super().__init__("There is no such request.", params={"request": str(request_id)})


class AlreadyDecided(Conflict):
    """Somebody, or the clock, was faster."""

    code = "already_decided"

    def __init__(self, *, who: str, what: str, when: str, state: str) -> None:
        super().__init__(
            f"This request was already closed: {what} by {who}.",
            params={"who": who, "what": what, "when": when, "state": state},
        )


class DeadlinePassed(Conflict):
    """The time to decide is over; the sweep closes the request."""

    code = "deadline_passed"

    def __init__(self, deadline: datetime) -> None:
        super().__init__(
            "The time to decide this was over before your verdict came. Nothing was carried out.",
            params={"review_deadline": deadline.isoformat()},
        )


class AlreadyVoted(Conflict):
    """The person has already given their approval to this revision."""

    code = "already_voted"

    def __init__(self) -> None:
        super().__init__("You have approved this already; it needs somebody else now.")


class ContentChanged(Conflict):
    """What is to be decided is no longer what the caller saw."""

    code = "content_changed"

    def __init__(self, *, revision: int, digest: str, shown_sha256: str, what: str) -> None:
        super().__init__(
            "This request changed since you opened it. Read it again, then decide.",
            params={
                "revision": revision,
                "digest": digest,
                "shown_sha256": shown_sha256,
                "differs": what,
            },
        )


class OwnRequest(Forbidden):
    """Nobody approves their own."""

    code = "own_request"

    def __init__(self) -> None:
        super().__init__(
            "You started this run, so somebody else must decide. No role or token changes that."
        )


class OwnEdit(Forbidden):
    """The editor of a material edit is not its approver."""

    code = "own_edit"

    def __init__(self) -> None:
        super().__init__(
            "You changed these arguments, so somebody else must approve what they are now."
        )


class NotInGroups(Forbidden):
    """The request is for other people."""

    code = "not_in_groups"

    def __init__(self, groups: Sequence[str]) -> None:
        super().__init__(
            f"This is for {' or '.join(groups) or 'nobody here'} to decide.",
            params={"groups": list(groups)},
        )


class StandsInForInitiator(Forbidden):
    """Nobody stands in for somebody on what that person started."""

    code = "stands_in_for_initiator"

    def __init__(self) -> None:
        super().__init__(
            "You stand in for the person who started this run, and they may not decide it either. "
            "Somebody of the group itself must."
        )


class StandsInForEditor(Forbidden):
    """Nobody stands in for the editor of a material edit on that edit."""

    code = "stands_in_for_editor"

    def __init__(self) -> None:
        super().__init__(
            "You stand in for the person who changed these arguments, so somebody else must approve "
            "what they are now."
        )


class SensitiveHidden(Forbidden):
    """Who may not see an argument may not approve it."""

    code = "sensitive_hidden"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            "You may not see all arguments of this action, so you may not approve it. "
            "Somebody with the permission to read sensitive arguments must.",
            params={"arguments": list(names)},
        )


class SecondFactorRequired(Forbidden):
    """The policy asks for a second factor, which a token cannot give.

    `confirm_url` is where somebody who is signed in gives it.
    """

    code = "second_factor_required"

    def __init__(self, confirm_url: str = "") -> None:
        super().__init__(
            "This request asks for a second factor. Decide it in the browser, "
            "after confirming with your authenticator or passkey.",
            params={"confirm_url": confirm_url} if confirm_url else {},
        )


class ReadFirst(Conflict):
    """The policy asks for a minimum reading time."""

    code = "read_first"

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"This request asks for at least {seconds} seconds of reading before it is approved.",
            params={"seconds": seconds},
        )


class VerdictNotOffered(Invalid):
    """This kind of request does not take this verdict."""

    code = "verdict_not_offered"

    def __init__(self, *, kind: str, verdict: str, offered: Sequence[str]) -> None:
        super().__init__(
            f"A request of the kind {kind} takes {', '.join(offered)}; not {verdict}.",
            params={"kind": kind, "verdict": verdict, "offered": list(offered)},
        )


class BadBody(Invalid):
    """A field is missing, not wanted, or does not hold. `params["errors"]` says which."""

    code = "bad_body"

    def __init__(self, errors: Sequence[dict[str, Any]]) -> None:
        text = "; ".join(f"{e['field']}: {e['message']}" for e in errors)
        super().__init__(f"The decision cannot be taken: {text}.", params={"errors": list(errors)})


class BadBatch(Invalid):
    """Nothing, too much, or one thing twice."""

    code = "bad_batch"

    def __init__(self, number: int, most: int) -> None:
        super().__init__(
            f"Decide 1 to {most} different requests together; these are {number}.",
            params={"number": number, "most": most},
        )


class DecidedAlone(Invalid):
    """Only what is safe is decided together with others."""

    code = "not_in_batch"

    def __init__(self, why: str) -> None:
        super().__init__(f"Decide this one on its own: {why}.", params={"why": why})


class ChipUnknown(NotFound):
    """No such reason chip."""

    code = "reason_chip_unknown"

    def __init__(self, chip: str) -> None:
        super().__init__("There is no such reason.", params={"reason_chip": chip})


class BadChip(Invalid):
    """A reason chip does not hold; `params["errors"]` lists {field, message}."""

    code = "bad_reason_chip"

    def __init__(self, errors: Sequence[dict[str, str]]) -> None:
        text = " ".join(error["message"] for error in errors)
        super().__init__(f"This reason cannot be kept. {text}", params={"errors": list(errors)})


class NonceReused(Invalid):
    """One nonce, two different decisions."""

    code = "nonce_reused"

    def __init__(self) -> None:
        super().__init__("This nonce was used for another decision. Send a fresh one.")


class EditDenied(Invalid):
    """The policy denies the edited action."""

    code = "edit_denied"

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(
            f"The policy denies the action as edited: {' '.join(reasons)}",
            params={"reasons": list(reasons)},
        )


class EditingUnavailable(Invalid):
    """Nobody here knows the tool's schema."""

    code = "editing_unavailable"

    def __init__(self, tool: str) -> None:
        super().__init__(
            f"The arguments of {tool} cannot be edited here. Send the action back instead.",
            params={"tool": tool},
        )


class NothingToUndo(Conflict):
    """The request is not an approval that waits, so there is nothing to take back."""

    code = "nothing_to_undo"

    def __init__(self, *, state: str, standing: str) -> None:
        super().__init__(
            f"There is nothing to take back: {standing}",
            params={"state": state, "standing": standing},
        )


class NotConsumable(Conflict):
    """This approval does not cover the call that was about to be made."""

    code = "not_consumable"

    def __init__(self, detail: str, **params: Any) -> None:
        super().__init__(detail, params=params)


class ClaimHeld(Conflict):
    """Somebody else is looking at it. Advisory: it can be taken over."""

    code = "claim_held"

    def __init__(self, *, who: str, until: str) -> None:
        super().__init__(
            f"{who} is looking at this. Take it over if you need to.",
            params={"who": who, "until": until},
        )


class NotOpen(Conflict):
    """The request no longer waits."""

    code = "not_open"

    def __init__(self, state: str) -> None:
        super().__init__(f"This request no longer waits: it is {state}.", params={"state": state})


class DeadlineTooNear(Conflict):
    """Put off any longer, it would come back too late."""

    code = "deadline_too_near"

    def __init__(self) -> None:
        super().__init__(
            "Its deadline is too near to put it off. Decide it now, or extend the deadline."
        )


class ExtensionLimit(Conflict):
    """The deadline cannot be moved further."""

    code = "extension_limit"

    def __init__(self, *, limit_hours: int, left_hours: int) -> None:
        super().__init__(
            f"This deadline can be moved by {limit_hours} hours in all; {left_hours} are left.",
            params={"limit_hours": limit_hours, "left_hours": left_hours},
        )


class NoDeadline(Conflict):
    """Requests of this kind wait for as long as it takes."""

    code = "no_deadline"

    def __init__(self) -> None:
        super().__init__("This request has no deadline, so there is nothing to extend.")


class EmptyComment(Invalid):
    """A comment needs words."""

    code = "empty_comment"

    def __init__(self) -> None:
        super().__init__("Write something before you send it.")


class Unsatisfiable(Conflict):
    """The requirements name a group that does not exist."""

    code = "unsatisfiable"

    def __init__(self, groups: Sequence[str]) -> None:
        super().__init__(
            f"Nobody could decide this: there is no review group {', '.join(groups)}. "
            "Create it, or change the policy.",
            params={"groups": list(groups)},
        )


class NobodyCouldDecide(Conflict):
    """Too few people could approve the action, so no request for it is opened."""

    code = "nobody_could_decide"

    def __init__(self, lacking: Mapping[str, int]) -> None:
        people = " and ".join(f"{number} more of {title}" for title, number in lacking.items())
        super().__init__(
            f"Nobody could approve this: it lacks {people} who may decide, did not start the run and did not "
            "change the arguments. "
            "Add people, or change the policy.",
            params={"lacking": dict(lacking)},
        )


class NotSticky(Conflict):
    """Calls like this one are decided one by one."""

    code = "not_sticky"


class StickyUnknown(NotFound):
    """No such sticky approval, or none that is still in force."""

    code = "sticky_unknown"

    def __init__(self, sticky_id: UUID) -> None:
        super().__init__(
            "There is no such sticky approval in force.", params={"sticky": str(sticky_id)}
        )


class BadPolicy(Invalid):
    """The policy document does not hold; `params["errors"]` lists {field, message}."""

    code = "bad_policy"

    def __init__(self, errors: Sequence[dict[str, str]]) -> None:
        text = "; ".join(
            f"{e['field']}: {e['message']}" if e["field"] else e["message"] for e in errors
        )
        super().__init__(
            f"This policy cannot be published. {text}.", params={"errors": list(errors)}
        )


class LineUnknown(Invalid):
    """No threshold has such a key."""

    code = "line_unknown"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"There is no threshold {key!r}. Name a risk, an agent, a tool, both of them, or a rule, such "
            "as tool=issue_refund; or say default.",
            params={"line": key},
        )


class PublishedMeanwhile(Conflict):
    """Another version was published since the draft began."""

    code = "published_meanwhile"

    def __init__(self, *, base: int, current: int, who: str, why: str) -> None:
        super().__init__(
            f"{who} published version {current} after you began from version {base}. "
            "Look at it and make your change again.",
            params={"base": base, "current": current, "who": who, "why": why},
        )


class OutsideScope(Forbidden):
    """Somebody who keeps a group's own rules touched something else."""

    code = "outside_scope"

    def __init__(self, groups: Sequence[str]) -> None:
        super().__init__(
            f"You may change the own rules of {' and '.join(groups)} only; "
            "an admin changes the rest.",
            params={"groups": list(groups)},
        )


class SecondPersonNeeded(Forbidden):
    """What loosens a policy is published by somebody who did not write it."""

    code = "second_person_needed"

    def __init__(self, loosenings: Sequence[str]) -> None:
        super().__init__(
            "You wrote this, and it does not only tighten, so somebody else must publish it: "
            f"{' '.join(loosenings)}",
            params={"loosenings": list(loosenings)},
        )


class NotSubmitted(Conflict):
    """Its author is still writing."""

    code = "not_submitted"

    def __init__(self, who: str) -> None:
        super().__init__(f"{who} has not submitted this draft yet.", params={"who": who})


class DraftChanged(Conflict):
    """The draft is not what the caller looked at."""

    code = "draft_changed"

    def __init__(self, edition: int) -> None:
        super().__init__(
            "This draft was changed since you opened it. Look at it again.",
            params={"edition": edition},
        )


class SimulationUnknown(NotFound):
    """No such simulation, or none that this caller may see."""

    code = "simulation_unknown"

    def __init__(self, simulation_id: UUID) -> None:
        super().__init__("There is no such simulation.", params={"simulation": str(simulation_id)})


class BadRange(Invalid):
    """A range of time that ends before it begins, or is too long."""

    code = "bad_range"

    def __init__(self, days: int) -> None:
        super().__init__(
            f"Choose a beginning before the end, and at most {days} days.", params={"days": days}
        )


class NothingChanged(Invalid):
    """The document equals the published one."""

    code = "nothing_changed"

    def __init__(self, version: int) -> None:
        super().__init__(
            f"This is what version {version} says already.", params={"version": version}
        )


class WhyMissing(Invalid):
    """A published version says why."""

    code = "why_missing"

    def __init__(self) -> None:
        super().__init__("Say why you change the policy; it stands in the history and the log.")


class PolicyUnknown(NotFound):
    """No such version or draft."""

    code = "policy_unknown"

    def __init__(self, version: int) -> None:
        super().__init__(f"There is no policy version {version}.", params={"version": version})


class DraftUnknown(NotFound):
    """No such draft, or none that still is one."""

    code = "draft_unknown"

    def __init__(self, draft: int) -> None:
        super().__init__(
            "There is no such draft, or it is no draft any more.", params={"draft": draft}
        )


class PolicyUnreadable(Unavailable):
    """The stored policy does not equal its digest or cannot be read: nothing is allowed by it."""

    code = "policy_unreadable"

    def __init__(self, version: int) -> None:
        super().__init__(
            f"Policy version {version} cannot be read as it was published. Publish a sound version.",
            params={"version": version},
        )
