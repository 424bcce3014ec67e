"""What others say, so that it can be printed."""

from __future__ import annotations


def printable(text: str) -> str:
    """A line in which nothing commands the terminal."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
