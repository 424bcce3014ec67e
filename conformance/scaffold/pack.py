"""A pack from an OpenAPI file: its files by name, and what there is to say about them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance import linting
from conformance.errors import UserError
from conformance.openapi import document as openapi
from conformance.openapi.files import Lost
from conformance.scaffold import flatten, guess, hidden, provider, toml
from conformance.scaffold.rows import Rows
from conformance.scaffold.shape import Notes, Shape
from conformance.scaffold.template import Templates

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.openapi.document import Document, Operation
    from conformance.scaffold.flatten import Node

_ACCOUNT = "# Business facts of the account, for the keys under [account] in provider.toml. No secrets belong here.\n"
_ALWAYS = (
    "requirements.toml: rules that the text tells and no schema can (ids that may not repeat, dates, totals) need rows of their own",
    "provider.toml: mixed-batch: what becomes of good orders beside a bad one is taken as silent",
    "success.schema.json and refusal.schema.json are written where the file has them, but not yet held against answers: name them in provider.toml, with an outcome",
)


@dataclass(frozen=True, slots=True)
class Pack:
    """``files`` by their path below the pack's folder; ``notes`` are for people."""

    files: dict[str, str]
    notes: Notes


def scaffold(name: str, path: Path, wanted: str = "") -> Pack:
    """A pack called ``name``. Raises UserError for a file that none can be made of, in one line."""
    document = openapi.load(path, str(path))
    operation = guess.operation(document, wanted)
    notes = Notes()
    flattener = flatten.Flattener(document)
    shape = _shape(name, document, operation, flattener, notes)
    notes.guessed += _said(shape)
    base = f"schemas/{name}"
    files = {
        f"{base}/provider.toml": provider.text(shape, notes),
        f"{base}/requirements.toml": _requirements(shape, notes),
        f"{base}/order.json": json.dumps(shape.order, indent=2, ensure_ascii=False) + "\n",
        f"{base}/request.schema.json": flatten.text(shape.body, "Request"),
    }
    for kind, node in _answers(document, operation, flattener, notes).items():
        files[f"{base}/{kind}.schema.json"] = flatten.text(node, kind.capitalize())
    files[f"fixtures/{name}/account.toml"] = _ACCOUNT
    notes.todo = list(dict.fromkeys([*notes.todo, *flattener.todo, *_slips(path, operation), *_ALWAYS]))
    return Pack(files, notes)


def _shape(name: str, document: Document, operation: Operation, flattener: flatten.Flattener, notes: Notes) -> Shape:
    found = guess.media(document, operation)
    assert found, "an operation is chosen for its body"
    media, schema = found
    body = flattener.request(schema)
    if "properties" in body:
        body.setdefault("type", "object")
    envelope = guess.envelope(body, schema.where)
    envelope.order.setdefault("type", "object")
    lines = guess.lines(envelope.order)
    batch: Node = body if envelope.kind == "array" else body["properties"][envelope.wrapper] if envelope.wrapper else {}
    limits = batch.get("minItems", 0), batch.get("maxItems", 0)
    if not limits[1] and envelope.kind != "single":
        notes.todo.append(
            "provider.toml: the schema has no greatest batch; write batch = { min, max } if the text tells one"
        )
    templates = Templates(lines)
    order = templates.make(envelope.order)
    notes.todo += [*templates.todo, *hidden.hide(body, batch, _at(envelope.order, lines))]
    auth, said, guarded = guess.auth(document, operation, re.sub(r"[^A-Z0-9]", "_", name.upper()))
    notes.guessed += [f"auth      {each}" for each in said if not each.startswith("TODO")]
    notes.todo += [each.removeprefix("TODO ") for each in said if each.startswith("TODO")]
    prefix = re.sub(r"[^A-Z]", "", name.upper())[:2]
    status = _status(document, operation, notes)
    return Shape(
        name, prefix, document, operation, media, schema, body, envelope, lines, limits, status, order, auth, guarded
    )


def _at(order: Node, pointer: str) -> Node | None:
    node: Any = order
    for part in pointer.split("/")[1:]:
        node = node["properties"][part]
    return node if pointer else None


def _status(document: Document, operation: Operation, notes: Notes) -> tuple[int, ...]:
    """The statuses of success; a class of them, 2XX, stands for its first."""
    answers = operation.spot.child("responses")
    found = [str(status).replace("X", "0") for status, _ in document.members(answers) if str(status).startswith("2")]
    known = tuple(int(each) for each in found if re.fullmatch(r"2[0-9]{2}", each))
    if not known:
        notes.todo.append(f"{answers.where}: no status of success is described; 200 is assumed")
    return known or (200,)


def _answers(document: Document, operation: Operation, flattener: flatten.Flattener, notes: Notes) -> dict[str, Node]:
    """The schemas of the first success and the first refusal that have one."""
    found: dict[str, Node] = {}
    for status, real in document.members(operation.spot.child("responses")):
        kind = "success" if str(status).startswith("2") else "refusal" if str(status) in ("400", "422", "4XX") else ""
        content = guess.content(real) if kind and kind not in found else None
        if content:
            try:
                found[kind] = flattener.answer(content[1])
            except Lost as error:
                notes.todo.append(str(error))
    return found


def _said(shape: Shape) -> list[str]:
    wrapper = f" ({shape.envelope.wrapper})" if shape.envelope.wrapper else ""
    said = [
        f"operation {shape.operation.id} ({shape.operation.method.upper()} {shape.operation.path})",
        f"envelope  {shape.envelope.kind}{wrapper}: {shape.envelope.why}",
        f"lines     {shape.lines or 'none: an order has no list of objects'}",
        f"order key {shape.token or 'none: no member looks like the id of an order'}",
    ]
    if shape.envelope.kind != "single":
        said.append(f"batch     {shape.limits[0]} to {shape.limits[1] or 'any number of'} orders, by the schema")
    return said


def _requirements(shape: Shape, notes: Notes) -> str:
    wrapper = shape.envelope.wrapper
    site = {"array": "[]", "wrapped": f"{wrapper}[]", "named": "*"}.get(shape.envelope.kind, "")
    below = shape.lines.strip("/").replace("/", ".")
    batch = {"array": "$", "wrapped": wrapper}.get(shape.envelope.kind, "")
    rows = Rows(site, batch, f"{site}.{below}".strip(".") if below else "", shape.schema.where)
    made = [*_transport(shape), *rows.make(shape.body)]
    notes.todo += rows.todo
    head = f"# {shape.name}: what the OpenAPI file asks, one entry a rule, with its place in the file.\n\n"
    return head + "\n".join(
        toml.table("[[requirement]]", {"id": f"{shape.prefix}-{at:03}", **row}) for at, row in enumerate(made, 1)
    )


def _transport(shape: Shape) -> list[dict[str, Any]]:
    operation = shape.operation
    statuses = " or ".join(map(str, shape.status))
    other = 299 if 299 not in shape.status else 298
    rows: list[dict[str, Any]] = [
        {
            "level": "must",
            "area": "transport",
            "title": f"A valid body sent by {operation.method.upper()} is answered {statuses}.",
            "source": operation.spot.where,
            "case": [
                {"id": "order.plain", "expect": "accept"},
                {"id": "answers.status", "expect": "accept", "standing": "success-status"},
            ],
            "fault": [
                {"id": "other-status", "title": "It is answered otherwise.", "behaviour": "status", "value": other}
            ],
        }
    ]
    if shape.guarded:
        # A set of credentials may be several headers; without the first of them it is no longer whole.
        header = str(next(iter(shape.auth["credentials"][0]["headers"])))
        change = [{"op": "remove", "path": f"/headers/{header}"}]
        rows.append(
            {
                "level": "must",
                "area": "auth",
                "title": "Without credentials nothing is taken.",
                "source": operation.spot.child("security").where,
                "case": [{"id": "credentials.none", "expect": "deny", "scope": "request", "change": change}],
                "fault": [{"id": "open", "title": "Everybody is served.", "behaviour": "token-optional"}],
            }
        )
    return rows


def _slips(path: Path, operation: Operation) -> list[str]:
    """What the linter finds in shared parts and in the operation: where the pack may differ from what was meant."""
    own = operation.spot.pointer
    places: dict[str, list[str]] = {}
    for each in linting.lint(path, str(path)):
        shared = not each.pointer.startswith(("/paths/", "/webhooks/")) or each.pointer.startswith(own)
        if shared and (each.severity != "note" or each.rule == "limit-in-prose-only"):
            said = f"{each.message} ({each.rule}); instead: {each.instead}"
            places.setdefault(said, []).append(f"{each.file}:{each.line}")
    return [f"{', '.join(where)}: {said}" for said, where in places.items()]


def write(pack: Pack, name: str, folder: Path) -> None:
    """Write the files. Raises UserError where something is already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: exists already and is not overwritten; take another --out, or another name")
    for file, text in {**pack.files, "TODO.md": todo(pack, name)}.items():
        place = folder / file
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"{place}: cannot be written ({error.strerror})") from None


def todo(pack: Pack, name: str) -> str:
    """What was guessed and what is left to do, as Markdown."""
    guessed = [f"* `{each}`" for each in pack.notes.guessed]
    rows = [f"# {name}: what is left to do", "", "Guessed:", "", *guessed, "", "To do:", ""]
    return "\n".join([*rows, *(f"- [ ] {each}" for each in pack.notes.todo)]) + "\n"
