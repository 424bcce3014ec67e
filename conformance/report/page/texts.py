"""Foreign text made safe to look at: what would hide, reorder or drown its surroundings is shown for what it is."""

from __future__ import annotations

import json
import re
from typing import Any

# A page that shows five megabytes of one letter shows nothing.
LONGEST = 20_000
# Control characters, soft hyphens, zero-width and direction marks, line separators, lone surrogates and tags:
# a reader would see none of them, and some would turn the text around them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def _named(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def has_unseen(text: str) -> bool:
    """Whether a reader would not see all of a text."""
    return _UNSEEN.search(text) is not None


def visible(text: str, longest: int = LONGEST) -> str:
    r"""Text with unseen characters written out as ``\u202e``, and cut with a note where it is longer than ``longest``."""
    cut = text[:longest]
    shown = _UNSEEN.sub(_named, cut)
    return shown if len(cut) == len(text) else f"{shown}… ({len(text):,} characters; report.json has all of them)"


def shown(value: Any) -> str:
    """A JSON value as text, as it would stand in a body."""
    return json.dumps(value, ensure_ascii=False)


def island(data: Any) -> str:
    """Data as JSON for a ``<script>`` element: nothing in it can end the element, begin a comment or break a line."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
