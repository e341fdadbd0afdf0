"""Every block of code of every page is what it says it is: it parses, and what it names is there."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator

import postgast
import pytest
import yaml
from django.core.management import get_commands, load_command_class

from countersign import config
from countersign.api import api
from tests.documentation.pages import BLOCKS, NOT_RUN, PAGES, PROJECT, Block

#: What stands for `…`, where a reader puts something of their own: long enough for a key, and base64.
PLACEHOLDER = "0123456789abcdef" * 2
LANGUAGES = {"env", "json", "python", "sh", "sql", "text", "yaml"}
#: Variables that are not the product's own: libraries read them, or another setting names them.
OF_OTHERS = re.compile(r"OTEL_\w+|COUNTERSIGN_SECRET_\w+")
SETTING = re.compile(r"^([A-Z][A-Z0-9_]*)=('[^']*'|.*)$", re.MULTILINE)
COMMAND = re.compile(r"manage\.py[ \n]+(?P<name>[a-z][\w-]*)(?P<rest>[^`|;&)\n]*)")
ADDRESS = re.compile(
    r"`(?P<methods>(?:GET|POST|PUT|DELETE)(?:\|(?:GET|POST|PUT|DELETE))*) (?P<path>/?[a-z][^`?]*)"
)
NAMED = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.[a-z]+)(?:::\w+)?`")
MAKE = re.compile(r"(?:^|[`\s])make ([a-z-]+)\b")


def of(language: str) -> list[object]:
    return [pytest.param(each, id=str(each)) for each in BLOCKS if each.language == language]


def test_every_block_has_a_language_and_every_reason_is_one() -> None:
    wrong = [str(each) for each in BLOCKS if each.language not in LANGUAGES]
    wrong += [
        f"{each}: {each.says}"
        for each in BLOCKS
        if each.says and not (each.language == "sh" and NOT_RUN.fullmatch(each.says))
    ]
    assert wrong == []
    assert len([each for each in BLOCKS if each.is_run]) >= 10


@pytest.mark.parametrize("block", of("python"))
def test_python_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec", flags=ast.PyCF_ONLY_AST)


@pytest.mark.parametrize("block", of("json"))
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", of("yaml"))
def test_yaml_is_yaml(block: Block) -> None:
    assert yaml.safe_load(block.text)


@pytest.mark.parametrize("block", of("sql"))
def test_sql_is_read_by_postgresqls_grammar(block: Block) -> None:
    statements = re.sub(r"^\\.*$", "", block.text, flags=re.MULTILINE)
    assert postgast.parse(statements).stmts


@pytest.mark.parametrize("block", of("env"))
def test_settings_are_known_and_taken(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name: value.strip("'") for name, value in SETTING.findall(block.text)}
    assert "\n".join(SETTING.sub("", block.text).split()) == "", "a line that sets nothing"
    named = {name for name in given if any(f'"{name}"' in value for value in given.values())}
    unknown = given.keys() - config.known_names() - named
    assert {name for name in unknown if not OF_OTHERS.fullmatch(name)} == set()
    for name in [name for name in os.environ if name in config.known_names()]:
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value.replace("…", PLACEHOLDER))
    # Where passwords are off there is a provider, which another block of the page sets up.
    for block_of_page in BLOCKS:
        if block_of_page.page == block.page and "COUNTERSIGN_OIDC_ISSUER" in block_of_page.text:
            for name, value in SETTING.findall(block_of_page.text):
                monkeypatch.setenv(name, value.replace("…", PLACEHOLDER))
    config.load()


def written(pattern: re.Pattern[str]) -> Iterator[tuple[str, re.Match[str]]]:
    """Every place where a pattern stands, in text and in blocks, with its page."""
    for page in PAGES:
        for match in pattern.finditer(page.read_text()):
            yield page.relative_to(PROJECT).as_posix(), match


def options_of(parser: ArgumentParser) -> set[str]:
    """Every option that a command takes, those of its parts included."""
    found = {option for action in parser._actions for option in action.option_strings}
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            found |= {one for inner in action.choices.values() for one in options_of(inner)}
    return found


def test_every_command_that_is_written_exists_with_its_options() -> None:
    apps = get_commands()
    wrong = []
    for page, match in written(COMMAND):
        name = match["name"]
        if name not in apps:
            wrong.append(f"{page}: manage.py {name}")
            continue
        app = apps[name]
        command = load_command_class(app, name) if isinstance(app, str) else app
        known = options_of(command.create_parser("manage.py", name))
        used = re.findall(r"(?<!\S)--?[a-z][\w-]*", match["rest"])
        wrong += [f"{page}: manage.py {name} {each}" for each in used if each not in known]
    assert wrong == []


def test_every_target_of_make_that_is_written_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    used = {(page, match[1]) for page, match in written(MAKE)}
    code = {
        (str(block.page.relative_to(PROJECT)), word)
        for block in BLOCKS
        if block.language == "sh"
        for word in MAKE.findall(block.text)
    }
    spans = {
        (page, match[1])
        for page, match in written(re.compile(r"`(?:[A-Z_]+=\S+ )*make ([a-z-]+)[^`]*`"))
    }
    assert {each for each in (code | spans) & used if each[1] not in targets} == set()
    assert targets - {target for _, target in spans | code} == set(), "each stands somewhere"


def shape(path: str) -> str:
    """A path whose variable parts are all alike."""
    return re.sub(r"\{[^}]*\}", "{}", path.strip("/").removeprefix("api/v1/"))


def test_every_operation_of_the_api_that_is_written_exists() -> None:
    there = {
        f"{method.upper()} {shape(path)}"
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method in methods
    }
    roots = {each.split()[1].split("/")[0] for each in there}
    wrong = []
    for page, match in written(ADDRESS):
        path = shape(match["path"].split()[0].rstrip(","))
        if page.startswith("docs/asvs") or path.split("/")[0] not in roots or "…" in path:
            continue
        for method in match["methods"].split("|"):
            for last in path.rpartition("/")[2].split("|"):
                full = f"{method} {'/'.join([*path.split('/')[:-1], last])}"
                if full not in there:
                    wrong.append(f"{page}: {full}")
    assert wrong == []


def test_every_file_of_the_project_that_is_named_is_there() -> None:
    folders = {path.name for path in PROJECT.iterdir() if path.is_dir() and path.name[0] != "."}
    missing = [
        f"{page}: {match[1]}"
        for page, match in written(NAMED)
        if match[1].partition("/")[0] in folders
        and "/NAME/" not in match[1]
        and not (PROJECT / match[1]).exists()
    ]
    assert missing == []


def test_the_words_of_a_shell_are_closed() -> None:
    for block in BLOCKS:
        if block.language == "sh":
            assert shlex.split(block.text, comments=True), str(block)
