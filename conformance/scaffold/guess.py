"""What an OpenAPI file does not say outright: which operation takes orders, how they stand in its body, who may ask."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from conformance.errors import UserError, nearest
from conformance.scaffold.flatten import types

if TYPE_CHECKING:
    from conformance.openapi.document import Document, Operation
    from conformance.openapi.files import Spot
    from conformance.scaffold.flatten import Node

_MANY = re.compile(r"(?i)bulk|batch|import|feed|multi|many")
_ORDERS = re.compile(r"(?i)order|shipment|parcel|purchase|consignment")
_LINES = re.compile(
    r"(?i)items?|.*lines?|.*_?items|lineitems|products|articles|positions|details|skus|rows|variants|parcels|packages|goods|.*Items|.*Lines"
)
_BATCH = re.compile(
    r"(?i).*(orders|requests|records|messages|shipments|batch|entries|data|elements|operations|list|bulk|feed).*"
)
_TEST = re.compile(r"(?i)sandbox|test|staging|stage|dev|uat|demo|mock")


@dataclass(frozen=True, slots=True)
class Envelope:
    """How orders stand in the body, the node of one of them, and why it was taken so."""

    kind: str
    wrapper: str
    order: Node
    why: str


def media(document: Document, operation: Operation) -> tuple[str, Spot] | None:
    """The JSON media type of an operation's body, with the spot of its schema."""
    body = document.reached(operation.spot.child("requestBody"))
    return content(body) if body else None


def content(holder: Spot) -> tuple[str, Spot] | None:
    """The JSON media type among the contents of a body or an answer, with the spot of its schema."""
    for name, spot in holder.child("content").children():
        word = str(name).partition(";")[0].strip()
        if (word == "application/json" or word.endswith("+json")) and isinstance(spot.get("schema"), dict):
            return str(name), spot.child("schema")
    return None


def operation(document: Document, wanted: str) -> Operation:
    """The operation named ``wanted``, or the one that looks most like taking many orders. Raises UserError."""
    known = [each for each in document.operations() if each.path and media(document, each)]
    shown = document.root.source.shown
    if wanted:
        for each in known:
            if wanted in (each.id, f"{each.method.upper()} {each.path}"):
                return each
        raise UserError(
            f"--operation {wanted}: {shown} has no such operation with a JSON body; {nearest(wanted, [each.id for each in known])}"
        )
    if not known:
        raise UserError(f"{shown}: no operation with a JSON body and a schema")
    ranked = sorted(known, key=lambda each: -_likely(document, each))
    if len(ranked) > 1 and _likely(document, ranked[0]) == _likely(document, ranked[1]):
        names = ", ".join(repr(each.id) for each in ranked if _likely(document, each) == _likely(document, ranked[0]))
        raise UserError(f"{shown}: several operations could take orders; name one with --operation: {names}")
    return ranked[0]


def _likely(document: Document, each: Operation) -> int:
    words = f"{each.path} {each.id} {each.spot.get('summary') or ''}"
    found = media(document, each)
    schema = document.reached(found[1]) if found else None
    is_list = schema is not None and schema.get("type") == "array"
    return 2 * (each.method == "post") + 3 * bool(_MANY.search(words)) + 2 * bool(_ORDERS.search(words)) + 2 * is_list


def envelope(body: Node, where: str) -> Envelope:
    """How orders stand in a body. Raises UserError for one that cannot hold any."""
    if "array" in types(body):
        return _checked(Envelope("array", "", body.get("items", {}), "the body is an array"), where)
    members: dict[str, Any] = body.get("properties", {})
    others = body.get("additionalProperties")
    if not members and isinstance(others, dict) and ("object" in types(others) or "properties" in others):
        return Envelope("named", "", others, "the body is an object whose members may have any name")
    if not members:
        raise UserError(
            f"{where}: the body is neither an array nor an object with members; there is nothing to make orders of"
        )
    needed = set(body.get("required", []))
    arrays = [
        name for name, each in members.items() if "array" in types(each) and "properties" in each.get("items", {})
    ]
    for name in arrays:
        inside = members[name]["items"]
        holds_lines = any(
            "array" in types(each) and "properties" in each.get("items", {}) for each in inside["properties"].values()
        )
        alone = not needed - {name}
        if alone and (holds_lines or _BATCH.fullmatch(name) or (len(members) == 1 and not _LINES.fullmatch(name))):
            return Envelope("wrapped", name, inside, f"the body is an object with the list {name!r}")
    why = "the body is one object" + (f"; its list {arrays[0]!r} cannot stand alone or holds lines" if arrays else "")
    return Envelope("single", "", body, why)


def _checked(found: Envelope, where: str) -> Envelope:
    if "properties" not in found.order:
        raise UserError(
            f"{where}: the elements of the body are no objects with members; there is nothing to make orders of"
        )
    return found


def lines(order: Node) -> str:
    """The JSON Pointer of the lines of an order: its list of objects, by name if there are several; empty if there is none."""
    found: list[tuple[int, int, str]] = []

    def look(node: Node, pointer: str, depth: int) -> None:
        for name, each in node.get("properties", {}).items():
            if "array" in types(each) and "properties" in each.get("items", {}):
                named = any(re.search(r"(?i)quantity|qty|sku|count", member) for member in each["items"]["properties"])
                found.append((-2 * bool(_LINES.fullmatch(name)) - 2 * named, depth, f"{pointer}/{name}"))
            elif "properties" in each:
                look(each, f"{pointer}/{name}", depth + 1)

    look(order, "", 0)
    return min(found)[2] if found else ""


def servers(document: Document, operation: Operation) -> tuple[list[str], str]:
    """The URLs of the servers with their variables' defaults, and the path below the first."""
    urls: list[str] = []
    for holder in (operation.spot, operation.item, document.root):
        for _, server in holder.child("servers").children():
            url = str(server.get("url") or "")
            for name, variable in server.child("variables").children():
                url = url.replace(f"{{{name}}}", str(variable.get("default") or name))
            urls.append(url)
        if urls:
            break
    return urls, urlsplit(urls[0]).path.rstrip("/") if urls else ""


def hosts(urls: list[str]) -> dict[str, list[str]]:
    """Hosts by kind: those with a telling name are sandboxes, the others may be production."""
    found: dict[str, list[str]] = {}
    for host in dict.fromkeys(urlsplit(url).hostname or "" for url in urls):
        if host and "." in host:
            found.setdefault("sandbox" if _TEST.search(host) else "production", []).append(host)
    return found


def auth(document: Document, operation: Operation, prefix: str) -> tuple[dict[str, Any], list[str], bool]:
    """
    The ``[auth]`` of a pack, what to say about it, and whether credentials are needed by the file.

    Each alternative of the file is a set of credentials; its schemes are sent together.
    """
    own = operation.spot.child("security")
    wanted = own if isinstance(own.value, list) else document.root.child("security")
    sets: list[dict[str, Any]] = []
    endpoints: list[dict[str, Any]] = []
    said: list[str] = []
    free = not wanted.value
    for _, alternative in wanted.children():
        free = free or not alternative.value
        whole: dict[str, Any] = {"headers": {}, "variables": {}}
        more: list[dict[str, Any]] = []
        for name, _spot in alternative.children():
            scheme = document.reached(document.root.child("components", "securitySchemes", name))
            headers, variables, endpoint = _scheme(scheme, prefix, said, str(name))
            whole["headers"] |= headers
            whole["variables"] |= variables
            if endpoint:
                endpoints.append(endpoint)
                ids = {"client_id": f"{prefix}_CLIENT_ID", "client_secret": f"{prefix}_CLIENT_SECRET"}
                more.append({"headers": headers, "variables": ids, "token-url": f"{prefix}_TOKEN_URL"})
        if whole["headers"]:
            sets += [whole, *more]
    if not sets:
        said.append("No credentials are described that a pack can send; a made-up header stands in provider.toml.")
        sets = [{"headers": {"x-no-credentials": "{{api_key}}"}, "variables": {"api_key": f"{prefix}_API_KEY"}}]
        free = True
    made: dict[str, Any] = {"credentials": sets}
    if endpoints:
        made["token-endpoint"] = [each for at, each in enumerate(endpoints) if each not in endpoints[:at]]
    return made, said, not free


def _scheme(
    spot: Spot | None, prefix: str, said: list[str], name: str
) -> tuple[dict[str, str], dict[str, str], dict[str, Any]]:
    kind = str(spot.get("type")) if spot else ""
    if spot and kind == "http" and str(spot.get("scheme")).lower() == "basic":
        said.append(f"{name}: HTTP Basic.")
        keys = {"public_key": f"{prefix}_USER", "secret_key": f"{prefix}_PASSWORD"}
        return {"authorization": "Basic {{public_key:secret_key}}"}, keys, {}
    if spot and kind == "apiKey" and spot.get("in") in ("header", "cookie"):
        header = str(spot.get("name")).lower() if spot.get("in") == "header" else "cookie"
        word = re.sub(r"[^a-z]+", "_", str(spot.get("name")).lower()).strip("_") or "api_key"
        value = f"{{{{{word}}}}}" if header != "cookie" else f"{spot.get('name')}={{{{{word}}}}}"
        said.append(f"{name}: a key in the header {header}.")
        return {header: value}, {word: f"{prefix}_{word.upper()}"}, {}
    if spot and (
        kind in ("oauth2", "openIdConnect") or (kind == "http" and str(spot.get("scheme")).lower() == "bearer")
    ):
        said.append(f"{name}: an access token in the header authorization.")
        url = urlsplit(str(spot.child("flows", "clientCredentials").get("tokenUrl") or ""))
        endpoint = {"path": url.path or "/token", "root": True, "encoding": "form"} if url.path else {}
        return {"authorization": "Bearer {{access_token}}"}, {"access_token": f"{prefix}_ACCESS_TOKEN"}, endpoint
    said.append(f"TODO {name}: this kind of credential cannot be sent yet ({kind or 'not described'}).")
    return {}, {}, {}
