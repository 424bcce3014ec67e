"""Rules on schemas made of others: parts that shut each other out, and alternatives that cannot be told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from conformance.linting.registry import Slip, rule
from conformance.linting.walk import parts
from conformance.openapi.dialect import TYPES, own_types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.linting.registry import Book, Place
    from conformance.openapi.files import Spot

_ALL = frozenset({"allOf"})


def _demanded(book: Book, spot: Spot) -> frozenset[str] | None:
    """The types that a schema and all its parts allow together; None where none of them says."""
    found: frozenset[str] | None = None
    for part in parts(book, spot, _ALL):
        if "$ref" in part.value and not book.modern:
            continue
        types = own_types(part, modern=book.modern)
        if types and types <= set(TYPES):
            types |= {"integer"} if "number" in types else set[str]()
            found = types if found is None else found & types
    return found


@rule(
    "type-never-possible", "schema", "error",
    "All of them have to agree: whoever sends the type that is written here is refused by the other schema.",
)  # fmt: skip
def type_never_possible(place: Place, book: Book) -> Iterator[Slip]:
    """A type is allowed here that a referenced or joined schema rules out."""
    spot = place.spot
    own = own_types(spot, modern=book.modern)
    joined = "allOf" in spot.value or (book.modern and "$ref" in spot.value)
    if not own or not joined or not own <= set(TYPES) or ("$ref" in spot.value and not book.modern):
        return
    left = _demanded(book, spot)
    lost = sorted(own - (left or frozenset()) - ({"number"} if left and "integer" in left else set()))
    if left is not None and lost:
        nothing = "; nothing is left" if not left else ""
        yield Slip(
            spot.child("type"),
            f"{' and '.join(lost)} can never be: another schema that holds here rules it out{nothing}",
            "anyOf of the reference and the other type" if left else "one type in all of them",
        )


@rule(
    "joined-parts-disagree", "schema", "warning",
    "All parts hold at once, so a client cannot know which of them was meant.",
)  # fmt: skip
def joined_parts_disagree(place: Place, book: Book) -> Iterator[Slip]:
    """Two parts of an allOf say different things of one member."""
    if not isinstance(place.spot.get("allOf"), list):
        return
    seen: dict[str, list[Spot]] = {}
    for part in parts(book, place.spot, _ALL):
        if isinstance(part.get("properties"), dict):
            for name, child in part.child("properties").children():
                if isinstance(child.value, dict):
                    seen.setdefault(str(name), []).append(child)
    for name, spots in seen.items():
        kinds = [_demanded(book, each) for each in spots]
        told = [each for each in kinds if each]
        if len(told) > 1 and not frozenset.intersection(*told):
            yield Slip(
                spots[0], f"{name!r} has types in two parts that exclude each other", "one type for it in all parts"
            )
        # A part that merely describes a member says nothing against its being read-only.
        marks = {each.get("readOnly") is True for each in spots if own_types(each, modern=book.modern)}
        if len(marks) > 1:
            yield Slip(
                spots[0],
                f"{name!r} is read-only in one part and not in another",
                "readOnly in both, or in a schema of its own for answers",
            )


@rule(
    "part-shuts-others-out", "schema", "error",
    "additionalProperties: false knows only the members beside it; those of other parts can never be sent.",
)  # fmt: skip
def part_shuts_others_out(place: Place, book: Book) -> Iterator[Slip]:
    """A part of an allOf forbids the members that another part describes."""
    if not isinstance(place.spot.get("allOf"), list):
        return
    joined = parts(book, place.spot, _ALL)
    named = {name for part in joined for name in cast("dict[str, Any]", part.get("properties") or {})}
    for part in joined:
        if part.get("additionalProperties") is False and not isinstance(part.get("patternProperties"), dict):
            shut = sorted(named - set(cast("dict[str, Any]", part.get("properties") or {})))
            if shut:
                instead = (
                    "unevaluatedProperties: false around the allOf"
                    if book.modern
                    else "no additionalProperties in parts of an allOf"
                )
                yield Slip(
                    part.child("additionalProperties"),
                    f"{', '.join(map(repr, shut[:3]))} of another part can never be sent",
                    instead,
                )


@rule(
    "alternatives-overlap", "schema", "note",
    "Exactly one may match: a value with the members of both is refused, although each alternative reads as if it allowed more.",
)  # fmt: skip
def alternatives_overlap(place: Place, book: Book) -> Iterator[Slip]:
    """Alternatives of a oneOf that only name different members."""
    spot = place.spot
    if not isinstance(spot.get("oneOf"), list) or "discriminator" in spot.value:
        return
    branches = [parts(book, each, _ALL) for _, each in spot.child("oneOf").children() if isinstance(each.value, dict)]
    told = [_members(branch) for branch in branches]
    # Alternatives of `required` alone are how "exactly one of these members" is written.
    if len(told) < 2 or any(each is None for each in told):
        return
    known = [each for each in told if each is not None]
    for at, (members, needed) in enumerate(known):
        for others, also in known[at + 1 :]:
            shared = set(members) & set(others)
            own, foreign = needed - set(others), also - set(members)
            if own and foreign and shared and not any(_apart(members[name], others[name]) for name in shared):
                yield Slip(
                    spot.child("oneOf"),
                    f"a value with {min(own)!r} and {min(foreign)!r} matches two alternatives and is refused",
                    "anyOf, if both may be there; if not, forbid the other member in each alternative",
                )
                return


def _members(branch: list[Spot]) -> tuple[dict[str, dict[str, Any]], set[str]] | None:
    """The members of an alternative and those it needs; None where it is no open object or has conditions."""
    members: dict[str, dict[str, Any]] = {}
    needed: set[str] = set()
    for part in branch:
        value = part.value
        if value.get("additionalProperties") is False or {
            "not",
            "if",
            "oneOf",
            "anyOf",
            "maxProperties",
            "unevaluatedProperties",
        } & set(value):
            return None
        if isinstance(value.get("properties"), dict):
            members |= {name: each for name, each in value["properties"].items() if isinstance(each, dict)}
        if isinstance(value.get("required"), list):
            needed |= {each for each in value["required"] if isinstance(each, str)}
    return (members, needed) if members else None


def _apart(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether a member has to differ between two alternatives, as one that tells their kind does."""
    return (
        any(
            set(map(str, one.get(key, ()) if key == "enum" else [one.get(key)]))
            != set(map(str, other.get(key, ()) if key == "enum" else [other.get(key)]))
            for key in ("enum", "const", "type")
            if key in one or key in other
        )
        or "$ref" in one
        or "$ref" in other
    )
