"""The provider.toml of a scaffolded pack."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from conformance.scaffold import guess, toml

if TYPE_CHECKING:
    from conformance.scaffold.shape import Notes, Shape

_PACK_SIZE = 25
_HEAD = "# Made from an OpenAPI file; docs/adding-a-provider.md tells what each key means.\n"
_ERROR = {"error": "{code}", "message": "{message}", "path": "{pointer}"}
# Orders by name have a fate each; without a word for it nobody could tell an acceptance from a refusal.
_NAMED = {
    "by-name": True,
    "status": "/status",
    "accepted": "ok",
    "refused": "no",
    "ids": ["/id"],
    "message": "/message",
}
_NAMED_ANSWERS = {"answer": {"status": "ok", "id": "@/id"}, "refused": {"status": "no", "message": "@/message"}}


def text(shape: Shape, notes: Notes) -> str:
    """The file; what a pack cannot say is noted."""
    urls, below = guess.servers(shape.document, shape.operation)
    info = shape.document.root.child("info")
    version = str(info.get("version") or "v1")
    top: dict[str, Any] = {
        "name": shape.name,
        "title": str(info.get("title") or shape.name),
        "documentation": [f"OpenAPI file {shape.document.root.source.path.name}, version {version}"],
        "read": datetime.now(UTC).date().isoformat(),
        "requirement-prefix": shape.prefix,
        "revision": [{"name": version}],
    }
    if hosts := guess.hosts(urls):
        top["hosts"] = hosts
    _parameters(shape, notes)
    form: dict[str, Any] = {"template": "order.json", "lines": shape.lines}
    if shape.token:
        form |= {"key": [shape.token], "token": shape.token}
    reference: dict[str, Any] = {"error": _ERROR}
    if shape.envelope.kind == "named":
        notes.todo.append(
            "provider.toml: how answers tell the fate of each name is invented; write what the text tells into outcome"
        )
        reference |= _NAMED_ANSWERS
    parts = [
        _HEAD + toml.table("", top).lstrip(),
        *(toml.table("[[auth.credentials]]", each) for each in shape.auth["credentials"]),
        *(toml.table("[[auth.token-endpoint]]", each) for each in shape.auth.get("token-endpoint", ())),
        toml.table("[[operation]]", _operation(shape, below, notes)),
        toml.table("[operation.order]", form),
        *([toml.table("[operation.outcome]", _NAMED)] if shape.envelope.kind == "named" else []),
        toml.table("[reference]", reference),
    ]
    return "\n".join(parts)


def _operation(shape: Shape, below: str, notes: Notes) -> dict[str, Any]:
    base, path = _path(shape.operation.path, below)
    if "{" in shape.operation.path:
        where = shape.operation.spot.where
        notes.todo.append(f"{where}: the path has parameters; write their values into --endpoint, and check base-path")
    made: dict[str, Any] = {
        "id": "create-orders",
        "main": True,
        "method": shape.operation.method.upper(),
        "path": path,
        "base-path": base,
        "content-type": shape.media.partition(";")[0].strip(),
        "request-schema": "request.schema.json",
        "success": list(shape.status),
        "envelope": shape.envelope.kind,
    }
    if shape.envelope.wrapper:
        made["wrapper"] = shape.envelope.wrapper
    least, most = shape.limits
    if most:
        made["batch"] = {"min": least, "max": most}
    if shape.envelope.kind != "single":
        made |= {
            "pack-size": min(_PACK_SIZE, most or _PACK_SIZE),
            "mixed-batch": "per-order" if shape.envelope.kind == "named" else "silent",
        }
    return made


def _path(path: str, below: str) -> tuple[str, str]:
    """
    Base path and path. What comes before the last parameter of a path belongs to the base.

    Parameters are values of the account, and ``--endpoint`` is where a user can say them.
    """
    if "{" not in path:
        return below, path or "/"
    cut = path.rindex("}") + 1
    if cut >= len(path):
        cut = path.rindex("/")
    plain = [re.sub(r"[{}]", "", each) for each in (path[:cut], path[cut:])]
    return below + plain[0], plain[1]


def _parameters(shape: Shape, notes: Notes) -> None:
    for holder in (shape.operation.item, shape.operation.spot):
        for _, each in shape.document.members(holder.child("parameters")):
            if each.get("required") is True and each.get("in") in ("query", "header"):
                how = "give it with --header" if each.get("in") == "header" else "no run sends it yet"
                notes.todo.append(f"{each.where}: {each.get('in')} parameter {each.get('name')!r} is needed; {how}")
