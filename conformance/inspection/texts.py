"""What the bytes of a request say, and what is odd about the bytes themselves."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.model import Json

# The words for odd bytes are those by which cases of a pack make such bodies.
BOM = "bom"
LATIN = "latin-1"
TWICE = "duplicate-key"


@dataclass(frozen=True, slots=True)
class Text:
    """
    What bytes say.

    ``oddities`` are (word, what was found) of bytes that say something all the same; ``broken`` tells why
    they say nothing, and ``line`` and ``column`` where that begins to show.
    """

    value: Json = None
    oddities: tuple[tuple[str, str], ...] = ()
    broken: str = ""
    line: int = 1
    column: int = 1


class _Constant(ValueError):  # noqa: N818  # caught where it is raised
    """A word such as NaN, which is no JSON."""


def read(raw: bytes) -> Text:
    """What bytes say as JSON by RFC 8259; a byte order mark, other encodings and repeated members are told."""
    found: list[tuple[str, str]] = []
    if raw.startswith(codecs.BOM_UTF8):
        found.append((BOM, "a byte order mark before it"))
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        found.append((LATIN, f"the byte 0x{raw[error.start]:02x} at {error.start}, which is no UTF-8"))
    twice: list[str] = []

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) < len(pairs):
            names = [name for name, _ in pairs]
            twice.extend(sorted({name for name in names if names.count(name) > 1}))
        return result

    try:
        value = json.loads(decoded(raw), object_pairs_hook=made, parse_constant=_constant)
    except json.JSONDecodeError as error:
        why = f"{error.msg} (line {error.lineno}, column {error.colno})"
        return Text(broken=why, line=error.lineno, column=error.colno)
    except _Constant as error:
        return Text(broken=str(error))
    except RecursionError:
        return Text(broken="nested too deep to be read")
    except ValueError:
        return Text(broken="a number too long to be read")
    found += [(TWICE, f"the member {json.dumps(name)} more than once in one object") for name in dict.fromkeys(twice)]
    return Text(value, tuple(found))


def decoded(raw: bytes) -> str:
    """The text of bytes, whatever they are encoded in; without a byte order mark."""
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _constant(word: str) -> Json:
    raise _Constant(f"{word}, which is no JSON")
