"""Places of an order: what the documentation says of each member, and which values it surely allows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from conformance import changes, envelope, values
from conformance.model import Level

if TYPE_CHECKING:
    from conformance.catalogue import Catalogue, Owned
    from conformance.model import Json, JsonObject
    from conformance.operations import Operation, OrderForm
    from conformance.providers import Provider

# Facts that are words for people: any ordinary text is as good as another. Codes, numbers and addresses of the net are not.
_WORDS = frozenset(
    {"@buyer.name", "@buyer.first_name", "@buyer.last_name", "@buyer.company", "@address.street", "@address.street_name",
     "@address.building", "@address.city", "@line.name", "@line.variant", "@line.description"}
)  # fmt: skip
_COUNTS = frozenset({"@line.quantity", "@line.weight", "@line.grams"})
# Letters of western languages, digits, and what stands in names and addresses.
PLAIN = "[0-9A-Za-zÀ-ÖØ-öø-ÿ]([0-9A-Za-zÀ-ÖØ-öø-ÿ '.,&/-]{0,38}[0-9A-Za-zÀ-ÖØ-öø-ÿ.])?"
NAME = "[A-Za-z][0-9A-Za-z_]{0,29}"
# Documentation that names no upper bound hardly means to promise more.
MOST = 9999
MOST_FRACTION = 999
_DEPTH, _MEMBERS = 3, 30


@dataclass(slots=True)
class Place:
    """
    A member of an order.

    ``pointer`` has 0 for every index. ``kind`` is ``text``, ``choice``, ``number`` or ``open`` where
    values are known that the documentation surely allows and that do no harm; else it is empty.
    """

    pointer: str
    node: JsonObject
    owned: dict[str, Owned] = field(default_factory=dict[str, "Owned"])
    fact: Json = None
    kind: str = ""
    key: bool = False

    @property
    def speaks(self) -> Owned | None:
        """Who says that a value of the right type may stand here, or None."""
        known = (self.owned.get(word) for word in ("type", "required", "optional"))
        return next((each for each in known if each and not _silent(each)), None)

    @property
    def types(self) -> list[str]:
        """The JSON types that the member may have."""
        told = self.node.get("type", [])
        return cast("list[str]", told if isinstance(told, list) else [told])

    def allows(self, value: Json) -> bool:
        """Whether the documentation surely allows a value that satisfies the schema."""
        if self.kind == "text":
            return isinstance(value, str) and re.fullmatch(PLAIN, value) is not None
        if self.kind == "number":
            # Not everybody takes 2.0 for a whole number.
            return _moderate(value) and (isinstance(value, int) or self.types[0] != "integer")
        if self.kind == "open":
            return _modest(value, _DEPTH)
        return self.kind == "choice"


def normal(pointer: str) -> str:
    """A pointer into an order with 0 for every index."""
    return re.sub("/[0-9]+(?=/|$)", "/0", pointer)


def of_order(provider: Provider, catalogue: Catalogue) -> dict[str, Place]:
    """The places of the main operation's order that the catalogue covers, by pointer, parents first."""
    main = provider.main
    assert main.order is not None
    found: dict[str, Place] = {}
    for owned in catalogue.sites:
        pointer = _pointer(main, owned.site.path) if owned.operation == main.id else None
        if pointer is not None:
            place = found.setdefault(pointer, Place(pointer, owned.site.node))
            place.owned.setdefault(owned.site.keyword, owned)
    for place in found.values():
        if changes.exists(main.order.template, place.pointer):
            place.fact = changes.read(main.order.template, place.pointer)
        place.key = place.pointer in (*main.order.key, main.order.token)
        place.kind = _kind(place, main.order)
    return found


def _pointer(operation: Operation, path: str) -> str | None:
    prefix = envelope.order_site(operation)
    if prefix and not path.startswith(f"{prefix}."):
        return None
    if path == "$":
        return None
    inside = path[len(prefix) + 1 :] if prefix else path
    return "/" + inside.replace("[]", "/0").replace(".", "/")


def _kind(place: Place, form: OrderForm) -> str:
    # Where nothing is said of wrong types, something is said of the right one: that the member may be there.
    said = [each for word, each in place.owned.items() if word != "type" or not _silent(each)]
    if place.key or place.speaks is None or any(each.accept_side or _silent(each) for each in said):
        return ""
    if "enum" in place.node:
        return "choice"
    if place.types == ["string"] and place.fact in _WORDS and not {"format", "pattern"} & place.node.keys():
        return "text"
    if place.types == ["object"] and place.node.get("additionalProperties") is True:
        return "open"
    return "number" if _is_count(place, form) else ""


def _silent(owned: Owned) -> bool:
    return owned.requirement.level in (Level.SILENT, Level.CONTRADICTORY)


def _is_count(place: Place, form: OrderForm) -> bool:
    """Whether a number counts or measures something that costs nothing, from a documented bound on."""
    if (
        form.cost
        or place.types[0] not in ("integer", "number")
        or not {"minimum", "exclusiveMinimum"} & place.node.keys()
    ):
        return False
    fact = place.fact
    if isinstance(fact, str):
        return fact in _COUNTS and fact.removeprefix("@") not in values.MONEY
    return isinstance(fact, int | float) and not isinstance(fact, bool)


def _moderate(value: Json) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(value, int):
        return abs(value) <= MOST
    return abs(value) <= MOST_FRACTION and round(value, 2) == value


def _modest(value: Json, depth: int) -> bool:
    """Whether anybody who takes any object takes this one."""
    if isinstance(value, dict):
        names = all(re.fullmatch(NAME, name) for name in value)
        return (
            depth > 0 and names and len(value) <= _MEMBERS and all(_modest(each, depth - 1) for each in value.values())
        )
    if isinstance(value, str):
        return re.fullmatch(PLAIN, value) is not None
    return isinstance(value, bool) or _moderate(value)
