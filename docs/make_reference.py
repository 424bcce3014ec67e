"""
The reference pages that are made from the code: ``python docs/make_reference.py`` writes them anew.

The tests hold the pages against what this makes, so that neither a new option nor a new command goes untold.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields
from html import escape
from importlib.util import find_spec
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance import testing
from conformance.cli import cli
from conformance.plugins.options import OPTIONS, Option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = Path(__file__).parent / "reference"

# Every option stands in one of these; the pages say more than a line of help can.
TOPICS = {
    "What is tested": ("provider", "revision", "case", "no-pack", "seed", "budget", "explore", "fail-on", "deviations"),
    "The endpoint and the account": ("endpoint", "account", "header", "ca-bundle", "client-cert", "client-key"),
    "What may be done there": ("allow", "max-orders"),
    "How fast, and how patient": ("concurrency", "max-rps", "request-timeout", "visibility-timeout"),
    "The report": ("report", "resume", "signing-key", "challenge"),
    "Recordings": ("record-mode", "cassettes", "max-cassette-age"),
    "The embedded reference endpoint": ("reference-strict", "reference-delay"),
}
# Pages that tell more of a command.
PAGES = {
    "check": "../check.md",
    "diff": "../certification.md#making-files-anew-and-comparing",
    "generate": "../generate.md",
    "keygen": "../certification.md",
    "lint": "../lint.md",
    "load": "../load.md",
    "new": "../new.md",
    "preflight": "../preflight.md",
    "report": "../report-formats.md",
    "serve": "../mock-server.md",
    "verify": "../certification.md#verifying",
}
# What whoever serves an endpoint calls, and no test.
SERVERS = {"app", "served_at", "hang_up", "close"}


def options() -> str:
    """The page of pytest's options. Raises KeyError for an option that stands in no topic."""
    known = {each.name: each for each in OPTIONS}
    lines = [
        "# Options of pytest",
        "",
        "Every option is `--NAME` and also `--conformance-NAME`, should the short one belong to somebody else, and has",
        "an ini key. The command line counts first, then the ini file, then the default. Repeatable options are lists",
        "in the ini file, one a line or a TOML list; those without a value are booleans. This page is made from the code",
        "(`python docs/make_reference.py`).",
    ]
    for topic, names in TOPICS.items():
        lines += ["", f"## {topic}", "", "| option | meaning | ini key |", "|---|---|---|"]
        lines += [_row(known.pop(name)) for name in names]
    if known:
        raise KeyError(f"say in docs/make_reference.py where these belong: {', '.join(known)}")
    lines += ["", "What each means in use: [the cookbook](../cookbook.md), [live endpoints](../live-endpoints.md),"]
    lines += [
        "[recording](../recording.md), [known deviations](../deviations.md), [certification](../certification.md)."
    ]
    return "\n".join(lines) + "\n"


def _row(option: Option) -> str:
    written = f"--{option.name}" + (f"={option.metavar}" if option.metavar else "")
    return f"| {_code(written)} | {_cell(option.help)} | `{option.dest}` |"


def commands() -> str:
    """The page of the command line."""
    lines = [
        "# Commands",
        "",
        "The tests themselves run with `pytest --provider=NAME` ([options](options.md)). Exit status of a command: 0 when all",
        "is well, 1 when something was found or refused, 4 for wrong use. This page is made from the code",
        "(`python docs/make_reference.py`).",
    ]
    for name, command in sorted(cli.commands.items()):
        lines += ["", *_command(f"conformance {name}", command)]
        if name in PAGES:
            lines += ["", f"[More]({PAGES[name]})."]
    return "\n".join(lines) + "\n"


def _command(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command)
    words = [each.make_metavar(context) for each in command.params if isinstance(each, click.Argument)]
    yield f"## {name}"
    yield ""
    yield f"`{' '.join([name, *words])}`"
    yield ""
    yield cleandoc(command.help or "").replace("\b\n", "")
    rows = [_parameter(each, context) for each in command.params if isinstance(each, click.Option) and not each.hidden]
    if rows:
        yield from ("", "| option | meaning |", "|---|---|")
        yield from rows
    if isinstance(command, click.Group):
        for inner, each in sorted(command.commands.items()):
            yield ""
            yield from _command(f"{name} {inner}", each)


def _parameter(option: click.Option, context: click.Context) -> str:
    left, meaning = option.get_help_record(context) or ("", "")
    return f"| {_code(left)} | {_cell(meaning)} |"


def _code(text: str) -> str:
    """Code in a table; bars in backticks are read in two ways."""
    return f"<code>{_cell(text)}</code>"


def _cell(text: str, *, code: bool = False) -> str:
    """Text in a table; ``code`` keeps what docstrings have as code."""
    told = escape(" ".join(text.split()), quote=False).replace("|", "&#124;")
    return told.replace("``", "`") if code else told


def fixtures() -> str:
    """The page of the fixtures, and of what they give to a test."""
    lines = [
        "# Fixtures",
        "",
        "For the tests of a client: endpoints on loopback that hold every request against the documentation",
        "([tutorial](../tutorials/client-developer.md), [how they behave](../client-testing.md)). This page is made from the",
        "code (`python docs/make_reference.py`).",
        "",
        "| fixture | scope | what it is |",
        "|---|---|---|",
        *_fixture_rows(),
    ]
    for kind in (testing.MockEndpoint, testing.Received, testing.Violation, testing.Violations):
        lines += ["", f"## {kind.__name__}", "", *_members(kind)]
    lines += ["", "## endpoint", "", "`conformance.testing.endpoint`, a context manager, makes one without pytest.", ""]
    lines += ["```python", "endpoint(", *_parameters(testing.endpoint), ")", "```", "", _plain(testing.endpoint)]
    return "\n".join(lines) + "\n"


def _fixture_rows() -> Iterator[str]:
    """From the source, for every pytest wraps fixtures in another way."""
    spec = find_spec("conformance.plugins.fixtures")
    assert spec is not None
    assert spec.origin is not None
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for each in node.decorator_list:
            call = each.func if isinstance(each, ast.Call) else each
            if ast.unparse(call) != "pytest.fixture":
                continue
            given = {word.arg: word.value for word in each.keywords} if isinstance(each, ast.Call) else {}
            scope = ast.literal_eval(given["scope"]) if "scope" in given else "function"
            yield f"| `{node.name}` | {scope} | {_cell(ast.get_docstring(node) or '', code=True)} |"


def _parameters(function: Callable[..., object]) -> Iterator[str]:
    keyword = False
    for each in inspect.signature(function).parameters.values():
        if each.kind is each.KEYWORD_ONLY and not keyword:
            keyword = True
            yield "    *,"
        default = "" if each.default is each.empty else f" = {each.default!r}"
        yield f"    {each.name}: {each.annotation}{default},"


def _members(kind: type) -> Iterator[str]:
    """What a class says of itself, and its public attributes and methods."""
    yield _plain(kind)
    names = [each.name for each in fields(kind)] if hasattr(kind, "__dataclass_fields__") else []
    if names:
        yield from ("", f"Attributes: {', '.join(f'`.{each}`' for each in names)}.")
    public = {name: each for name, each in vars(kind).items() if not name.startswith("_") and name not in names}
    public = {name: each for name, each in public.items() if name not in SERVERS}
    rows = [
        _member(name, each) for name, each in public.items() if isinstance(each, property) or inspect.isfunction(each)
    ]
    if rows:
        yield from ("", "| attribute or method | meaning |", "|---|---|", *rows)


def _member(name: str, member: object) -> str:
    written = f".{name}"
    if inspect.isfunction(member):
        given = list(inspect.signature(member).parameters.values())[1:]
        written += f"({', '.join(each.name for each in given)})"
    return f"| {_code(written)} | {_cell(inspect.getdoc(member) or '', code=True)} |"


def _plain(thing: object) -> str:
    return (inspect.getdoc(thing) or "").replace("``", "`")


PAGES_MADE = {"options.md": options, "cli.md": commands, "fixtures.md": fixtures}

if __name__ == "__main__":
    for page, made in PAGES_MADE.items():
        (FOLDER / page).write_text(made(), encoding="utf-8")
