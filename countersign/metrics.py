"""A few counts in the text format that Prometheus reads."""

from collections import Counter
from collections.abc import Iterable, Mapping

from django.apps import apps
from django.db.models import Count
from django.http import HttpRequest, HttpResponse

from audit.services.cosigned import witnesses_state
from audit.services.sealing_state import sealing_state
from audit.services.streaming_state import streaming_state

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics(_request: HttpRequest) -> HttpResponse:
    """Return runs and approval requests by state, and how sealing stands. No names, no content."""
    lines = [
        *_gauge("countersign_runs", "Runs by state.", _by_state("agents", "Run")),
        *_gauge(
            "countersign_requests",
            "Approval requests by state.",
            _by_state("approvals", "ApprovalRequest"),
        ),
        *_sealing(),
        *_streaming(),
        *_witnesses(),
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type=CONTENT_TYPE)


def _sealing() -> Iterable[str]:
    state = sealing_state()
    for name, meaning, value in (
        ("sealed_events", "Events that have a place in the sealed audit log.", state.sealed),
        ("unsealed_events", "Events that wait for sealing.", state.waiting),
        ("seal_lag_seconds", "How long the oldest of them has waited.", state.lag_seconds),
        (
            "sealing_halted",
            "1 while sealing has halted until an operator looks.",
            int(bool(state.halted)),
        ),
    ):
        yield f"# HELP countersign_audit_{name} {meaning}"
        yield f"# TYPE countersign_audit_{name} gauge"
        yield f"countersign_audit_{name} {value}"


def _streaming() -> Iterable[str]:
    sinks = [sink for sink in streaming_state() if sink.sink is not None]
    yield from _of_each(
        "sink",
        "behind_events",
        "Sealed events that wait for a sink.",
        {sink.name: sink.behind for sink in sinks},
    )
    yield from _of_each(
        "sink",
        "failing_seconds",
        "For how long a sink has not taken them.",
        {sink.name: sink.failing_seconds for sink in sinks},
    )


def _witnesses() -> Iterable[str]:
    asked = [each for each in witnesses_state() if each.witness is not None]
    yield from _of_each(
        "witness",
        "behind_events",
        "Signed events that a witness has not cosigned.",
        {each.name: each.behind for each in asked},
    )
    yield from _of_each(
        "witness",
        "failing",
        "1 while a witness does not cosign.",
        {each.name: int(bool(each.problem)) for each in asked},
    )


def _of_each(kind: str, name: str, meaning: str, values: Mapping[str, float]) -> Iterable[str]:
    if values:
        yield f"# HELP countersign_audit_{kind}_{name} {meaning}"
        yield f"# TYPE countersign_audit_{kind}_{name} gauge"
    for each, value in values.items():
        yield f'countersign_audit_{kind}_{name}{{{kind}="{each}"}} {value}'


def _by_state(app: str, model: str) -> Counter[str]:
    if not apps.is_installed(app):
        return Counter()
    rows = apps.get_model(app, model)._default_manager.values("state").annotate(n=Count("pk"))
    return Counter({row["state"]: row["n"] for row in rows.order_by("state")})


def _gauge(name: str, meaning: str, values: Counter[str]) -> Iterable[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} gauge"
    for state, number in values.items():
        yield f'{name}{{state="{state}"}} {number}'
