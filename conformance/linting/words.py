"""Rules on how schemas are worded: misspelt keywords, names without a member, patterns that hold nothing."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, cast

from conformance import schemas as library
from conformance.errors import nearest
from conformance.linting.registry import Slip, rule
from conformance.linting.walk import parts
from conformance.openapi.dialect import LISTS, MAPS, NEWER, SINGLES, own_types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.linting.registry import Book, Place

_KEYWORDS = frozenset({
    *MAPS, *LISTS, *SINGLES, *NEWER, "type", "enum", "format", "pattern", "required", "title", "description", "default",
    "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems",
    "maxItems", "uniqueItems", "minProperties", "maxProperties", "nullable", "readOnly", "writeOnly", "deprecated",
    "discriminator", "xml", "externalDocs", "example", "$ref", "$id", "$anchor", "$schema", "$comment", "$vocabulary",
    "$dynamicRef", "$dynamicAnchor", "contentEncoding", "contentMediaType", "contentSchema", "definitions", "dependencies",
})  # fmt: skip
_CLOSE = 0.82
# One class or escaped letter and nothing else: "contains such a letter" is what it says, and nobody means the whole text.
_ONE_LETTER = re.compile(r"\\[A-Za-z]|\[[^\]]*\]|\\[^A-Za-z0-9]|[^\\\[\](){}.*+?|^$]")


@rule(
    "misspelt-keyword", "schema", "error",
    "Validators pass over words they do not know, so the limit does not exist.",
)  # fmt: skip
def misspelt_keyword(place: Place, _book: Book) -> Iterator[Slip]:
    """A keyword that is nearly one of JSON Schema's."""
    for keyword in place.spot.value:
        if keyword in _KEYWORDS or keyword.startswith("x-") or not isinstance(keyword, str):
            continue
        close = difflib.get_close_matches(keyword, sorted(_KEYWORDS), n=1, cutoff=_CLOSE)
        exact = [each for each in _KEYWORDS if each.lower() == keyword.lower().replace("_", "").replace("-", "")]
        if close or exact:
            yield Slip(place.spot.child(keyword), f"{keyword} is no keyword", f"{(exact or close)[0]}")


@rule(
    "required-on-the-member", "schema", "error",
    "Which members are needed is a list of names in the object; a boolean on the member says nothing, or fails.",
)  # fmt: skip
def required_on_the_member(place: Place, _book: Book) -> Iterator[Slip]:
    """`required: true` on a member."""
    value = place.spot.get("required")
    if isinstance(value, bool):
        name = str(place.spot.tokens[-1])
        instead = f"required: [{name}] in the object that has it" if value else "leave it out: members are optional"
        yield Slip(place.spot.child("required"), f"required is {str(value).lower()} here, not a list of names", instead)


@rule(
    "required-unknown", "schema", "warning",
    "A misspelt name demands something that nobody can know, and leaves the member that was meant optional.",
)  # fmt: skip
def required_unknown(place: Place, book: Book) -> Iterator[Slip]:
    """`required` names a member that the schema does not describe."""
    needed = place.spot.get("required")
    if not isinstance(needed, list) or ("$ref" in place.spot.value and not book.modern):
        return
    known: set[str] = set()
    seen: set[Any] = set()
    waiting = [place.top]
    while waiting:
        top = waiting.pop()
        if top.key in seen:
            continue
        seen.add(top.key)
        for part in parts(book, top):
            waiting += book.users.get(part.key, [])
            members = part.get("properties")
            known |= set(cast("dict[str, Any]", members)) if isinstance(members, dict) else set()
            if isinstance(part.get("patternProperties"), dict) or isinstance(part.get("additionalProperties"), dict):
                return
    # A schema without any member of its own describes nothing that a name could be missing from.
    for at, name in enumerate(needed if known else []):
        if isinstance(name, str) and name not in known:
            yield Slip(
                place.spot.child("required", at),
                f"{name!r} is required but not described",
                f"the name of a member; {nearest(name, known)}",
            )


def _alternatives(pattern: str) -> list[str]:
    """The alternatives of a pattern that ``|`` separates outside of groups and classes."""
    found, depth, in_class, at = [""], 0, False, 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "\\":
            found[-1] += pattern[at : at + 2]
            at += 2
            continue
        if in_class:
            in_class = letter != "]"
        elif letter == "[":
            in_class = True
        elif letter in "()":
            depth += 1 if letter == "(" else -1
        elif letter == "|" and depth == 0:
            found.append("")
            at += 1
            continue
        found[-1] += letter
        at += 1
    return found


def _anchors(text: str) -> tuple[bool, bool]:
    """Whether a pattern is bound to the start and to the end of a text, or reaches them by ``.*``."""
    while (
        len(text) > 1
        and text[0] == "("
        and text[-1] == ")"
        and text[1] != "?"
        and _alternatives(text[1:-1]) == [text[1:-1]]
        and text.count("(") == 1
    ):
        text = text[1:-1]
    last = text.endswith("$") and not text.endswith("\\$")
    return text.startswith(("^", ".*", "(?=", "(?!")), last or text.endswith((".*", ".*?"))


@rule(
    "unanchored-pattern", "schema", "warning",
    "Patterns are searched for, not matched as a whole: what stands around the fitting part is not looked at.",
)  # fmt: skip
def unanchored_pattern(place: Place, _book: Book) -> Iterator[Slip]:
    """A pattern that any text with a fitting part satisfies."""
    pattern = place.spot.get("pattern")
    if not isinstance(pattern, str) or _ONE_LETTER.fullmatch(pattern) or "$" in pattern.replace("\\$", "")[:-1]:
        return
    branches = _alternatives(pattern)
    ends = [_anchors(each) for each in branches]
    spot = place.spot.child("pattern")
    if len(branches) > 1 and ends[0] == (True, False) and ends[-1] == (False, True):
        whole = "|".join(branches)
        yield Slip(
            spot,
            "^ binds only the first alternative and $ only the last",
            f"^(?:{whole.removeprefix('^').removesuffix('$')})$",
        )
    elif not any(start or end for start, end in ends) and "^" not in re.sub(r"\[\^|\\\^", "", pattern):
        yield Slip(
            spot,
            f"the pattern {pattern!r} has no anchors",
            f"^{pattern}$" if len(branches) == 1 else f"^(?:{pattern})$",
        )
    elif len(branches) == 1 and ends[0] == (True, False) and re.search(r"\{[0-9]+(,[0-9]+)?\}$", pattern):
        yield Slip(spot, f"the pattern {pattern!r} ends in a count, after which anything may follow", f"{pattern}$")


@rule(
    "pattern-of-another-dialect", "schema", "error",
    "Validators fail on it, or search for letters that were meant as syntax.",
)  # fmt: skip
def pattern_of_another_dialect(place: Place, _book: Book) -> Iterator[Slip]:
    """A pattern that is no regular expression of ECMA 262."""
    pattern, spot = place.spot.get("pattern"), place.spot.child("pattern")
    if not isinstance(pattern, str):
        return
    if re.fullmatch(r"/\^.*\$/[a-z]*", pattern):
        yield Slip(
            spot, "the slashes are part of the pattern, which then matches nothing", pattern[1 : pattern.rindex("/")]
        )
    elif found := re.search(r"\(\?[aimsux]+\)|\(\?P[<=]|\\[AZz](?![a-z])|\[\[:", pattern):
        yield Slip(
            spot,
            f"{found[0]!r} is not known to ECMA 262",
            "^ and $ for ends, (?<name>…) for names, [A-Za-z] for either case",
        )
    elif not library.applicable({"pattern": pattern}):
        yield Slip(spot, f"{pattern!r} is no regular expression", "a pattern that compiles")


@rule(
    "members-without-type", "schema", "warning",
    "`properties` and `required` say nothing of other values: a text or a number passes in place of the object.",
)  # fmt: skip
def members_without_type(place: Place, book: Book) -> Iterator[Slip]:
    """Members are described, but nothing says that the value is an object."""
    if not isinstance(place.spot.get("properties"), dict) or ("$ref" in place.spot.value and not book.modern):
        return
    tops = [place.top, *book.users.get(place.top.key, [])]
    around = [part for top in tops for part in parts(book, top)]
    if not any(own_types(part, modern=book.modern) or "enum" in part.value or "const" in part.value for part in around):
        yield Slip(place.spot.child("properties"), "properties stand without a type", "type: object beside them")
