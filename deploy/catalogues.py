"""The catalogues in locale/: brought up to date from the sources, and checked.

    python deploy/catalogues.py            bring them up to date and compile them
    python deploy/catalogues.py --check    say what does not fit, and change nothing

Needs no tools of the system: Babel reads and writes the files. How strings are marked: docs/languages.md.
"""

import ast
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_javascript
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from django.template.base import Lexer, TokenType
from django.utils.translation.template import trim_whitespace

PROJECT = Path(__file__).resolve().parent.parent
LOCALE = PROJECT / "locale"
SCRIPTS = PROJECT / "static" / "js"
APPS = (
    "accounts",
    "agents",
    "approvals",
    "audit",
    "countersign",
    "demo",
    "evaluations",
    "insights",
)
#: Which arguments of a call are what: (context, one, many), counted from nought; None where there is none.
CALLS = {
    **dict.fromkeys(("gettext", "gettext_lazy", "gettext_noop", "_"), (None, 0, None)),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (None, 0, 1)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), (0, 1, None)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), (0, 1, 2)),
}
#: What is given texts that are translated later, by what it makes of them.
CARRIERS = {"Words", "Choice", "either_or", "number_field", "_amount", "_day", "str_later"}
#: Tables of words that are translated where they are shown, so that what is kept and compared stays as it is.
TABLES = json.loads((LOCALE / "tables.json").read_text())
CONSTANT = re.compile(r"""_\(((?:"[^"]*")|(?:'[^']*'))\)""")
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|(?<!\{)\{(\w*)\}(?!\})")

#: A string of the sources: its context, itself and its plural (each may be missing), and where it stands.
Found = tuple[str | None, str, str | None, str]


def found() -> Iterator[Found]:
    """Every marked string of templates, Python and scripts."""
    templates = PROJECT / "templates"
    for path in sorted([*templates.rglob("*.html"), *templates.rglob("*.txt")]):
        yield from of_template(path.read_text(), _place(path))
    for app in APPS:
        for path in sorted((PROJECT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield from of_python(path.read_text(), _place(path))


def found_in_scripts() -> Iterator[Found]:
    """Every marked string of the scripts, which have a catalogue of their own."""
    keywords = {"gettext": None, "ngettext": (1, 2)}
    for path in sorted(SCRIPTS.glob("*.js")):
        source = io.BytesIO(path.read_bytes())
        options = {"encoding": "utf-8", "jsx": False, "template_string": False}
        for _, _, words, _ in extract_javascript(source, keywords, [], options):
            one, many = words if isinstance(words, tuple) else (words, None)
            yield None, one, many, _place(path)


def of_template(source: str, place: str) -> Iterator[Found]:
    """What the tags translate and blocktranslate and `_("…")` mark in a template."""
    inside: list[str] | None = None
    source = re.sub(r"{%\s*comment\s*%}.*?{%\s*endcomment\s*%}", "", source, flags=re.DOTALL)
    for token in Lexer(source).tokenize():
        words = token.contents.split(None, 2) if token.token_type == TokenType.BLOCK else [""]
        if inside is not None:
            if words[0] == "plural":
                inside.append("\0")
            elif words[0] == "endblocktranslate":
                one, _, many = "".join(inside).partition("\0")
                yield None, trim_whitespace(one), trim_whitespace(many) or None, place
                inside = None
            elif token.token_type == TokenType.VAR:
                inside.append(f"%({token.contents})s")
            else:
                inside.append(token.contents.replace("%", "%%"))
            continue
        if words[0] == "blocktranslate":
            inside = []
        literal = re.match(r"""translate\s+("[^"]*"|'[^']*')""", token.contents)
        if words[0] == "translate" and literal:
            yield None, literal[1][1:-1].replace("%", "%%"), None, place
        if token.token_type in {TokenType.BLOCK, TokenType.VAR}:
            for each in CONSTANT.findall(token.contents):
                yield None, each[1:-1].replace("%", "%%"), None, place


def of_python(source: str, place: str) -> Iterator[Found]:
    """What calls mark, the labels of choices, and what stands in the tables that are named for this file."""
    tree = ast.parse(source)
    names = TABLES.get(place, [])
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in CALLS:
            context, one, many = (
                None if at is None else _text(node.args[at]) for at in CALLS[_called(node)]
            )
            if one is not None:
                yield context, one, many, place
        elif isinstance(node, ast.Call) and _called(node) in CARRIERS:
            yield from ((None, text, None, place) for text in _texts(node))
        elif isinstance(node, ast.ClassDef) and any("Choices" in ast.dump(b) for b in node.bases):
            yield from ((None, label, None, place) for label in _labels(node))
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if node.value and any(isinstance(t, ast.Name) and t.id in names for t in targets):
                yield from ((None, text, None, place) for text in _texts(node.value))


def _called(node: ast.Call) -> str:
    name = node.func.value if isinstance(node.func, ast.Subscript) else node.func
    return name.id if isinstance(name, ast.Name) else ""


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _inside(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.keyword):
        yield from _texts(node.value)
    elif isinstance(node, ast.comprehension):
        yield from _texts(node.iter)
    elif isinstance(node, ast.expr):
        yield from _texts(node)


def _labels(node: ast.ClassDef) -> Iterator[str]:
    for line in node.body:
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Tuple):
            label = _text(line.value.elts[-1])
            if label:
                yield label


def _texts(node: ast.expr) -> Iterator[str]:
    """The texts of a table: what its keys lead to, at any depth; every text of a list or a call."""
    if isinstance(node, ast.Dict):
        for value in node.values:
            yield from _texts(value)
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, str) and re.search(r"[A-Za-z]", node.value):
            yield node.value
    else:
        inside = [text for child in ast.iter_child_nodes(node) for text in _inside(child)]
        # Beside its titles, a record holds codes and addresses.
        record = (
            isinstance(node, ast.Call) and _called(node)[:1].isupper() and _called(node) != "Words"
        )
        yield from (text for text in inside if not record or re.match(r"[A-Z].", text))


def _place(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def catalogue(strings: Iterator[Found]) -> Catalog:
    """The strings as a catalogue without translations."""
    made = Catalog(project="Countersign", charset="utf-8", fuzzy=False)
    for context, one, many, place in strings:
        identity = (one, many) if many else one
        known = made.get(one, context)
        if known is not None and many and not known.pluralizable:
            made.delete(one, context)
            made.add(identity, locations=[*known.locations, (place, None)], context=context)
        else:
            made.add(known.id if known else identity, locations=[(place, None)], context=context)
    return made


def files() -> Iterator[tuple[Path, Catalog]]:
    """Each .po with the catalogue of the sources that it must hold."""
    domains = {"django": catalogue(found()), "djangojs": catalogue(found_in_scripts())}
    for folder in sorted(LOCALE.glob("*/LC_MESSAGES")):
        for domain, sources in domains.items():
            yield folder / f"{domain}.po", sources


def update(path: Path, sources: Catalog) -> None:
    """Bring one .po up to date: new strings are empty, those that are gone are left out."""
    language = path.parent.parent.name
    old = _read(path) if path.exists() else Catalog()
    new = Catalog(locale=language, project="Countersign", charset="utf-8", fuzzy=False)
    for message in sources:
        if message.id:
            known = old.get(_key(message), message.context)
            translation = known.string if known and known.id == message.id else ""
            places = sorted({place for place, _ in message.locations})
            new.add(
                message.id,
                translation or (("",) * new.num_plurals if message.pluralizable else ""),
                locations=[(place, None) for place in places],
                context=message.context,
            )
    with path.open("wb") as file:
        write_po(file, new, width=110, sort_output=True, omit_header=False, include_lineno=False)
    text = path.read_text()
    path.write_text(re.sub(r'"(POT-Creation|PO-Revision)-Date: [^\n]*\n', "", text))
    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, _read(path))
    if path.stem == "djangojs":
        words_file(path).write_text(words_of(_read(path)))


def words_file(path: Path) -> Path:
    """The script that carries the words of one language to browsers."""
    return SCRIPTS / "words" / f"{path.parent.parent.name}.js"


def words_of(read: Catalog) -> str:
    """That script: sets one object, by string, of translations; a list where there is one and many."""
    table = {
        _key(message): list(message.string) if message.pluralizable else message.string
        for message in read
        if message.id and message.string
    }
    said = json.dumps(table, ensure_ascii=False, indent=1, sort_keys=True)
    return f"// Made by deploy/catalogues.py.\nglobalThis.countersignWords = {said};\n"


def complaints() -> Iterator[str]:
    """What does not fit, a sentence each."""
    for path, sources in files():
        name = _place(path)
        if not path.exists() or not path.with_suffix(".mo").exists():
            yield f"{name} or its .mo is missing."
            continue
        read = _read(path)
        here = {(m.context, m.id) for m in read if m.id}
        wanted = {(m.context, m.id) for m in sources if m.id}
        for _, text in sorted(wanted - here, key=str):
            yield f"{name} lacks {text!r}. Run deploy/catalogues.py and translate it."
        for _, text in sorted(here - wanted, key=str):
            yield f"{name} has {text!r}, which no source says any more."
        for message in read:
            if message.id:
                yield from (f"{name}: {what}" for what in _wrong_with(message))
        with path.with_suffix(".mo").open("rb") as file:
            compiled = read_mo(file)
        if _table(compiled) != _table(read):
            yield f"{name} is not what its .mo was made of. Run deploy/catalogues.py."
        if path.stem == "djangojs" and words_file(path).read_text() != words_of(read):
            yield f"{_place(words_file(path))} was not made of {name}. Run deploy/catalogues.py."


def _wrong_with(message: Message) -> Iterator[str]:
    ids = message.id if message.pluralizable else (message.id,)
    strings = message.string if message.pluralizable else (message.string,)
    if not all(strings):
        yield f"{_key(message)!r} is not translated."
        return
    if message.fuzzy:
        yield f"{_key(message)!r} is marked as fuzzy."
    # "One new request" need not say the number, and its translation may.
    wanted = [_placeholders(each) for each in ids]
    for each in strings:
        if _placeholders(each) not in (wanted if each == strings[0] else wanted[-1:]):
            yield f"the translation of {_key(message)!r} has other placeholders."


def _placeholders(text: str) -> set[str]:
    return {one or "{" + other + "}" for one, other in PLACEHOLDER.findall(text)}


def _key(message: Message) -> str:
    return str(message.id[0] if message.pluralizable else message.id)


def _table(read: Catalog) -> dict[Any, Any]:
    return {
        (_context(m), _key(m)): tuple(m.string) if m.pluralizable else m.string
        for m in read
        if m.id and m.string
    }


def _context(message: Message) -> str | None:
    # Babel leaves it as bytes in what it reads from a .mo.
    context: Any = message.context
    return context.decode() if isinstance(context, bytes) else context


def _read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def main() -> int:
    if "--check" not in sys.argv:
        for path, sources in files():
            update(path, sources)
    problems = list(complaints())
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
