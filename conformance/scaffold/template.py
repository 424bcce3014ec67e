"""The full order of a pack: every member filled with a fact of a draft where its name suggests one, else with a sample."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from conformance import drafts, people, values
from conformance.model import Account
from conformance.scaffold import sample
from conformance.scaffold.flatten import EXAMPLE, types

if TYPE_CHECKING:
    from conformance.model import Json, JsonObject
    from conformance.scaffold.flatten import Node

# What a member is about, by the end of its path in small letters with blanks between words; the first that fits
# is tried first, and taken if all trial drafts satisfy the schema of the member.
_LINE = (
    (r"(variant|option).*", "line.variant"), (r".*(ean|gtin|barcode|upc).*", "line.ean"),
    (r".*(hs|tariff|commodity|harmoni[sz]ed).*", "line.hs_code"), (r".*(origin|manufacture).*", "line.origin"),
    (r".*(image|picture|photo).*", "line.image_url"), (r".*(quantity|qty|count|units)", "line.quantity"),
    (r".*discount.*", "line.discount"), (r".*total.*", "line.total"), (r".*weight.*", "line.weight"),
    (r".*(price|amount|cost|value).*", "line.price"), (r".*description", "line.description"),
    (r".*(sku|article|product).*", "line.sku"), (r".*(name|title)", "line.name"),
    (r"(.* )?(id|number|key|reference)", "line.id"),
)  # fmt: skip
_ORDER = (
    (r".*first ?name|.*given ?name", "buyer.first_name"), (r".*(last|sur|family) ?name", "buyer.last_name"),
    (r".*e ?mail.*", "buyer.email"), (r".*(phone|mobile|telephone).*", "buyer.phone"),
    (r".*(company|organi[sz]ation|business).*", "buyer.company"), (r".*house ?(number|no).*", "address.house_number"),
    (r".*(city|town|locality).*", "address.city"), (r".*(post|zip|postal) ?code.*|.*zip", "address.postal_code"),
    (r".*(street|address ?(line)? ?1|address1|line ?1)", "address.street"),
    (r".*(address ?(line)? ?2|line ?2|unit)", "address.unit"), (r".*(line ?3|building)", "address.building"),
    (r".*country.*", "address.country"), (r".*(state|province|region|county).*", "address.province"),
    (r".*currency.*", "order.currency"), (r".*(carrier|courier).*", "shipment.carrier"),
    (r".*tracking.*", "shipment.tracking_number"), (r".*(sub ?total).*", "order.subtotal"),
    (r".*discount.*", "order.discount"), (r".*(shipping|delivery|freight).*(price|cost|total|amount|value).*", "order.shipping"),
    (r".*(total|amount|price).*", "order.total"),
    (r"(.*order ?)?(number|no)", "order.number"), (r".*reference.*|.*ref", "order.reference"), (r"(.*order ?)?id", "order.id"),
    (r"(.*(customer|buyer|recipient|contact|full|ship|bill).*)?name", "buyer.name"),
)  # fmt: skip
_VAGUE = frozenset({"value", "amount", "unit", "code", "text", "type"})
_TRIALS = 6
# As long as the token of a run.
_MARK = "t-abcdef"


class Templates:
    """Makes order templates; ``todo`` names the members that nothing was found for."""

    def __init__(self, lines: str) -> None:
        self._lines = lines
        self.todo: list[str] = []
        now = datetime(2026, 1, 1, 12, tzinfo=UTC)
        countries = sorted(people.COUNTRIES)[:_TRIALS]
        self._trials = [
            values.Scope(drafts.draft(str(at), country=land, lines=2, now=now, token=_MARK), now, Account(), str(at))
            for at, land in enumerate(countries)
        ]

    def make(self, node: Node, pointer: str = "", words: tuple[str, ...] = ()) -> Json:
        """The template of a node at a place of the order."""
        kinds = types(node)
        if "properties" in node or "object" in kinds:
            return self._object(node, pointer, words)
        if "array" in kinds:
            one = self.make(node.get("items", {}), f"{pointer}/0", words)
            return [one] * (1 if pointer == self._lines else max(1, node.get("minItems", 1)))
        return self._scalar(node, pointer, words)

    def _object(self, node: Node, pointer: str, words: tuple[str, ...]) -> Json:
        made: JsonObject = {
            name: self.make(child, f"{pointer}/{name}", (*words, name))
            for name, child in node.get("properties", {}).items()
        }
        others = node.get("additionalProperties")
        if not made and node.get("minProperties"):
            inside = self.make(others, f"{pointer}/sample", words) if isinstance(others, dict) else "sample"
            made = {f"sample{at or ''}": inside for at in range(node["minProperties"])}
        return made

    def _scalar(self, node: Node, pointer: str, words: tuple[str, ...]) -> Json:
        if ("enum" not in node and "format" not in node) or node.get("format") == "email":
            for expression in self._suggested(
                words, in_line=bool(self._lines) and pointer.startswith(f"{self._lines}/0")
            ):
                if self._fits(expression, node):
                    return f"@{expression}"
        found: Json = sample.value(node)
        if found is None and not sample.accepts(node, None):
            self.todo.append(f"order.json: no value was found for {pointer}; write one")
            return str(node.get(EXAMPLE, ["TODO"])[0])
        return found

    @staticmethod
    def _suggested(words: tuple[str, ...], *, in_line: bool) -> list[str]:
        plain = [re.sub(r"[_\-]+", " ", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", each)).lower().strip() for each in words]
        found: list[str] = []
        # What a member is called says more than what it stands in, but for `value` and its like.
        near = (*plain[-1:], " ".join(plain[-2:]), " ".join(plain[-3:]))
        if plain and plain[-1] in _VAGUE:
            near = near[1:]
        for text in dict.fromkeys(near):
            for row in (_LINE, _ORDER) if in_line else (_ORDER,):
                found += [expression for pattern, expression in row if re.fullmatch(pattern, text)]
        return list(dict.fromkeys(found))

    def _fits(self, expression: str, node: Node) -> bool:
        if not types(node):
            return False
        for trial in self._trials:
            scope = values.Scope(trial.draft, trial.now, trial.account, trial.key, trial.draft.lines[0])
            if not sample.accepts(node, values.fill(f"@{expression}", scope)):
                return False
        return True
