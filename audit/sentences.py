"""What each event says in plain words: the one place where they stand."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext

from audit import spellings
from audit.code_words import code_in_words
from audit.subject_words import person_of, subject_in_words
from audit.system_words import SYSTEM
from audit.wordings import Words

SENTENCES: Final = Words(
    {
        "run.started": "{actor} started a run of {agent}",
        "run.parked": "The run of {agent} was parked to wait for {parked_for}",
        "run.woken": "The run of {agent} was woken",
        "run.delegated": "The run of {agent} handed work to {delegate}",
        "run.forked": "{actor} forked the run of {agent}",
        "run.ended": "The run of {agent} ended{state}",
        "run.cancelled": "{actor} cancelled the run of {agent}",
        "run.paused": "{actor} paused the run of {agent}",
        "run.resumed": "{actor} let the run of {agent} go on",
        "run.version_changed": "The run of {agent} went on with another version of its agent",
        "run.sensitive_read": "{actor} read sensitive arguments in the run of {agent}",
        "run.messaged": "{actor} sent a message to the run of {agent}",
        "run.goal_changed": "{actor} changed the task of the run of {agent}",
        "run.taken_over": "{actor} took over the run of {agent}",
        "run.failure_classified": "{actor} said why the run of {agent} did not succeed{failure}",
        "model.called": "{agent} asked its model",
        "action.proposed": "{agent} proposed {tool}",
        "action.allowed": "The gate allowed {tool}{policy}",
        "action.denied": "The gate denied {tool}{policy}",
        "action.queued": "{Tool} waits for something that another call works on",
        "action.admitted": "{Tool} got its turn",
        "request.opened": "{Tool} was put before people{policy}",
        "request.sensitive_read": "{actor} read sensitive arguments of {tool}",
        "request.shown": "{actor} looked at the request for {tool}",
        "request.claimed": "{actor} is looking at the request for {tool}",
        "request.released": "{actor} let go of the request for {tool}",
        "request.voted": "{actor} {decided} {tool}{on_behalf}; more are needed",
        "request.edited": "{actor} changed the arguments of {tool}{on_behalf}{reason}",
        "request.decided": "{actor} {decided} {tool}{on_behalf}{reason}",
        "request.tightened": "A newer policy asks for more on {tool}",
        "request.undone": "{actor} took back the decision on {tool}",
        "request.expired": "Nobody decided on {tool} in time",
        "request.superseded": "The request for {tool} was superseded",
        "request.cancelled": "{actor} cancelled the request for {tool}",
        "request.extended": "{actor} extended the deadline for {tool}",
        "request.escalated": "{Tool} went to {group}, since nobody decided in time",
        "request.passed_over": "{group} was passed over for {tool}: nobody there could decide",
        "request.reminded": "Those who may decide on {tool} were reminded",
        "request.commented": "{actor} commented on {tool}",
        "request.snoozed": "{actor} put off looking at the request for {tool}",
        "request.woken": "{actor} took the request for {tool} up again",
        "decision.refused": "A decision of {actor} on {tool} was refused{reason}",
        "effect.dispatched": "{Tool} was sent to be executed",
        "effect.succeeded": "{Tool} was executed",
        "effect.accepted": "{Tool} was accepted by the other side",
        "effect.confirmed": "The other side confirmed {tool}",
        "effect.bounced": "{Tool} bounced",
        "effect.contradicted": "The other side contradicted what stands of {tool}{state}",
        "effect.undo_asked": "{actor} asked to undo {tool}",
        "effect.compensated": "{Tool} was undone",
        "effect.failed": "{Tool} failed",
        "effect.in_doubt": "Whether {tool} happened is not known",
        "effect.resolved": "{actor} settled whether {tool} happened{decision}",
        "approval.lapsed": "The approval of {tool} lapsed unused{reason}",
        "sticky.granted": "{actor} let calls of {tool} like an approved one run by themselves",
        "sticky.revoked": "{actor} ended a sticky approval of {tool}",
        "policy.drafted": "{actor} drafted a policy",
        "policy.submitted": "{actor} submitted a policy to be published",
        "policy.withdrawn": "{actor} gave up a draft of a policy",
        "policy.published": "{actor} published policy {policy_version}",
        "policy.rolled_back": "{actor} brought back policy {restored} as policy {policy_version}",
        "calendar.created": "{actor} set up the working calendar {calendar}",
        "calendar.changed": "{actor} changed the working calendar {calendar}",
        "calendar.deleted": "{actor} deleted the working calendar {calendar}",
        "reason_chip.added": "{actor} added the reason {chip}",
        "reason_chip.changed": "{actor} changed the reason {chip}",
        "reason_chip.moved": "{actor} moved the reason {chip} to place {place}",
        "reason_chip.retired": "{actor} retired the reason {chip}",
        "reason_chip.restored": "{actor} brought back the reason {chip}",
        "agent.first_seen": "A new version of {agent} was seen",
        "memory.deleted": "{actor} deleted something that {agent} had written down",
        "agent.activated": "{actor} activated a version of {agent}",
        "evaluation.finished": "An evaluation of {agent} ended{decision}",
        "evaluation.interrupted": "An evaluation of {agent} was interrupted",
        "evaluation.case_saved": "{actor} saved an evaluation case of {agent}",
        "evaluation.case_deleted": "{actor} deleted an evaluation case of {agent}",
        "agent.limits_set": "{actor} set the limits of {agent}",
        "agent.alerts_set": "{actor} set what the owners of {agent} are alerted to",
        "agent.alerted": "The owners of {agent} were alerted{alert}",
        "agent.budget_spent": "{agent} has spent {percent} % of what it may in a {span}",
        "agent.model_changed": "Another model answers {agent} than before, under the same name",
        "agent.disabled": "{actor} disabled {agent}",
        "agent.enabled": "{actor} enabled {agent}",
        "switch.set": "{actor} switched off {switched}",
        "switch.lifted": "{actor} lifted the switch that held {switched}",
        "price.set": "{actor} set what {model} costs",
        "breaker.opened": "{Tool} failed again and again and is left alone for a while",
        "breaker.closed": "{Tool} answers again",
        "signin.succeeded": "{actor} signed in",
        "signin.failed": "A sign-in failed",
        "signin.locked": "Sign-in was closed for a while after many wrong passwords",
        "signin.refused": "Somebody whom the identity provider vouches for was not let in",
        "signout": "{actor} signed out",
        "signin.confirmed": "{actor} confirmed with the password",
        "factor.added": "{actor} added a second factor{method}",
        "factor.removed": "{actor} removed a second factor{method}",
        "factor.renamed": "{actor} renamed a passkey",
        "factor.used": "{actor} confirmed with a second factor{method}",
        "factor.failed": "A second factor of {person} was not accepted",
        "factor.reset": "{actor} removed all second factors of {person}",
        "recovery_codes.made": "{actor} made new recovery codes",
        "password.changed": "The password of {person} was changed",
        "identity.linked": "{actor} linked {person} to their account at the identity provider",
        "identity.unlinked": "{actor} took away the link of {person} to the identity provider",
        "person.created": "{actor} created the account of {person}",
        "person.signed_out": "{actor} signed {person} out everywhere",
        "role.changed": "{actor} changed the roles of {person}{changes}",
        "language.chosen": "{actor} chose another language to read in",
        "group.created": "{actor} set up the review group {group}",
        "group.joined": "{actor} added {person} to {group}",
        "group.left": "{actor} removed {person} from {group}",
        "stand_in.named": "{actor} named {stand_in} as the stand-in of {person}",
        "absence.ended": "{actor} ended the time in which {stand_in} stands in for {person}",
        "token.created": "{actor} created an API token",
        "token.used_first": "{actor} used an API token for the first time",
        "token.revoked": "{actor} revoked an API token",
        "keys.set": "{actor} changed the keys of their pages",
        "session.ended": "{actor} signed out another browser",
        "sessions.ended": "{actor} signed out in every other browser",
        "export.asked": "{actor} asked for an export of the log",
        "export.downloaded": "{actor} downloaded an export of the log",
        "verification.asked": "{actor} asked for a check of the whole log",
        "verification.ended": "A check of the whole log ended{decision}",
        "access.refused": "{actor} was refused access{reason}",
        "log.began": "The sealed log {log} began",
        "log.succeeded": "{actor} began the sealed log {log} in the place of {former}",
        "log.key_added": "A key that signs for the log was added",
        "log.key_retired": "A key that signed for the log was retired",
        "log.halted": "Sealing of the log halted{why}",
        "log.resumed": "{actor} let the log be sealed again",
        "log.adopted": "{actor} let a machine take up the log",
        "sink.declared": "Events are sent to {sink} from now on",
        "sink.failing": "Events no longer reach {sink}{reason_why}",
        "sink.recovered": "Events reach {sink} again",
        "sink.moved": "{actor} had {sink} go on at another place of the log",
        "witness.failing": "The witness {witness} no longer cosigns the log{reason_why}",
        "witness.recovered": "The witness {witness} cosigns the log again",
        "disclosure.read": "{actor} read what an event keeps apart",
        "redaction.proposed": "{actor} proposed to erase what the log keeps apart about {subject}{reason}",
        "redaction.declined": "{actor} declined to erase what the log keeps apart about {subject}",
        "redaction.refused": "An erasure about {subject} was refused{reason}",
        "disclosure.redacted": "{actor} erased what the log kept apart about {subject}{reason}",
        "hold.set": "{actor} set a legal hold on {held}",
        "hold.lifted": "{actor} lifted a legal hold on {held}",
        "retention.dropped": "The bodies of {partition} were dropped; their leaf hashes stay",
        "sample.drawn": "{actor} drew a random sample of the log by the seed {seed}",
    }
)

_OUR_WORDS: Final = ("the ", "person ", "somebody", "an agent", "a request", "an action")
_DECIDED: Final = Words(
    {
        "approve": "approved",
        "approved": "approved",
        "reject": "rejected",
        "rejected": "rejected",
        "edit": "changed",
        "send_back": "sent back",
        "superseded": "sent back",
        "stop": "rejected, and stopped the run, over",
        "answer": "answered",
        "answered": "answered",
        "extend": "extended the budget over",
        "happened": "said that it happened:",
        "did_not": "said that it did not happen:",
        "compensate": "asked to make up for",
        "accept": "accepted",
        "correct": "corrected",
        "continue": "let go on:",
        "change": "changed",
        "return": "handed back",
    }
)


_PARKED_FOR: Final = Words(
    {
        "resource": "its turn",
        "switch": "a kill switch to be lifted",
        "child": "what it handed to another agent",
    }
)
_SPANS: Final = Words({"day": "day", "month": "month"})
_CHANGED: Final = Words({"added": "added", "removed": "removed"})
_HALTED: Final = Words(
    {
        "behind": ": the database was set back",
        "rewritten": ": the database does not hold what was sealed",
        "tiles": ": the tree is damaged",
    }
)


def people_in(body: Mapping[str, Any]) -> set[str]:
    """Ids of the people that the event's sentence names."""
    found = {body["actor"]["id"]} if body["actor"]["kind"] == "person" else set()
    facts = body.get("facts", {})
    named = {facts.get("person"), facts.get("stand_in"), *facts.get("on_behalf_of", ())}
    named |= {person_of(subject) for subject in (str(facts.get("subject", "")), _held_by(facts))}
    return found | (named - {None})


def sentence(body: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The event in a sentence, with people called as in `names` (id → name), and agents, tools, groups and
    calendars by what stands there under `kind:name`."""
    words = _words(body, names)
    text = SENTENCES.get(body["type"], "{actor}: {type}").format_map(words)
    # A name stands as its owner writes it, at the beginning of a sentence too.
    ours = (*(gettext(each) for each in _OUR_WORDS), *_by_itself(body["actor"], words["actor"]))
    if text.startswith(ours):
        text = text[0].upper() + text[1:]
    return text + "."


def _by_itself(actor: Mapping[str, str], called: str) -> tuple[str, ...]:
    return (called,) if actor["kind"] == "system" else ()


def _words(body: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    facts = body.get("facts", {})
    outcome = body.get("outcome", {})
    policy = body.get("policy", {})
    tool = _tool(body.get("action", {}).get("tool"), names) or _kind(facts)
    reason = outcome.get("reason_code", "")
    decision = outcome.get("decision", "")
    state = facts.get("state") or decision
    return {
        "type": body["type"],
        "actor": actor_name(body["actor"], names),
        "agent": _agent(body.get("agent", {}).get("slug"), names) or gettext("an agent"),
        "tool": tool,
        "Tool": tool[:1].upper() + tool[1:] if " " in tool else tool,
        "decided": _DECIDED.get(decision) or gettext("decided on"),
        "decision": f": {code_in_words(decision)}" if decision else "",
        "state": f": {code_in_words(state)}" if state else "",
        "reason": f": {code_in_words(reason)}" if reason else "",
        "policy": gettext(" under policy {policy}").format(policy=policy["version"])
        if "version" in policy
        else "",
        "parked_for": _PARKED_FOR.get(facts.get("why", "")) or gettext("a person"),
        "delegate": _agent(facts.get("to"), names) or gettext("another agent"),
        "restored": str(facts.get("restores", "")),
        "switched": _switched(body, names),
        "model": str(facts.get("model") or gettext("a model")),
        "policy_version": str(policy.get("version", "")),
        "person": _person(str(facts.get("person", "")), names),
        "stand_in": _person(str(facts.get("stand_in", "")), names),
        "on_behalf": _on_behalf(facts, names),
        "calendar": _called("calendar", facts.get("calendar"), names),
        "method": f": {code_in_words(facts['method'])}" if facts.get("method") else "",
        "group": _called("group", facts.get("group"), names) or gettext("a review group"),
        "changes": _changes(facts, names),
        "subject": subject_in_words(str(facts.get("subject") or gettext("a subject")), names),
        "chip": code_in_words(str(facts.get("chip", ""))),
        "percent": str(facts.get("percent", "")),
        "failure": f": {code_in_words(facts['to_failure'])}" if facts.get("to_failure") else "",
        "alert": f": {code_in_words(facts['alert'])}" if facts.get("alert") else "",
        "span": _SPANS.get(str(facts.get("span")), ""),
        "place": str(facts.get("place", "")),
        "log": str(facts.get("origin") or gettext("of this installation")),
        "former": str(facts.get("former") or gettext("one that could not be read")),
        "why": _HALTED.get(facts.get("why", ""), ""),
        "witness": str(facts.get("witness", "")),
        "sink": gettext("the sink {sink}").format(sink=facts.get("sink", "")),
        "reason_why": f": {code_in_words(facts['why'])}" if facts.get("why") else "",
        "held": subject_in_words(_held_by(facts), names),
        "partition": str(facts.get("partition") or gettext("a month")),
        "seed": str(facts.get("seed", "")),
    }


def actor_name(actor: Mapping[str, str], names: Mapping[str, str]) -> str:
    """Who acted, as a page calls them."""
    if actor["kind"] == "person":
        return _person(actor["id"], names)
    return (
        _agent(actor["id"], names)
        if actor["kind"] == "agent"
        else SYSTEM.get(actor["id"])
        or gettext("the {actor}").format(actor=code_in_words(actor["id"]))
    )


def _called(kind: str, name: object, names: Mapping[str, str]) -> str:
    return names.get(f"{kind}:{name}", str(name)) if name else ""


def _agent(slug: object, names: Mapping[str, str]) -> str:
    return _called("agent", slug, names)


def _tool(name: object, names: Mapping[str, str]) -> str:
    """In quotation marks, where it is called in words: they are often those of an order."""
    words = _called("tool", name, names)
    return gettext("“{words}”").format(words=words) if words != str(name or "") else words


def _person(person: str, names: Mapping[str, str]) -> str:
    return names.get(person) or (
        gettext("person {person}").format(person=person) if person else gettext("somebody")
    )


def _on_behalf(facts: Mapping[str, Any], names: Mapping[str, str]) -> str:
    people = [_person(person, names) for person in facts.get("on_behalf_of", ())]
    return gettext(" on behalf of {people}").format(people=spellings.both(people)) if people else ""


def _kind(facts: Mapping[str, Any]) -> str:
    kind = facts.get("kind")
    return (
        gettext("a request ({kind})").format(kind=code_in_words(kind))
        if kind
        else gettext("an action")
    )


def _switched(body: Mapping[str, Any], names: Mapping[str, str]) -> str:
    tool = _tool(body.get("facts", {}).get("tool"), names)
    agent = _agent(body.get("agent", {}).get("slug"), names)
    if not tool:
        return agent or gettext("everything")
    return (
        gettext("{tool} of {agent}").format(tool=tool, agent=agent)
        if agent
        else gettext("{tool} of every agent").format(tool=tool)
    )


def _held_by(facts: Mapping[str, Any]) -> str:
    """What a hold is on, as a subject."""
    scope, target = str(facts.get("scope", "everything")), str(facts.get("target", ""))
    return f"{scope}:{target}" if target else scope


def _changes(facts: Mapping[str, Any], names: Mapping[str, str]) -> str:
    parts = [
        f"{words} {', '.join(_called('role', role, names) for role in facts[word])}"
        for word, words in _CHANGED.items()
        if facts.get(word)
    ]
    return f": {'; '.join(parts)}" if parts else ""
