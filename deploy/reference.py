"""The reference pages in docs/reference/, written from what the code says of itself.

    python deploy/reference.py            write them
    python deploy/reference.py --check    say which are not up to date, and change nothing

Needs no database and no Redis: it asks declarations, not tables.
"""

import os
import sys
from argparse import Action, ArgumentParser, _SubParsersAction
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from inspect import cleandoc
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, patch

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / "docs" / "reference"
if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT))
    os.environ.update(COUNTERSIGN_DEMO="1", DJANGO_SETTINGS_MODULE="countersign.settings")
    import django

    django.setup()

from django.core.management import get_commands, load_command_class  # noqa: E402
from django.core.management.base import BaseCommand  # noqa: E402

from audit.facts import FACTS  # noqa: E402
from audit.sentences import SENTENCES  # noqa: E402
from countersign.api import api  # noqa: E402
from countersign.api_docs import outline  # noqa: E402
from countersign.metrics import registry, standing  # noqa: E402

#: Whose commands are listed; those of libraries that the product changes are among them.
APPS = {"accounts", "agents", "approvals", "audit", "countersign", "evaluations", "insights"}
MADE = "<!-- Written by deploy/reference.py. Change the code, then run it. -->"


def page(title: str, introduction: str, parts: Iterable[str]) -> str:
    """A whole page."""
    return "\n\n".join([f"# {title}", MADE, cleandoc(introduction), *parts]) + "\n"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table, or an empty text where it would have no rows."""
    lines = [[_cell(cell) for cell in row] for row in rows]
    if not lines:
        return ""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in ([*head], ["---"] * len(head), *lines))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def operations() -> str:
    """Every operation of the API, from the OpenAPI document."""
    told = outline(api.get_openapi_schema())
    parts = []
    for section, those in told["sections"].items():
        parts.append(f"## {section[0].upper()}{section[1:]}")
        parts += [part for each in those for part in _operation(each)]
    return page(
        "Operations of the API",
        """
        Paths begin with `/api/v1/`. Each installation tells its own at `/api/v1/openapi.json`, for people at
        `/api/v1/docs`. How to begin, and what goes together with what: [the API, by task](../api.md). Fields in
        **bold** must be given. Whatever is refused is a problem document (RFC 9457) with a stable `code`, and nothing
        has changed.
        """,
        parts,
    )


def _operation(each: dict[str, Any]) -> Iterator[str]:
    yield f"### {each['method']} {each['path'].removeprefix('/api/v1/')}"
    yield f"{each['summary'].rstrip('.')}. {each['description']}".strip()
    taken = [*(each["parameters"]), *({**field, "in": "body"} for field in each["body"])]
    rows = [(_name(field), field["in"], field["type"], field["description"]) for field in taken]
    if rows:
        said = any(row[-1] for row in rows)
        yield table(
            ("takes", "in", "type", "meaning")[: 3 + said], [row[: 3 + said] for row in rows]
        )
    for answer in each["answers"]:
        names = ", ".join(f"`{field['name']}`" for field in answer["fields"])
        yield f"**{answer['label']}**" + (f": {names}" if names else "")


def _name(field: dict[str, Any]) -> str:
    return f"**`{field['name']}`**" if field["required"] else f"`{field['name']}`"


def commands() -> str:
    """Every command of the product, with its arguments."""
    usual = {action.dest for action in BaseCommand().create_parser("", "")._actions}
    parts = []
    for name, app in sorted(get_commands().items()):
        if app in APPS:
            command = load_command_class(app, name)
            parser = command.create_parser("manage.py", name)
            parts += [f"## {name}", cleandoc(command.help or "").strip()]
            parts += [part for part in _arguments(parser, usual, name) if part]
    return page(
        "Commands",
        """
        `python manage.py NAME …`, in the environment of the installation and with its settings. Each says what it did,
        ends with 0 when it did it, and with another code and a sentence when it did not. Arguments in **bold** must be
        given; `--help` shows those that all commands of Django have.
        """,
        parts,
    )


def _arguments(parser: ArgumentParser, usual: set[str], name: str) -> Iterator[str]:
    own = [
        action for action in parser._actions if action.dest not in usual or action.dest == "name"
    ]
    plain = [action for action in own if not isinstance(action, _SubParsersAction)]
    yield table(("argument", "meaning"), [(_spelt(action), _meant(action)) for action in plain])
    for action in own:
        if isinstance(action, _SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for word, inner in action.choices.items():
                yield f"`{name} {word}`: {helps.get(word, '')}."
                yield from _arguments(inner, usual, f"{name} {word}")


def _spelt(action: Action) -> str:
    if not action.option_strings:
        word = action.metavar if isinstance(action.metavar, str) else action.dest
        return f"`{word}`" if action.nargs in ("?", "*") else f"**`{word}`**"
    takes = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    text = f"`{', '.join(action.option_strings)}{takes}`"
    return f"**{text}**" if action.required else text


def _meant(action: Action) -> str:
    text = (
        " ".join((action.help or "").split())
        .replace("%%", "%")
        .replace("%(default)s", str(action.default))
    )
    choices = ", ".join(f"`{choice}`" for choice in action.choices or ())
    return "; ".join(part for part in (text.rstrip("."), choices and f"one of {choices}") if part)


def events() -> str:
    """Every type of event, and the facts of each."""
    shapes: dict[str, type[Any]] = {shape.__name__: shape for shape in FACTS.values()}
    rows = [
        (
            f"`{name}`",
            str(SENTENCES.get(name, "")),
            f"[{shape.__name__}](#{shape.__name__.lower()})",
        )
        for name, shape in FACTS.items()
    ]
    parts = ["## Types", table(("type", "says", "facts"), rows)]
    for name, shape in sorted(shapes.items()):
        fields = shape.model_json_schema()
        parts += [f"### {name}", cleandoc(shape.__doc__ or "").replace("\n", " ")]
        found = [
            (f"**`{each}`**" if each in fields.get("required", ()) else f"`{each}`", _kind(field))
            for each, field in fields.get("properties", {}).items()
        ]
        parts.append(table(("fact", "is"), found) or "No facts.")
    return page(
        "Events",
        """
        What the audit log records, each in the transaction that it describes. Which code records it, and which test
        shows that: [What is recorded](../audit.md#what-is-recorded). Words in braces stand for what the event names.
        Facts in **bold** are always there.
        """,
        parts,
    )


def _kind(field: dict[str, Any]) -> str:
    if options := field.get("anyOf"):
        return " or ".join(
            dict.fromkeys(_kind(option) for option in options if option.get("type") != "null")
        )
    if "enum" in field or "const" in field:
        return "one of " + ", ".join(
            f"`{value}`" for value in field.get("enum", [field.get("const")])
        )
    if field.get("type") == "array":
        return f"list of {_kind(field.get('items', {}))}"
    if field.get("type") == "integer":
        return "whole number"
    if field.get("format") == "date-time":
        return "moment"
    if field.get("type") == "boolean":
        return "true or false"
    return "digest" if "64" in field.get("pattern", "") else "code"


def metrics() -> str:
    """Every figure of `/metrics`, as its collector describes it."""
    rows = []
    for family in sorted(_families(), key=lambda each: each.name):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in family._labelnames)
        rows.append((f"`{name}`", family.type, labels, family.documentation))
    return page(
        "Metrics",
        """
        What `/metrics` tells. Who may read it, what to look at and what to do about an alert: [Traces, logs and
        metrics](../observability.md#metrics). Figures of sinks and witnesses are there when the settings name some.
        """,
        [table(("figure", "kind", "labels", "meaning"), rows)],
    )


def _families() -> list[Any]:
    """What the collectors yield over tables, queues and sums that are empty."""
    nothing = SimpleNamespace(runs=0, oldest_seconds=0.0)
    of_runs = MagicMock(
        ready_runs=lambda: nothing, paused_runs=lambda: 0, effects_in_doubt=lambda: 0
    )
    of_runs.runs_by_state.return_value = of_runs.leases.return_value = {}
    of_requests = MagicMock(pending=list)
    of_requests.requests_by_state.return_value = {}
    sealing = SimpleNamespace(sealed=0, waiting=0, lag_seconds=0.0, halted="")
    sink = SimpleNamespace(
        sink=True, witness=True, name="", behind=0, failing_seconds=0.0, problem=""
    )
    empty = SimpleNamespace(standing={}, counted={}, buckets=lambda _each: [])
    with ExitStack() as replaced:
        for target, value in (
            ("of_runs", of_runs),
            ("of_requests", of_requests),
            ("ended_runs", dict),
            ("decided_requests", dict),
            ("sealing_state", lambda: sealing),
            ("streaming_state", lambda: [sink]),
            ("witnesses_state", lambda: [sink]),
            ("connect", MagicMock()),
            ("_queues", lambda _redis: ({}, {})),
        ):
            replaced.enter_context(patch.object(standing, target, value))
        counted = "countersign.metrics.counted."
        replaced.enter_context(patch(counted + "send_counts"))
        replaced.enter_context(patch(counted + "connect"))
        replaced.enter_context(patch(counted + "sums", lambda _redis: empty))
        return list(registry.collect())


PAGES: dict[str, Callable[[], str]] = {
    "api.md": operations,
    "commands.md": commands,
    "events.md": events,
    "metrics.md": metrics,
}


def stale() -> list[str]:
    """The pages that are not what the code says."""
    return [
        name
        for name, make in PAGES.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != make()
    ]


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        old = stale()
        sys.stdout.write(
            "".join(f"docs/reference/{name} is not what the code says.\n" for name in old)
        )
        if old:
            sys.stdout.write("Run deploy/reference.py, and look at what it changed.\n")
        sys.exit(bool(old))
    FOLDER.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make())
