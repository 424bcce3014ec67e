"""Commands to copy: how one case is run again, and how one request is sent by hand."""

from __future__ import annotations

import re
import shlex
from typing import Any

from conformance.report import words
from conformance.report.page.texts import has_unseen

_PLACEHOLDER = re.compile(r"\{\{([a-z_]+(?::[a-z_]+)?)\}\}")
_PAIR = re.compile(r"Basic \{\{([a-z_]+):([a-z_]+)\}\}")
# What a terminal takes in one piece; a longer body is read from report.json.
LONGEST = 8_000
# Set by curl for the connection, or by us for nobody else.
_LEFT_OUT = frozenset({"content-length", "host", "user-agent", "connection"})


def pytest(report: dict[str, Any], case: str) -> str:
    """The command that runs one case again."""
    return _joined(words.arguments(report, case))


def curl(report: dict[str, Any], name: str, longest: int = LONGEST) -> str:
    """
    One exchange as a curl command, with secrets as variables.

    The embedded reference endpoint has a port by chance, so its address is a variable too.
    """
    request = report["exchanges"][name]["request"]
    target = report["target"]
    path = request["path"] + (f"?{request['query']}" if request["query"] else "")
    base = _quoted(target["url"].rstrip("/")) if target["kind"] == "live" else '"$ENDPOINT"'
    lines = [f"curl -i -X {_quoted(request['method'])} {base}{_quoted(path)}"]
    lines += _headers(request["headers"], has_body=_has_body(request))
    before = ""
    if "body_base64" in request or len(request.get("body", "")) > longest:
        member, decode = ("body_base64", " | base64 -d") if "body_base64" in request else ("body", "")
        before = f"jq -j {_quoted(f'.exchanges[{_json_name(name)}].request.{member}')} report.json{decode} | "
        lines.append("--data-binary @-")
    elif request.get("body"):
        lines.append(f"--data-raw {_filled(request['body'])}")
    return before + " \\\n  ".join(lines)


def _headers(headers: list[list[str]], *, has_body: bool) -> list[str]:
    lines: list[str] = []
    for name, value in headers:
        if name.lower() in _LEFT_OUT:
            continue
        pair = _PAIR.fullmatch(value)
        if name.lower() == "authorization" and pair:
            lines.append(f'-u "${_variable(pair[1])}:${_variable(pair[2])}"')
        else:
            lines.append(f"-H {_filled(f'{name}: {value}')}")
    sent = {name.lower() for name, _ in headers}
    # An empty header keeps curl from adding its own.
    lines += ["-H 'accept:'"] if "accept" not in sent else []
    lines += ["-H 'content-type:'"] if has_body and "content-type" not in sent else []
    return lines


def _has_body(request: dict[str, Any]) -> bool:
    return bool(request.get("body") or request.get("body_base64"))


def _filled(text: str) -> str:
    """Text quoted for a shell, with ``"$NAME"`` where a placeholder stands for a secret."""
    parts: list[str] = []
    rest = 0
    for found in _PLACEHOLDER.finditer(text):
        parts += [_quoted(text[rest : found.start()])] if found.start() > rest else []
        parts.append(f'"${_variable(found[1])}"')
        rest = found.end()
    return "".join([*parts, _quoted(text[rest:])] if rest < len(text) else parts)


def _variable(name: str) -> str:
    return name.replace(":", "_").upper()


def _quoted(text: str) -> str:
    """Text as one word of a shell. Characters that nobody sees are written out, so that what is copied is what is read."""
    if not has_unseen(text):
        return shlex.quote(text)
    words = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    return f"$'{''.join(_escaped(each) for each in words)}'"


def _escaped(letter: str) -> str:
    if not has_unseen(letter):
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) <= 0xFFFF else f"\\U{ord(letter):08x}"


def _json_name(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _joined(parts: list[str]) -> str:
    return " ".join(_quoted(each) for each in parts)
