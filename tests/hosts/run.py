"""One run over a house that is up: people, load, sockets, stages, and the count at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.test import Client

from accounts.models import User
from accounts.services.create_token import create_token
from accounts.sessions import BACKEND
from agents.models import Run
from agents.states import ENDED
from audit.actors import Actor
from tests.faults.balance import violations
from tests.faults.outside import reply
from tests.faults.plant import allow_small_jobs, appoint, make_ledger
from tests.harness.people import person
from tests.hosts.changes import deploy, grow
from tests.hosts.house import PROXY_PORT, House
from tests.hosts.load import Load
from tests.hosts.network import OUTSIDE
from tests.hosts.programs import Program, Tally
from tests.hosts.sockets import Sockets
from tests.hosts.stages import Figure, Models, Stages

SOCKETS = 20
REST_SECONDS = 90
Stage = Callable[[Stages], None]
STAGES: Final[dict[str, Stage]] = {
    each.__name__: each
    for each in (
        Stages.cut_worker,
        Stages.kill_web,
        Stages.cut_web,
        Stages.cut_timer,
        Stages.kill_redis,
        Stages.cut_redis,
        Stages.kill_database,
        Stages.cut_database,
        deploy,
        grow,
    )
}


def whole_run(
    house: House, stages: list[str], *, seed: int
) -> tuple[list[Figure], dict[str, list[str]]]:
    """Do these stages, or all; the figures, and sentences by what they violate."""
    make_ledger(house.database.url("countersign_owner"))
    operator, *reviewers = appoint()
    admin = person("admin", "admin")
    allow_small_jobs()
    tally, models = Tally(), Models(reply)
    assert house.model is not None
    house.model.follow(models)
    load = Load(
        program(house, operator, tally),
        [program(house, each, tally) for each in reviewers],
        house.recorder,
        seed=seed,
    )
    sockets = Sockets(f"{OUTSIDE}:{PROXY_PORT}", cookie(reviewers[0]), SOCKETS)
    it = Stages(house, load, sockets, models, tally, admin=program(house, admin, tally))
    try:
        with_load(it, stages or list(STAGES))
    finally:
        load.let_go()
        sockets.close()
    found = violations(house)
    found["audit_fsck, on another host"] = fsck(house)
    return it.figures, found


def with_load(it: Stages, stages: list[str]) -> None:
    """Do these stages under load, and wait until every run is at rest."""
    it.load.begin()
    it.wait("runs end", lambda: it.load.ended() >= 10, 120)
    for name in stages:
        began = time.monotonic()
        try:
            STAGES[name](it)
        # The stages after it are still to be seen, and the count at the end.
        except Exception as trouble:  # noqa: BLE001
            it.note(f"{type(trouble).__name__}: {trouble}", 1, 0)
            it.mend()
        sys.stdout.write(f"{name}: {time.monotonic() - began:.0f} s\n")
        sys.stdout.flush()
    it.load.starting.clear()
    it.wait(
        "every run is at rest",
        lambda: not Run.objects.exclude(state__in=ENDED).exists(),
        REST_SECONDS,
    )
    it.load.stop()
    it.stage = "all in all"
    it.note("runs", len(it.load.runs))
    for name, number in sorted(it.tally.counts.items()):
        it.note(name, number)


def program(house: House, who: User, tally: Tally) -> Program:
    """The API as they use it, at the proxy."""
    made = create_token(person=who, name="hosts", caller=Actor.system("test"))
    return Program(house.proxy.url, made.bearer, tally)


def cookie(who: User) -> str:
    """The cookie of a session of theirs."""
    client = Client()
    client.force_login(who, backend=BACKEND)
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}"


def fsck(house: House) -> list[str]:
    """What the command says on a host of its own, when it does not fit."""
    try:
        house.machines["timer-2"].manage("audit_fsck", "--all")
    except RuntimeError as complaint:
        return [str(complaint)]
    return []
