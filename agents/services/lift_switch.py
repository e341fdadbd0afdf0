"""Lift a kill switch: what it held goes on from where it stood, at once."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db import transaction

from accounts.callers import Caller
from agents.errors import SwitchLifted, UnknownSwitch
from agents.events import announce_switch, tell_switch
from agents.holding import lock_switchboard
from agents.kill_switches import KillSwitch
from agents.services.let_go import let_go_of
from agents.services.set_switch import authorised_over, reason_of
from audit.actors import Actor
from audit.clock import database_now


def lift_switch(*, switch_id: UUID, reason: str, caller: Caller | Actor) -> KillSwitch:
    """Lift it and return it. Who may set it may lift it, whoever has set it.

    Raises UnknownSwitch, a Forbidden, SwitchInvalid, SwitchLifted.
    """
    seen = KillSwitch.objects.all()
    if isinstance(caller, Caller):
        seen = seen.visible_to(caller.user)
    switch = seen.select_related("agent").filter(pk=switch_id).first()
    if switch is None:
        raise UnknownSwitch
    actor = authorised_over(caller, switch.agent)
    why = reason_of(reason)
    with transaction.atomic():
        # Whoever parks because of the switch has parked by now, or sees that it is lifted.
        lock_switchboard()
        landed = (
            KillSwitch.objects.active()
            .filter(pk=switch.pk)
            .update(
                lifted_at=database_now(),
                lifted_by=caller.user if isinstance(caller, Caller) else None,
                lift_reason=why,
            )
        )
        switch.refresh_from_db()
        if not landed:
            assert switch.lifted_at is not None, "it would have landed"
            who = str(switch.lifted_by) if switch.lifted_by else "The system"
            raise SwitchLifted(who, switch.lifted_at.isoformat())
        tell_switch(switch, actor, why)
        announce_switch(switch, "lifted")
        transaction.on_commit(partial(let_go_of, switch), robust=True)
    return switch
