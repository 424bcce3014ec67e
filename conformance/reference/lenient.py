"""Bodies read by parsers that take more than JSON, as many in wide use do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast

from conformance import bodies

if TYPE_CHECKING:
    from conformance.model import Json

_COMMA_AT_THE_END = re.compile(r",(?=\s*[}\]])")


def read(raw: bytes, taken: str = "") -> Json:
    """
    What a body says, to a parser that takes one kind of mistake: by the names of ``@body`` expressions.

    Raises ValueError or RecursionError for any other.
    """
    try:
        return bodies.read(raw)
    except ValueError:
        if not taken:
            raise
    text = raw.decode(errors="replace" if taken == "bad-utf-8" else "strict")
    if taken == "trailing-text":
        return cast("Json", json.JSONDecoder().raw_decode(text)[0])
    if taken == "trailing-comma":
        return bodies.read(_COMMA_AT_THE_END.sub("", text).encode())
    if taken == "single-quotes":
        return bodies.read(text.replace("'", '"').encode())
    if taken == "control-character":
        return cast("Json", json.loads(text, strict=False, parse_constant=_refused))
    if taken in ("nan", "infinity"):
        # It passes every bound, as it does where a bound is held by a comparison that is never true.
        word = {"nan": "NaN", "infinity": "Infinity"}[taken]
        return cast("Json", json.loads(text, parse_constant=lambda found: 1 if found == word else _refused(found)))
    return bodies.read(text.encode())


def _refused(word: str) -> Json:
    raise ValueError(f"{word} is no JSON")
