"""Checkpoints with what witnesses signed over them, and how each witness stands. Reads only."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings

from audit.merkle.cosignatures import with_cosignatures
from audit.models import Checkpoint, Cosignature, WitnessState
from audit.streaming.witnesses import Witness


@dataclass(frozen=True)
class Cosigned:
    """A checkpoint's size, and its note with the cosignatures."""

    size: int
    note: str


@dataclass(frozen=True)
class WitnessStanding:
    """One witness. `witness` is None where the settings of this process do not name it any more; `size` what it has
    cosigned last and `behind` how many signed events have come since."""

    name: str
    witness: Witness | None
    size: int
    behind: int
    cosigned_at: dt.datetime | None
    problem: str
    told: bool

    @property
    def complaint(self) -> str:
        """What an operator has to know, in a sentence; empty when all is well."""
        if self.witness is None or not self.told:
            return ""
        return f"The witness {self.name} does not cosign the audit log. {self.problem}"


def with_its_cosignatures(checkpoint: Checkpoint) -> Cosigned:
    """The checkpoint with all cosignatures that came until now."""
    lines = checkpoint.cosignatures.order_by("id").values_list("line", flat=True)
    return Cosigned(checkpoint.size, with_cosignatures(checkpoint.note, lines))


def cosigned_before(checkpoint: Checkpoint, moment: dt.datetime) -> Cosigned | None:
    """The newest checkpoint of the same log, up to this one, that a witness had cosigned before the moment.

    The same answer whenever it is asked for: cosignatures are only added.
    """
    there = Cosignature.objects.filter(
        received_at__lt=moment,
        checkpoint__size__lte=checkpoint.size,
        checkpoint__log=checkpoint.log_id,
    )
    newest = there.order_by("-checkpoint__size").select_related("checkpoint").first()
    if newest is None:
        return None
    lines = there.filter(checkpoint=newest.checkpoint).order_by("id").values_list("line", flat=True)
    return Cosigned(newest.checkpoint.size, with_cosignatures(newest.checkpoint.note, lines))


def witnesses_state() -> list[WitnessStanding]:
    """How each witness stands: those of the settings, and those that once were."""
    named: Mapping[str, Witness] = settings.COUNTERSIGN.witnesses
    known = {state.name: state for state in WitnessState.objects.all()}
    newest = Checkpoint.objects.newest()
    size = newest.size if newest else 0
    found = []
    for name in sorted({*named, *known}):
        state = known.get(name) or WitnessState(name=name)
        found.append(
            WitnessStanding(
                name=name,
                witness=named.get(name),
                size=state.size,
                behind=max(size - state.size, 0),
                cosigned_at=state.cosigned_at,
                problem=state.problem,
                told=state.told,
            )
        )
    return found
