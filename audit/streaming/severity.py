"""How urgent an event is to those who watch many systems: a word for OCSF, a number for syslog."""

from enum import IntEnum
from typing import Final


class Severity(IntEnum):
    """`severity_id` of OCSF."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    CRITICAL = 5

    @property
    def syslog(self) -> int:
        """The severity of RFC 5424, section 6.2.1."""
        return _SYSLOG[self]


_SYSLOG: Final = {
    Severity.INFORMATIONAL: 6,
    Severity.LOW: 5,
    Severity.MEDIUM: 4,
    Severity.CRITICAL: 2,
}
_KNOWN: Final = {
    "log.halted": Severity.CRITICAL,
    "log.succeeded": Severity.CRITICAL,
    "effect.in_doubt": Severity.MEDIUM,
    "effect.contradicted": Severity.MEDIUM,
    "effect.failed": Severity.LOW,
    "switch.set": Severity.MEDIUM,
    "agent.disabled": Severity.MEDIUM,
    "factor.reset": Severity.MEDIUM,
    "person.signed_out": Severity.MEDIUM,
    "signin.locked": Severity.MEDIUM,
    "sink.failing": Severity.MEDIUM,
    "sink.moved": Severity.MEDIUM,
    "witness.failing": Severity.MEDIUM,
    "signin.failed": Severity.LOW,
    "signin.refused": Severity.LOW,
    "factor.failed": Severity.LOW,
    "access.refused": Severity.LOW,
    "decision.refused": Severity.LOW,
    "redaction.refused": Severity.LOW,
    "action.denied": Severity.LOW,
}


def severity_of(event_type: str) -> Severity:
    """How urgent events of a type are."""
    return _KNOWN.get(event_type, Severity.INFORMATIONAL)
