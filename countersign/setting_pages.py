"""docs/settings.md, made of the typed settings and of `countersign.setting_words`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from countersign.config import Config, secret_fields, variable_of
from countersign.programs import PROJECT
from countersign.setting_words import SECTIONS, Described

PAGE: Final = PROJECT / "docs" / "settings.md"
UNITS: Final = ("seconds", "hours", "days", "bytes", "tokens", "percent")
HEAD: Final = """# Settings

<!-- Made by `manage.py settings_reference`; words are in countersign/setting_words.py, types in countersign/config.py. -->

All settings are environment variables, read once by each process when it starts. A value that does not fit, or a
`COUNTERSIGN_*` name that nobody knows, ends the start with a sentence. An empty text means *not given*. Lists are
separated by commas; yes and no are `1` and `0`. *Used by* says which processes act on a setting. Give what is no secret to
all processes, and a secret to those alone that are named ([deploy.md](deploy.md#who-gets-what)); all others start without it.

A setting marked **secret** is never logged or shown, and may lie in a file: `SECRET_KEY_FILE=/run/secrets/secret_key` in
the place of `SECRET_KEY`. So may the secrets of tools (`COUNTERSIGN_SECRET_PAYMENTS_KEY_FILE`).
"""
TAIL: Final = """
## Read by others

| variable | read by | what it is |
|---|---|---|
| `OTEL_EXPORTER_OTLP_ENDPOINT` and the other standard variables of OpenTelemetry | web, workers, scheduler | where spans are sent, and how; none: no spans ([observability.md](observability.md#traces)) |
| `FORWARDED_ALLOW_IPS` | web (uvicorn) | addresses or networks, comma-separated, of the proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; `127.0.0.1,::1` otherwise |
| `PGSSLMODE`, `PGSSLROOTCERT`, `PGPASSFILE` and the other variables of libpq | all (psycopg) | what a database address leaves open; `?sslmode=verify-full` in the address does the same |
"""


def page() -> str:
    """The whole page. Raises KeyError for words about a setting that there is not."""
    return HEAD + "".join(_section(title, words) for title, words in SECTIONS.items()) + TAIL


def complaints() -> list[str]:
    """What keeps the page from being true, a sentence each."""
    described = [name for words in SECTIONS.values() for name in words]
    found = [
        f"{variable_of(name)} has no words in countersign/setting_words.py."
        for name in Config.model_fields
        if name not in described
    ]
    for name in described:
        if name not in Config.model_fields:
            found.append(f"countersign/setting_words.py describes {name}, which there is not.")
        elif described.count(name) > 1:
            found.append(f"{variable_of(name)} is described twice.")
    if not found and (not PAGE.exists() or PAGE.read_text() != page()):
        found.append("docs/settings.md is behind: run manage.py settings_reference.")
    return found


def _section(title: str, described: dict[str, Described] | Any) -> str:
    rows = "".join(_row(name, words) for name, words in described.items())
    return (
        f"\n## {title}\n\n| variable | takes | as shipped | used by | what it is |\n"
        f"|---|---|---|---|---|\n{rows}"
    )


def _row(name: str, words: Described) -> str:
    field = Config.model_fields[name]
    variable = variable_of(name).replace("*", "<NAME>")
    secret = name in secret_fields() or name == "tool_secrets"
    cells = (
        f"`{variable}`",
        "; ".join([*_takes(name, field), *(["**secret**"] if secret else [])]),
        words.otherwise or _shown(field.default),
        words.used_by,
        words.text,
    )
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |\n"


def _takes(name: str, field: FieldInfo) -> Iterator[str]:
    """Type, unit and range."""
    limits = [*field.metadata, *_inner(field.annotation)]
    kind = _kind(field.annotation)
    unit = next((unit for unit in UNITS if name.endswith(unit)), "")
    yield unit if unit and kind in ("number", "whole number") else kind
    low = next((_bound(limit) for limit in limits if isinstance(limit, (Ge, Gt))), "")
    high = next((f"{limit.le:,}" for limit in limits if isinstance(limit, Le)), "")
    if low.startswith("above") or not high:
        yield from [f"{low}{f', at most {high}' if high else ''}"] if low else []
    else:
        yield f"{low.removeprefix('from ')} to {high}"


def _bound(limit: Ge | Gt) -> str:
    return f"above {limit.gt:,}" if isinstance(limit, Gt) else f"from {limit.ge:,}"


def _inner(annotation: Any) -> list[Any]:
    """Limits of an optional number stand one level lower."""
    found: list[Any] = []
    for each in get_args(annotation):
        for one in getattr(each, "__metadata__", ()):
            found += [one, *getattr(one, "metadata", ())]
    return found


def _kind(annotation: Any) -> str:
    options = [each for each in get_args(annotation) if each is not type(None)]
    if annotation in (bool, bool | None):
        return "yes or no"
    if annotation is float:
        return "number"
    if annotation is int or any(getattr(each, "__origin__", None) is int for each in options):
        return "whole number"
    if annotation in (Path, Path | None):
        return "path"
    text = str(annotation)
    if text.startswith("tuple"):
        return "list"
    if "dict" in text:
        return "JSON"
    if "Literal" in text:
        return " or ".join(f"`{each}`" for each in options)
    return "text"


def _shown(default: object) -> str:
    """A default as it would be written in the environment."""
    if isinstance(default, bool):
        return "on" if default else "off"
    if default is None or default in ("", (), {}):
        return "none"
    if isinstance(default, tuple):
        return f"`{','.join(map(str, default))}`"
    if isinstance(default, float | int):
        return f"{int(default)}" if default == int(default) else f"{default:g}"
    return f"`{default}`"
