"""YAML with places: what a text says by YAML 1.2, and the line and column of every member. A door to PyYAML."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

# Deeper than any description goes; what comes after walks the tree by recursion.
_DEEPEST = 200
# Aliases are written once and count as often as they are used: a few lines can stand for billions of members.
_MOST = 10_000_000
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# Booleans to readers of YAML 1.1, texts to readers of YAML 1.2.
_TWO_WAYS = re.compile(r"(?i)(y|yes|no|n|on|off)")


class Malformed(ValueError):  # noqa: N818  # the text is wrong, not the program
    """A text that is no YAML or JSON, with the place where that shows."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line, self.column = line, column


@dataclass(slots=True)
class Tree:
    """
    What a text says.

    ``places`` has (line, column), counted from 1, of each member of each container, by its
    ``id()``. ``repeated`` are keys that stand twice in one mapping, ``two_ways`` values that readers
    of YAML 1.1 and 1.2 take differently.
    """

    data: Any = None
    places: dict[int, dict[Any, tuple[int, int]]] = field(default_factory=dict[int, dict[Any, tuple[int, int]]])
    repeated: list[tuple[str, int, int]] = field(default_factory=list[tuple[str, int, int]])
    two_ways: list[tuple[str, int, int]] = field(default_factory=list[tuple[str, int, int]])


@dataclass(slots=True)
class _Open:
    """A container whose end has not come yet; ``key`` is the member that is being read."""

    value: Any
    anchor: str
    size: int = 1
    key: str | None = None
    merged: list[Any] = field(default_factory=list[Any])


class _Builder:
    """Makes a tree from events, without recursion: the libraries' own composers fall over deep nesting."""

    def __init__(self) -> None:
        self.tree = Tree()
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._documents = 0

    def take(self, event: Any) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(self._stack) >= _DEEPEST:
                raise Malformed(f"nested more than {_DEEPEST} deep", line, column)
            value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            self._mark(line, column, value)
            self.tree.places[id(value)] = {}
            self._stack.append(_Open(value, event.anchor or ""))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._close()
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line, column)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(str(event.anchor), line, column)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise Malformed("a second document begins; give one document a file", line, column)

    def _scalar(self, event: Any, line: int, column: int) -> None:
        top = self._stack[-1] if self._stack else None
        if top and isinstance(top.value, dict) and top.key is None:
            self._key(top, event, line, column)
            return
        value: Any = event.value
        if event.implicit[0] and not event.style:
            value = _plain(value)
            if isinstance(value, str) and _TWO_WAYS.fullmatch(value):
                self.tree.two_ways.append((value, line, column))
        self._mark(line, column, value)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._add(value, 1, line, column)

    def _key(self, top: _Open, event: Any, line: int, column: int) -> None:
        top.key = str(event.value)
        if top.key in top.value and top.key != "<<":
            self.tree.repeated.append((top.key, line, column))
        self.tree.places[id(top.value)][top.key] = (line, column)

    def _alias(self, anchor: str, line: int, column: int) -> None:
        if any(each.anchor == anchor for each in self._stack):
            raise Malformed(f"*{anchor} stands inside of what it repeats", line, column)
        if anchor not in self._anchors:
            raise Malformed(f"*{anchor} repeats nothing: there is no &{anchor} before it", line, column)
        value, size = self._anchors[anchor]
        self._mark(line, column, value)
        self._add(value, size, line, column)

    def _mark(self, line: int, column: int, value: Any) -> None:
        top = self._stack[-1] if self._stack else None
        if top is None:
            return
        if isinstance(top.value, list):
            self.tree.places[id(top.value)][len(top.value)] = (line, column)
        elif top.key is None:
            raise Malformed(
                f"a member's name has to be a text, not {'a list' if value == [] else 'an object'}", line, column
            )

    def _close(self) -> None:
        done = self._stack.pop()
        for other in done.merged:
            for row in other if isinstance(other, list) else [other]:
                if isinstance(row, dict):
                    for key, value in cast("dict[str, Any]", row).items():
                        done.value.setdefault(key, value)
        if done.anchor:
            self._anchors[done.anchor] = (done.value, done.size)
        self._add(done.value, done.size, 0, 0)

    def _add(self, value: Any, size: int, line: int, column: int) -> None:
        if not self._stack:
            self.tree.data = value
            return
        top = self._stack[-1]
        top.size += size
        if top.size > _MOST:
            raise Malformed("its aliases stand for more than ten million members", line, column)
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key == "<<":
            top.merged.append(value)
            top.key = None
        else:
            top.value[top.key] = value
            top.key = None


def _plain(text: str) -> Any:
    """An unquoted scalar by YAML 1.2, so that ``NO`` is a country and ``2026-01-31`` a text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < 400 else text
    return float(text) if _FLOAT.fullmatch(text) else text


def read(text: str) -> Tree:
    """What a YAML text says, with places. Raises Malformed."""
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem or error.context).replace("\n", " ")
        raise Malformed(problem, mark.line + 1 if mark else 0, mark.column + 1 if mark else 0) from None
    except yaml.YAMLError as error:
        raise Malformed(str(error).splitlines()[0]) from None
    return builder.tree


class _Writer(yaml.SafeDumper):
    """Writes what readers of YAML 1.1 and 1.2 take alike: texts that either takes for something else stand in quotes."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(writer: _Writer, value: str) -> yaml.ScalarNode:
    plain = isinstance(_plain(value), str) and not _TWO_WAYS.fullmatch(value)
    return writer.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')


_Writer.add_representer(str, _text)


def write(data: Any) -> str:
    """Plain JSON data as YAML, members in their order."""
    return yaml.dump(data, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=120)
