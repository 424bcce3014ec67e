"""TOML, written as people write it: rows of a list as tables, small values in one line."""

from __future__ import annotations

import json
import re
from typing import Any, cast


def line(key: str, value: Any) -> str:
    """One key with its value."""
    return f"{name(key)} = {inline(value)}"


def name(key: str) -> str:
    """A key, quoted where it has to be."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else text(key)


def text(value: str) -> str:
    """A text in double quotes."""
    # JSON's escapes are TOML's; beside them, TOML wants the last control character escaped.
    clean = value.encode("utf-8", "replace").decode()
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")


def inline(value: Any) -> str:
    """A value on one line. There is no null in TOML; packs write ``@null``."""
    if value is None:
        return '"@null"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return json.dumps(value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return f"[{', '.join(map(inline, value))}]"
    pairs = [line(key, each) for key, each in cast("dict[str, Any]", value).items()]
    return f"{{ {', '.join(pairs)} }}" if pairs else "{}"


def table(heading: str, values: dict[str, Any]) -> str:
    """A table: its heading and a line a key; long lists have a line an element."""
    rows = [heading]
    for key, value in values.items():
        one = line(key, value)
        if len(one) > 110 and isinstance(value, list):
            rows += [f"{name(key)} = [", *(f"  {inline(each)}," for each in value), "]"]
        else:
            rows.append(one)
    return "\n".join(rows) + "\n"
