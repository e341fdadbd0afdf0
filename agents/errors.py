"""What the agents app refuses, in domain words; the edge translates to HTTP."""

from __future__ import annotations

from django.utils.translation import gettext

from audit.errors import Conflict, Invalid, NotFound, Unavailable, Unsigned
from audit.wordings import Words

RETRY_SECONDS = 5


class UnknownAgent(NotFound):
    code = "unknown_agent"

    def __init__(self, slug: str) -> None:
        super().__init__(
            gettext("There is no agent called {slug}.").format(slug=slug), params={"agent": slug}
        )


class UnknownRun(NotFound):
    code = "unknown_run"

    def __init__(self) -> None:
        super().__init__(gettext("There is no such run, or you may not see it."))


class AgentDisabled(Conflict):
    code = "agent_disabled"

    def __init__(self, slug: str) -> None:
        super().__init__(
            gettext("{slug} is switched off; nothing new starts.").format(slug=slug),
            params={"agent": slug},
        )


class EverythingStopped(Conflict):
    code = "everything_stopped"

    def __init__(self) -> None:
        super().__init__(gettext("Everything is switched off; nothing new starts."))


class CallStopped(Conflict):
    """A kill switch holds the call, whatever was decided on it."""

    code = "call_stopped"

    def __init__(self, slug: str, tool: str) -> None:
        super().__init__(
            gettext("{tool} of {slug} is switched off; nothing was sent.").format(
                tool=tool, slug=slug
            ),
            params={"agent": slug, "tool": tool},
        )


class PriceInvalid(Invalid):
    """`field` is the part of the price that does not fit."""

    code = "price_invalid"

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why, params={"field": field})


class SwitchedOffAlready(Conflict):
    """`who` set the same switch before, at a moment in ISO 8601, and it is still on."""

    code = "kill_switch_on"

    def __init__(self, switch: str, who: str, since: str) -> None:
        super().__init__(
            gettext("{who} has set this switch already, and it is on.").format(who=who),
            params={"kill_switch": switch, "who": who, "since": since},
        )


class SwitchLifted(Conflict):
    """`who` lifted it, at a moment in ISO 8601."""

    code = "kill_switch_lifted"

    def __init__(self, who: str, at: str) -> None:
        super().__init__(
            gettext("{who} has lifted this switch already.").format(who=who),
            params={"who": who, "lifted_at": at},
        )


class UnknownSwitch(NotFound):
    code = "unknown_kill_switch"

    def __init__(self) -> None:
        super().__init__(gettext("There is no such kill switch, or you may not see it."))


class SwitchInvalid(Invalid):
    """`field` is what does not fit: scope, agent, tool or reason."""

    code = "kill_switch_invalid"

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail, params={"field": field})


class LimitsInvalid(Invalid):
    """`field` is the limit that does not fit, such as `caps.steps` or `day.tokens`."""

    code = "limits_invalid"

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail, params={"field": field})


class BudgetSpent(Conflict):
    """The agent has spent what it may in a `span`, `day` or `month` of UTC."""

    code = "budget_spent"

    def __init__(self, slug: str, span: str, sentence: str) -> None:
        super().__init__(
            gettext(
                "{sentence} No new run of it starts until the {span} ends or an admin allows more."
            ).format(sentence=sentence, span=span),
            params={"agent": slug, "span": span},
        )


class VersionNotActive(Conflict):
    code = "agent_version_not_active"

    def __init__(self, slug: str) -> None:
        super().__init__(
            gettext(
                "The installed version of {slug} is not activated; its owner group activates it."
            ).format(slug=slug),
            params={"agent": slug},
        )


class UnknownMemory(NotFound):
    code = "unknown_memory"

    def __init__(self) -> None:
        super().__init__(gettext("Nothing like that is written down, or you may not see it."))


class UnknownVersion(NotFound):
    code = "unknown_agent_version"

    def __init__(self, slug: str, digest: str) -> None:
        super().__init__(
            gettext("{slug} has no version {digest} that is installed here.").format(
                slug=slug, digest=digest
            ),
            params={"agent": slug, "version": digest},
        )


class InvalidInput(Invalid):
    code = "invalid_input"

    def __init__(self, message: str) -> None:
        super().__init__(
            gettext("The input does not fit the agent: {message}").format(message=message)
        )


class IdempotencyKeyReused(Invalid):
    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "This idempotency key was used before with another agent or input; take a new one."
            )
        )


class RunEnded(Conflict):
    code = "run_ended"

    def __init__(self, state: str) -> None:
        super().__init__(
            gettext("The run has already {state}.").format(state=state), params={"state": state}
        )


class RunNotPaused(Conflict):
    code = "run_not_paused"

    def __init__(self) -> None:
        super().__init__(gettext("The run is not paused."))


class RunPaused(Conflict):
    code = "run_paused"

    def __init__(self) -> None:
        super().__init__(
            gettext("The run is paused and stands still already; resume it, then take it over.")
        )


class RunCancelling(Conflict):
    code = "run_cancelling"

    def __init__(self) -> None:
        super().__init__(gettext("The run is being cancelled; nothing more reaches it."))


class RunTakenOver(Conflict):
    """`who` has it, since a moment in ISO 8601."""

    code = "run_taken_over"

    def __init__(self, who: str, since: str) -> None:
        super().__init__(
            gettext(
                "{who} has taken over this run already; it is theirs until it is handed back."
            ).format(who=who),
            params={"who": who, "since": since},
        )


class RunSwitchedOff(Conflict):
    code = "agent_disabled"

    def __init__(self, slug: str, then: str = "take it over") -> None:
        super().__init__(
            gettext(
                "{slug} is switched off and its runs stand still; lift the switch, then {then}."
            ).format(slug=slug, then=then),
            params={"agent": slug},
        )


class UnfitText(Invalid):
    code = "unfit_text"

    def __init__(self, why: str) -> None:
        super().__init__(gettext("This cannot be said to a run: {why}").format(why=why))


class TooManyMessages(Conflict):
    code = "too_many_messages"

    def __init__(self, most: int) -> None:
        super().__init__(
            gettext(
                "The run was told {most} things within a minute. Wait a little, then say it."
            ).format(most=most),
            params={"most": most},
        )


class LostLease(Exception):
    """Another worker owns the run now; nothing of what this one does may land."""


class SwitchedOff(Exception):
    """A kill switch holds the run, so its worker makes no further model call."""


class EditRefused(Invalid):
    code = "edit_refused"

    def __init__(self, errors: list[dict[str, str]]) -> None:
        lines = "; ".join(f"{line['field'] or 'arguments'}: {line['message']}" for line in errors)
        super().__init__(
            gettext("The edited arguments do not fit the tool: {lines}").format(lines=lines),
            params={"errors": errors},
        )


class AnswerRefused(Invalid):
    code = "answer_refused"

    def __init__(self, errors: list[dict[str, str]]) -> None:
        lines = "; ".join(f"{line['field']}: {line['message']}" for line in errors)
        super().__init__(
            gettext("The corrected answer does not fit: {lines}").format(lines=lines),
            params={"errors": errors},
        )


class CallbackRefused(Unsigned):
    """Says the same of a provider that nobody knows and of a signature that does not fit."""

    def __init__(self) -> None:
        super().__init__(gettext("The signature does not fit."))


class CallbackInvalid(Invalid):
    code = "callback_invalid"

    def __init__(self, message: str) -> None:
        super().__init__(gettext("The callback does not fit: {message}").format(message=message))


class UnknownEffect(NotFound):
    code = "unknown_effect"

    def __init__(self) -> None:
        super().__init__(
            gettext("Nothing of yours goes by that name, or more than one thing does.")
        )


class CallbackTooEarly(Unavailable):
    code = "not_settled_yet"

    def __init__(self) -> None:
        super().__init__(
            gettext("The call itself is not settled here yet. Send this again in a moment."),
            params={"retry_after_seconds": RETRY_SECONDS},
        )


class CallbackContradicts(Conflict):
    code = "callback_contradicts"

    def __init__(self, state: str) -> None:
        super().__init__(
            gettext("It is {state} here, and that is final; people were left a note.").format(
                state=state
            ),
            params={"state": state},
        )


class UnknownEffectOfRun(NotFound):
    code = "unknown_effect"

    def __init__(self) -> None:
        super().__init__(gettext("The run has no such effect."))


class NotUndoable(Conflict):
    """`why`: is_undo, no_undo, did_not_happen, undone, under_way."""

    code = "not_undoable"

    def __init__(self, why: str) -> None:
        super().__init__(NOT_UNDOABLE[why], params={"why": why})


NOT_UNDOABLE = Words(
    {
        "is_undo": "An undo is not undone itself; have the action done again instead.",
        "no_undo": "The tool that did this cannot undo it.",
        "did_not_happen": "Only what happened can be undone.",
        "undone": "It is undone already.",
        "under_way": "Undoing it is under way already.",
    }
)
