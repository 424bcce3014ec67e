"""Operations as values: what an API takes and answers, how it authenticates and how it is read back, from a pack."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from conformance import changes, schemas
from conformance.errors import PackError

if TYPE_CHECKING:
    from conformance.model import Json, JsonObject
    from conformance.resources import PackFolders


@dataclass(frozen=True, slots=True)
class OrderForm:
    """
    How a realistic order is written down: a template of expressions and what the smaller forms keep of it.

    ``variants`` choose other ``plain`` and ``minimal`` members for accounts of a kind: (fact, value, plain,
    minimal). ``cost`` tells where an order names products and quantities, whose prices the account knows.
    ``whole`` are objects that make sense with all their members only, whatever a schema requires;
    ``key`` are the members that identify an order to an API that updates what it knows;
    ``token`` is the member that carries the run's token, by which our orders are known. ``bad_line`` says what becomes of
    an order with a bad line among good ones: ``refused``, or ``silent`` where the line alone may be left out; ``texts``
    are members with words that the template writes out, where letters of any alphabet may stand.
    """

    template: JsonObject
    lines: str
    country: str
    country_fact: str
    by_country: tuple[tuple[str, frozenset[str]], ...]
    currencies: tuple[str, ...]
    plain: tuple[str, ...]
    minimal: tuple[tuple[str, str], ...]
    variants: tuple[tuple[str, Json, tuple[str, ...], tuple[tuple[str, str], ...]], ...]
    cost: dict[str, str]
    whole: tuple[str, ...]
    key: tuple[str, ...]
    token: str
    bad_line: str
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    How the fate of an order is found in the answer.

    ``entries`` is the JSON Pointer of the list (or of the one order), ``id`` that of the
    vendor's id in an entry, ``echo`` the members that an entry repeats of the order; ``lines``
    tells where lines stand in both and what they repeat. With ``by_name`` the answer has an
    entry for each name of the request, whose ``status`` is ``accepted`` or ``refused``; ``ids``
    are the places of vendor's ids there.
    """

    entries: str
    id: str
    echo: tuple[str, ...]
    lines: dict[str, Json]
    by_name: bool
    status: str
    accepted: str
    refused: str
    ids: tuple[str, ...]
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class RefusalForm:
    """
    How a refusal names what is wrong.

    ``errors`` is the JSON Pointer of the list, ``pointer`` that of the place in an entry;
    ``order`` how an order is written there, with ``{index}``; ``temporary`` the place that
    stands for "try again later".
    """

    errors: str
    pointer: str
    order: str
    temporary: str


@dataclass(frozen=True, slots=True)
class ReadBack:
    """
    How stored orders are read: operations by id, and where orders stand in their answers.

    ``page`` is the query parameter that counts pages, where no Link header leads on.

    ``find`` are query parameters of the list with the members of an order that they choose by;
    ``compare`` are the members that a stored order shows as they were sent.
    """

    list: str
    query: str
    page: str
    find: tuple[tuple[str, str], ...]
    entries: str
    one: str
    order: str
    delete: str
    compare: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """
    One method and path.

    ``success`` are the documented statuses of acceptance, ``tolerated`` those that some
    page contradicts them with; ``refusals`` are statuses that count as a refusal here
    although elsewhere they say nothing about the body; ``refusal_status`` is the documented
    one, or 0. ``answers_as`` is ``json`` for any media type of JSON,
    ``application/json`` where that alone is documented, ``silent`` where no page tells the media type of answers.
    """

    id: str
    main: bool
    method: str
    path: str
    base_path: str
    root: bool
    content_type: str
    answers_as: str
    request_schema: JsonObject
    response_schema: JsonObject | None
    success_schema: JsonObject | None
    refusal_schema: JsonObject | None
    success: tuple[int, ...]
    tolerated: tuple[int, ...]
    refusals: tuple[int, ...]
    refusal_status: int
    anonymous: bool
    needs_credentials: tuple[str, ...]
    authorization: str
    body: JsonObject | None
    envelope: str
    wrapper: str
    mixed_batch: str
    batch_min: int
    batch_max: int
    pack_size: int
    order: OrderForm | None
    outcome: Outcome | None
    refusal: RefusalForm | None
    effects: tuple[str, ...]


def operation(data: dict[str, Any], folders: PackFolders, revision: str) -> Operation:
    """
    An ``[[operation]]`` of provider.toml, as a revision of the documentation knows it.

    Raises PackError for a schema or template that cannot be read.
    """

    def schema(key: str) -> JsonObject | None:
        return schemas.load(folders.schemas / data[key], revision) if key in data else None

    batch = data.get("batch", {})
    refusal = data.get("refusal")
    request_schema = schema("request-schema") or {}
    return Operation(
        id=data["id"],
        main=data.get("main", False),
        method=data["method"],
        path=data["path"],
        base_path=data.get("base-path", ""),
        root=data.get("root", False),
        content_type=data.get("content-type", ""),
        answers_as=data.get("answers-as", "json"),
        request_schema=request_schema,
        response_schema=schema("response-schema"),
        success_schema=schema("success-schema"),
        refusal_schema=schema("refusal-schema"),
        success=tuple(data["success"]),
        tolerated=tuple(data.get("tolerated", ())),
        refusals=tuple(data.get("refusals", ())),
        refusal_status=data.get("refusal-status", 0),
        anonymous=data.get("anonymous", False),
        needs_credentials=tuple(data.get("needs-credentials", ())),
        authorization=data.get("authorization", ""),
        body=data.get("body"),
        envelope=data.get("envelope", ""),
        wrapper=data.get("wrapper", ""),
        mixed_batch=data.get("mixed-batch", "silent"),
        batch_min=batch.get("min", 0),
        batch_max=batch.get("max", 0),
        pack_size=data.get("pack-size", 1),
        order=_order_form(data["order"], data, folders, request_schema) if "order" in data else None,
        outcome=_outcome(data["outcome"]) if "outcome" in data else None,
        refusal=RefusalForm(refusal["errors"], refusal["pointer"], refusal["order"], refusal.get("temporary", ""))
        if refusal
        else None,
        effects=tuple(data.get("effects", ("orders",) if data.get("main") else ())),
    )


def _outcome(data: dict[str, Any]) -> Outcome:
    return Outcome(
        entries=data.get("entries", ""),
        id=data.get("id", ""),
        echo=tuple(data.get("echo", ())),
        lines=data.get("lines", {}),
        by_name=data.get("by-name", False),
        status=data.get("status", ""),
        accepted=data.get("accepted", ""),
        refused=data.get("refused", ""),
        ids=tuple(data.get("ids", ())),
        code=data.get("code", ""),
        message=data.get("message", ""),
    )


def _order_form(data: dict[str, Any], operation: dict[str, Any], folders: PackFolders, schema: JsonObject) -> OrderForm:
    path = folders.schemas / data["template"]
    try:
        template = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PackError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(template, dict) or not changes.exists(template, data.get("lines", "")):
        raise PackError(f"{path}: not an order with lines at {data.get('lines', '')!r}")
    orders = order_schema(operation.get("envelope", ""), operation.get("wrapper", ""), schema)
    return OrderForm(
        template=cast("JsonObject", schemas.known_part(template, orders)),
        lines=data.get("lines", ""),
        bad_line=data.get("bad-line", "silent"),
        texts=tuple(data.get("texts", ())),
        country=data.get("country", "GB"),
        country_fact=data.get("country-fact", ""),
        by_country=tuple((each["path"], frozenset(each["countries"])) for each in data.get("by-country", ())),
        currencies=tuple(data.get("currencies", ())),
        plain=tuple(data.get("plain", ())),
        minimal=_minimal(data),
        variants=tuple(
            (fact, value, tuple(each.get("plain", ())), _minimal(each))
            for each in data.get("variants", ())
            for fact, value in each["when"].items()
        ),
        cost=data.get("cost", {}),
        whole=tuple(data.get("whole", ())),
        key=tuple(data.get("key", ())),
        token=data.get("token", ""),
    )


def order_schema(envelope: str, wrapper: str, schema: JsonObject) -> JsonObject:
    """The schema of one order in that of a request body."""
    node = schema
    if envelope == "single" or not schema:
        return node
    try:
        if envelope == "named":
            return cast("JsonObject", node["additionalProperties"])
        if envelope == "wrapped":
            node = cast("dict[str, JsonObject]", node["properties"])[wrapper]
        return cast("JsonObject", node["items"])
    except (KeyError, TypeError):
        words = f"{envelope or 'array'!r}" + (f" with the wrapper {wrapper!r}" if wrapper else "")
        raise PackError(f"the request schema has no orders in the envelope {words}") from None


def _minimal(data: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((each["path"], each.get("unless", "")) for each in data.get("minimal", ()))


def read_back(data: dict[str, Any]) -> ReadBack:
    """The ``[read-back]`` of provider.toml."""
    return ReadBack(
        list=data["list"],
        query=data.get("query", ""),
        page=data.get("page", ""),
        find=tuple(data.get("find", {}).items()),
        entries=data["entries"],
        one=data.get("one", ""),
        order=data.get("order", ""),
        delete=data.get("delete", ""),
        compare=tuple(data.get("compare", ())),
    )
