"""What a check of the log says, an export, a sink or a witness, in the language of whoever reads it. Pure.

They speak plain English, for programs and for whoever reads a log file; what was said is kept. Here a sentence is known
again by its words and said anew. One that is not known here stays as it is: nothing that was found goes unsaid.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from django.utils.translation import gettext, gettext_noop

from audit import spellings

#: What sentences name.
_NAMED: Final = (
    gettext_noop("Event {event} ({type}, number {number} of {stream})"),
    gettext_noop("The checkpoint of {size} events"),
    gettext_noop("The request {request}"),
    gettext_noop("The vote {vote} ({verdict}) on the request {request}"),
    gettext_noop("The effect {effect}"),
    gettext_noop("The policy {number}"),
    gettext_noop("event {number}"),
    gettext_noop("events {first} to {last}"),
    gettext_noop("leaf {number}"),
    gettext_noop("leaves {first} to {last}"),
    gettext_noop("leaves were deleted"),
    gettext_noop("the state was set back"),
    gettext_noop("nothing of the kind"),
    gettext_noop("Tile {tile} of level {level} is missing or too short."),
    gettext_noop("None of the keys on this machine is that key."),
)
#: The sentences; those that begin with what they name come after those that begin with words.
_SAID: Final = (
    gettext_noop(
        "A witness cosigned a checkpoint of {size} events, and not the one that the log has now: the "
        "checkpoint or the cosignature was changed."
    ),
    gettext_noop(
        "The stream {stream} has {number} events by its head and none is there: they were deleted."
    ),
    gettext_noop("The stream {stream} has two events with the number {number}."),
    gettext_noop("The stream {stream} lacks {missing}: deleted, or moved elsewhere."),
    gettext_noop("The stream {stream} has {number} events and no head: the head was deleted."),
    gettext_noop(
        "The stream {stream} ends at event {number} and its head says {head}: the tail was cut."
    ),
    gettext_noop(
        "The stream {stream} goes on to event {number} and its head says {head}: the head was set back."
    ),
    gettext_noop(
        "The last event of the stream {stream}, number {number}, was changed after it was written."
    ),
    gettext_noop(
        "Event {event} waits for sealing and is not there as it was written: deleted or changed."
    ),
    gettext_noop("Event {event} waits for sealing and is leaf {leaf} already: it was put back."),
    gettext_noop(
        "Event {event} is neither in the log nor waits for it: it was taken out of what waits."
    ),
    gettext_noop(
        "{count} events wait to be sealed, the first since {since}: sealing stands still (manage.py "
        "audit_log status)."
    ),
    gettext_noop("The month {month} is said to be dropped, and no event says so."),
    gettext_noop(
        "What is said of the dropped month {month} differs from the event of the dropping."
    ),
    gettext_noop(
        "The log has other leaves of the dropped month {month} than it had when its bodies were dropped."
    ),
    gettext_noop(
        "An event says that the month {month} was dropped, and nothing is said of what it held."
    ),
    gettext_noop(
        "The month {month} was dropped with {events} events, and {leaves} leaves of it have no body: an "
        "event was deleted beside those that were dropped."
    ),
    gettext_noop("The disclosure {name} belongs to event {event}, which is not there."),
    gettext_noop("The disclosure {name} is not bound into {what}: it was added later."),
    gettext_noop("The disclosure {name} of {what} cannot be opened: {why}"),
    gettext_noop(
        "Of what events keep apart, {missing} values are not there, and erasures account for {erased}: the "
        "others were deleted."
    ),
    gettext_noop("The state of the sealed log is not in the database: it was deleted."),
    gettext_noop("The log's state says {size} leaves and {leaves} are there: {how}."),
    gettext_noop(
        "The log {log} had signed {size} events and its successor began with fewer: {number} of its "
        "checkpoints speak of events that were lost before."
    ),
    gettext_noop(
        "The first {size} leaves do not have the root of the checkpoint that is kept outside of the "
        "database: they were rewritten after it was signed."
    ),
    gettext_noop(
        "The checkpoint that is kept outside of the database says {events} events and the log has {size}:"
        " the tail was cut, or a backup was restored."
    ),
    gettext_noop(
        "The checkpoint that is kept outside of the database, in {path}, is not valid: {why}"
    ),
    gettext_noop(
        "There is a checkpoint of {events} events and the log has {size}: the tail was cut."
    ),
    gettext_noop(
        "Tile {tile} of level {level} does not hold the hashes of its leaves: it is missing or was "
        "changed."
    ),
    gettext_noop("Tile {tile} of level {level} stands past the end of the log."),
    gettext_noop("The log lacks {missing}: deleted after the events were sealed."),
    gettext_noop(
        "Event {event} is leaf {leaf} of the log, sealed with another hash: it was changed after it was "
        "written."
    ),
    gettext_noop(
        "Event {event} says that it was written at {written} and came into the log after the checkpoint "
        "of {signed}: it was put in later with an earlier time, or the clock was set back."
    ),
    gettext_noop(
        "Event {event} was written at {written} and says {moved} now: it was moved in time after it was "
        "written."
    ),
    gettext_noop(
        "Leaf {leaf} of the log is event {event}, which is not there: it was deleted after it was sealed."
    ),
    gettext_noop("No checkpoint is kept in {path}: whether the tail was cut cannot be told."),
    gettext_noop("The checkpoint in {path} is of another log, {log}."),
    gettext_noop("{what} does not have the leaf hash of its body: the row was changed by hand."),
    gettext_noop("{what} has a body that this product does not write: {why}"),
    gettext_noop(
        "{what} has a body that is not in canonical form: it was not written by this product."
    ),
    gettext_noop("{what} has columns that differ from its body: {columns}."),
    gettext_noop(
        "{what} says that it happened at {happened} and was inserted at {inserted}, though the database "
        "gives both in one statement: it was backdated."
    ),
    gettext_noop(
        "{what} does not follow from event {number} of its stream: event {again} was changed after it was"
        " written."
    ),
    gettext_noop("{what} speaks of {row}, which is not there: its row was deleted."),
    gettext_noop("{what} has no event: its event was deleted, or it was never recorded."),
    gettext_noop(
        "{what} stands as {state}, and by the log it is {logged}: the row was changed by hand, or its "
        "last event was deleted."
    ),
    gettext_noop(
        "{what} has another {name} than event {event} ({type}) binds: what was decided was changed "
        "afterwards."
    ),
    gettext_noop("{what} is not signed by a key of the log: {why}"),
    gettext_noop("{what} does not say what its signed note says: the row was changed."),
    gettext_noop(
        "{what} does not have the root of the first {size} leaves: a leaf was changed, deleted or moved "
        "after it was signed."
    ),
    gettext_noop(
        "The application's database login is a superuser: whoever controls the application can change the"
        " audit log. Give DATABASE_URL an ordinary login."
    ),
    gettext_noop(
        "The application's database login owns the audit tables: whoever controls the application can "
        "lift what keeps the log append-only. Set DATABASE_OWNER_URL to a login of its own and run the "
        "migrations."
    ),
    gettext_noop(
        "The application's database login may change audit tables: run the migrations, which take that "
        "right away."
    ),
    gettext_noop(
        "The application and the sealer share one database login: set DATABASE_SEALER_URL to a login of "
        "its own."
    ),
    gettext_noop(
        "The audit log's triggers are missing or switched off on {tables}: events there can be changed. "
        "Find out who did this, check the log with audit_fsck, and restore the triggers."
    ),
    gettext_noop("The check ended with an error. Ask again."),
    gettext_noop("Only the first {number} are shown: audit_fsck --all names all."),
    gettext_noop("Whoever checked was stopped {number} times."),
    gettext_noop("Whoever wrote the file was stopped {number} times. Ask for it again."),
    gettext_noop(
        "No evidence can be made: the sealed log is not whole. {missing} Have it checked."
    ),
    gettext_noop("The file could not be written: {why}. Ask again later."),
    gettext_noop("The export was interrupted by an error. Ask for it again."),
    gettext_noop("Its file was removed because of its age. Ask for it again."),
    gettext_noop(
        "Its file was removed because something was erased from the log since. Ask for it again."
    ),
    gettext_noop("Its file was removed to make room for newer ones. Ask for it again."),
    gettext_noop(
        "Nothing of the log is sealed yet. The scheduler seals it: see that it runs, and ask again."
    ),
    gettext_noop("The log's key {key} cannot sign. {why}"),
    gettext_noop("What signed for the key {key} gave a signature that is not its own."),
    gettext_noop("The log has no key that signs. Make one with audit_keys rotate."),
    gettext_noop("No new key can be kept in {path} ({why})."),
    gettext_noop("There is no signing key at {path}."),
    gettext_noop("The signing key {path} cannot be read ({why})."),
    gettext_noop(
        "The signing key {path} may be used by others than its owner (mode {mode}): chmod it to 0600, and "
        "rotate it if somebody could have read it."
    ),
    gettext_noop("The signing key {path} is not a private key in PEM."),
    gettext_noop("The signing key {path} is not an Ed25519 key."),
    gettext_noop("The signing command ended with {code}."),
    gettext_noop("The signing command gave no answer ({why})."),
    gettext_noop("There is no secret in {place}."),
    gettext_noop("It is not base64, with or without whsec_ before it."),
    gettext_noop("It is not {shortest} to {longest} bytes long."),
    gettext_noop("What is to stand in the header {name} is not printable ASCII."),
    gettext_noop("It cannot be reached ({why})."),
    gettext_noop("Its certificate is not trusted ({why})."),
    gettext_noop("It did not take a batch within {seconds} seconds."),
    gettext_noop(
        "It answered {status}: redirects are not followed, name the new address in the settings."
    ),
    gettext_noop("It answered {status}."),
    gettext_noop("{path} cannot be written ({why})."),
    gettext_noop("{path} cannot be read ({why})."),
    gettext_noop("{path} is no text."),
    gettext_noop("A certificate or key of the settings cannot be used ({why})."),
    gettext_noop("{missing} audit_fsck says more."),
    gettext_noop("The log lacks a leaf from {index} on: audit_fsck says which."),
    gettext_noop(
        "It knows none of the keys that sign for the log: give it the keys of audit_keys list."
    ),
    gettext_noop("It does not know this log: register its name and keys with it."),
    gettext_noop(
        "It holds that the log does not continue what it has seen: compare the log with its last checkpoint."
    ),
    gettext_noop("It has seen another checkpoint of this size: the log was signed twice."),
    gettext_noop("What it answered is no valid cosignature of this checkpoint."),
    gettext_noop("It answered without a cosignature by its key."),
    gettext_noop(
        "It has cosigned {number} events of the log, which has {size}: the tail was cut, or a backup was restored."
    ),
)


def in_words(said: str) -> str:
    """Such a sentence in the reader's language, with what it names."""
    return said if spellings.language() == spellings.ENGLISH else _anew(said, _SAID)


def _anew(said: str, known: Sequence[str]) -> str:
    for words in known:
        if found := _pattern(words).fullmatch(said):
            named = {name: _anew(value, _NAMED) for name, value in found.groupdict().items()}
            return gettext(words).format(**named)
    return said


@cache
def _pattern(words: str) -> re.Pattern[str]:
    """Fits what was made of the words, whatever was put in its places."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(words)), re.DOTALL)
