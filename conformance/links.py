"""Links to further pages, by the Link header (RFC 8288)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

if TYPE_CHECKING:
    from conformance.model import Exchange


def query(exchange: Exchange, relation: str) -> str:
    """
    The query of the link with a relation type (``next``), or an empty text.

    Only the query is taken: where a request goes is not the endpoint's to say.
    """
    fields = exchange.response.headers if exchange.response else ()
    # Several fields of one name are one list (RFC 9110, section 5.3).
    header = ", ".join(value for name, value in fields if name.lower() == "link")
    # Commas part links, and may stand inside their addresses too.
    for target, attributes in re.findall(r"<([^>]*)>([^<]*)", header):
        relations = re.search(r';\s*rel\s*=\s*"?([^";,]*)', attributes, re.IGNORECASE)
        if relations and relation in relations[1].lower().split():
            return urlencode(parse_qsl(urlsplit(target).query, keep_blank_values=True))
    return ""
