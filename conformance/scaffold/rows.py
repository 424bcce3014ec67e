"""The catalogue of a scaffolded pack: a requirement for every member's rules, with the place in the file as its source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conformance import formats, schemas
from conformance.scaffold import sample
from conformance.scaffold.flatten import AT, Node, types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.schemas import Site

_TITLE = 160
# Longer texts and longer lists than these would have to be made to try them.
_LONG_TEXT, _LONG_LIST = 100_000, 2000
_SAID = {
    "required": "is needed", "optional": "may be left out", "minLength": "has {} or more characters",
    "maxLength": "has at most {} characters", "minimum": "is {} or more", "maximum": "is at most {}",
    "exclusiveMinimum": "is more than {}", "exclusiveMaximum": "is less than {}", "minItems": "has {} or more elements",
    "maxItems": "has at most {} elements", "format": "has the format {}", "enum": "is one of {}",
    "pattern": "matches {}", "multipleOf": "is a multiple of {}", "uniqueItems": "has no element twice",
}  # fmt: skip
_LENGTHS = ("minLength", "maxLength")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


@dataclass(slots=True)
class Rows:
    """
    Makes the requirements of a body's constraints.

    ``order_site`` and ``batch_site`` are the instance paths of one order and of the array of orders,
    ``lines`` that of the lines.
    """

    order_site: str
    batch_site: str
    lines: str
    body: str
    todo: list[str] = field(default_factory=list[str])

    def make(self, root: Node) -> Iterator[dict[str, Any]]:
        """A requirement for each member, more where its rules are tried in different ways; without ids."""
        sites = list(schemas.walk(root))
        unknown = [each for each in sites if each.keyword == "unknown"]
        grouped: dict[str, list[Site]] = {}
        for site in sites:
            if site.keyword != "unknown":
                grouped.setdefault(site.path, []).append(site)
        for path, found in grouped.items():
            yield from self._member(path, found)
        for site in sites:
            if site.keyword == "type" and site.node.get("additionalProperties") is False and "properties" in site.node:
                yield self._closed(site)
        if unknown:
            yield {
                "level": "silent", "area": "order", "title": "What becomes of members with other names is not said.",
                "source": self.body, "covers": [each.key for each in unknown],
            }  # fmt: skip

    def _member(self, path: str, sites: list[Site]) -> Iterator[dict[str, Any]]:
        node = sites[0].node
        if sites[0].keyword == "optional" and self.place(path)[0] == "body":
            self.todo.append(f"{source(node)}: {path}: that it may be left out is not tried; write a case")
        plain, bare, by_hand = list[str](), list[str](), list[str]()
        for site in sites:
            (by_hand if self._only_by_hand(site) else bare if self._one_sided(site) else plain).append(site.keyword)
        if path in ("[]", "*") and path == self.order_site:
            yield self._element(path, node, plain)
            return
        if plain:
            yield self._row(path, node, plain)
        if bare:
            yield {**self._row(path, node, bare), "accept-side": "none"}
        for keyword in by_hand:
            yield self._by_hand(path, node, keyword)

    def _one_sided(self, site: Site) -> bool:
        """Whether a value made for one rule might break another of the same member, so that only refusals are sure."""
        node = site.node
        if site.keyword == "format":
            known = formats.examples(str(site.value))
            good = [each.value for each in known.good if not each.value.startswith("@")] if known else []
            return not all(sample.accepts(node, each) for each in good)
        if site.keyword in _LENGTHS:
            return "pattern" in node or "enum" in node or bool(node.get("allOf"))
        return site.keyword in _BOUNDS and ("multipleOf" in node or "enum" in node or bool(node.get("allOf")))

    def _only_by_hand(self, site: Site) -> bool:
        if site.keyword in ("pattern", "multipleOf", "uniqueItems"):
            return True
        if site.keyword == "format":
            return formats.examples(str(site.value)) is None
        return site.keyword == "maxLength" and isinstance(site.value, int) and site.value > _LONG_TEXT

    def _row(self, path: str, node: Node, keywords: list[str]) -> dict[str, Any]:
        return {
            "level": "must", "area": self._area(path), "title": title(path, node, keywords), "source": source(node),
            "covers": [f"{path} {each}" for each in keywords],
        }  # fmt: skip

    def _area(self, path: str) -> str:
        if path in ("$", self.batch_site, self.order_site):
            return "batch"
        return "lines" if self.lines and path.startswith(self.lines) else "order"

    def _element(self, path: str, node: Node, keywords: list[str]) -> dict[str, Any]:
        row = {**self._row(path, node, keywords), "accept-side": "by-hand", "refuse-side": "by-hand"}
        place = "/0" if path == "[]" else "/o1"
        change = [{"op": "replace", "path": place, "value": 7}]
        return {**row, "case": [{"id": "element.number", "expect": "refuse", "scope": "body", "change": change}]}

    def _by_hand(self, path: str, node: Node, keyword: str) -> dict[str, Any]:
        """A rule whose cases the engine does not make: one case written out, or the reason why there is none."""
        row = {**self._row(path, node, [keyword]), "refuse-side": "by-hand", "accept-side": "by-hand"}
        scope, pointer = self.place(path)
        change: list[dict[str, Any]] = []
        if keyword == "pattern":
            text = sample.refused(node)
            change = [] if text is None else [{"op": "replace", "path": pointer, "value": text}]
        elif keyword == "multipleOf":
            number = self._no_multiple(node)
            change = [] if number is None else [{"op": "replace", "path": pointer, "value": number}]
        elif keyword == "uniqueItems":
            change = [{"op": "copy", "from": f"{pointer}/0", "path": f"{pointer}/-"}]
        if not change:
            self.todo.append(
                f"{source(node)}: {path}: no case for {keyword} was found; write one, or leave the reason as it is"
            )
            return {**row, "untestable": f"TODO: no value that only breaks {keyword} was found; write a case by hand"}
        word = {"pattern": "other-pattern", "multipleOf": "no-multiple", "uniqueItems": "element-twice"}[keyword]
        name = f"{_words(path)}.{word}"
        return {**row, "case": [{"id": name, "expect": "refuse", "scope": scope, "change": change}]}

    @staticmethod
    def _no_multiple(node: Node) -> Any:
        step = node["multipleOf"]
        others = {key: each for key, each in node.items() if key in (*_BOUNDS, "type")}
        for start in (node.get("minimum", 0), step, 0, 10):
            number = round(start + step / 2, 8)
            number = int(number) if number == int(number) else number
            if sample.accepts(others, number) and not sample.accepts({"multipleOf": step}, number):
                return number
        return None

    def _closed(self, site: Site) -> dict[str, Any]:
        scope, pointer = self.place(site.path)
        name = _words(site.path)
        case = {"id": f"{name}.unknown-member", "expect": "refuse", "scope": scope,
                "change": [{"op": "add", "path": f"{pointer}/xUnknown", "value": 1}]}  # fmt: skip
        fault = {
            "id": "open",
            "title": "Members with other names are taken.",
            "at": [site.path],
            "merge": {"additionalProperties": True},
        }
        return {
            "level": "must", "area": self._area(site.path), "title": _cut(f"{_shown(site.path)} has no other members than those described."),
            "source": source(site.node), "case": [case], "fault": [fault],
        }  # fmt: skip

    def place(self, path: str) -> tuple[str, str]:
        """Whether a path is about an order or the body, and its JSON Pointer there."""
        inside = path
        scope = "order"
        if path == "$" or (self.order_site and not path.startswith(self.order_site)):
            scope, inside = "body", "" if path == "$" else path
        elif self.order_site:
            inside = path[len(self.order_site) :].lstrip(".")
        words = inside.replace("[]", ".0").replace("*", "o1").split(".")
        return ("body" if path == "$" and self.order_site else scope), "".join(f"/{each}" for each in words if each)


def _words(path: str) -> str:
    """A path as part of a case's id."""
    return path.replace("[]", "").replace("*", "each").strip(".").replace("$", "body") or "order"


def _shown(path: str) -> str:
    return "The body" if path == "$" else f"`{path}`"


def _cut(text: str) -> str:
    return text if len(text) <= _TITLE else f"{text[: _TITLE - 2]}…."


def title(path: str, node: Node, keywords: list[str]) -> str:
    """One sentence about a member's rules."""
    said: list[str] = []
    for keyword in keywords:
        value = node.get(keyword)
        if keyword == "type":
            said.append(f"is of type {' or '.join(types(node))}")
        elif keyword == "enum" and isinstance(value, list):
            said.append(_SAID[keyword].format(", ".join(map(str, value[:4])) + (" …" if len(value) > 4 else "")))
        else:
            said.append(_SAID.get(keyword, f"obeys {keyword}").format(value))
    joined = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    return _cut(f"{_shown(path)} {joined}.")


def source(node: Node) -> str:
    """Where a node stands in the file."""
    places = list(dict.fromkeys(node.get(AT, []))) or ["the file"]
    return ", ".join(places[:3])
