"""Links to further pages, by the Link header (RFC 8288)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

if TYPE_CHECKING:
    from conformance.model import Exchange


def query(exchange: Exchange, relation: str) -> str:
    """
    The query of the link with a relation type (``next``), or an empty text.

    Only the query is taken: where a request goes is not the endpoint's to say.
    """
    header = exchange.response.header("link") if exchange.response else ""
    for part in header.split(","):
        target, _, attributes = part.strip().partition(">")
        words = attributes.replace(" ", "").replace('"', "").lower().split(";")
        if target.startswith("<") and f"rel={relation}" in words:
            return urlencode(parse_qsl(urlsplit(target[1:]).query, keep_blank_values=True))
    return ""
