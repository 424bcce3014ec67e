"""Examples of each JSON Schema format, good and bad, from its RFC."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """
    A value of a format, or one that misses it.

    ``slug`` is part of case ids and stays for ever. A ``value`` that starts with ``@`` is an
    expression relative to the sending instant: ``@now-1d``, then perhaps a strftime format.
    """

    slug: str
    value: str


@dataclass(frozen=True, slots=True)
class FormatExamples:
    """``good`` is right under any reading of the format, ``bad`` wrong under any, beginning with the nearest misses."""

    good: tuple[Example, ...]
    bad: tuple[Example, ...]


def examples(format_name: str) -> FormatExamples | None:
    """The examples of a registered format; None for any other name (``url``, ``int32``): it promises nothing."""
    return _FORMATS.get(format_name)


def _examples(good: dict[str, str], bad: dict[str, str]) -> FormatExamples:
    return FormatExamples(
        good=tuple(Example(slug, value) for slug, value in good.items()),
        bad=tuple(Example(slug, value) for slug, value in bad.items()),
    )


_EMAIL = _examples(
    {"plain": "ada.okafor@example.com", "plus-tag": "ada+orders@example.com", "subdomain": "ada@mail.example.org"},
    {"nothing-after-at": "a@", "no-at": "not-an-email", "empty": "", "two-ats": "ada@okafor@example.com"},
)

# What readings differ about is in neither list, so that no endpoint is called wrong for its reading.
_FORMATS: dict[str, FormatExamples] = {
    # RFC 3339, section 5.6. All but "yesterday" lie near now, so that a rule about the age of an order cannot be what
    # refuses them. Left out: no offset or a blank for the T (ISO 8601, or RFC 3339's own note, allow them), lower-case
    # t and z, a leap second, 24:00.
    "date-time": _examples(
        {
            "utc": "@now-1d %Y-%m-%dT%H:%M:%SZ",
            "fraction": "@now-1d %Y-%m-%dT%H:%M:%S.123Z",
            "offset": "@now-1d %Y-%m-%dT%H:%M:%S+02:00",
        },
        {
            "date-only": "@now-1d %Y-%m-%d",
            "month-13": "@now-1d %Y-13-40T%H:%M:%SZ",
            "word": "yesterday",
            "day-32": "@now-1d %Y-%m-32T%H:%M:%SZ",
            "hour-25": "@now-1d %Y-%m-%dT25:%M:%SZ",
            "minute-60": "@now-1d %Y-%m-%dT%H:60:%SZ",
            "second-61": "@now-1d %Y-%m-%dT%H:%M:61Z",
        },
    ),
    # RFC 3339, full-date, near now for the same reason. Left out: 2025-1-5, 20250120, ISO weeks and other spellings of a real day.
    "date": _examples(
        {"yesterday": "@date-1d"},
        {
            "february-30": "@date-1d %Y-02-30",
            "date-time": "@now-1d %Y-%m-%dT00:00:00Z",
            "day-first": "@date-1d %d-%m-%Y",
            "month-13": "@date-1d %Y-13-%d",
        },
    ),
    # RFC 3339, full-time. Left out: no offset, no seconds.
    "time": _examples(
        {"utc": "10:05:00Z", "fraction": "10:05:00.5Z", "offset": "10:05:00+02:00"},
        {"minute-60": "10:60:00Z", "hour-25": "25:05:00Z", "word": "noon", "second-61": "10:05:61Z"},
    ),
    # RFC 5321, section 4.1.2. Left out: quoted local parts, address literals, a domain of one label, blanks around.
    "email": _EMAIL,
    # RFC 6531. ASCII mailboxes are its subset; letters outside ASCII are what it adds.
    "idn-email": FormatExamples((*_EMAIL.good, Example("local-letters", "jürgen@example.com")), _EMAIL.bad),
    # RFC 3986, section 3. Left out: relative references and other schemes, which some read as no URI or as one too
    # many, brackets and letters outside ASCII.
    "uri": _examples(
        {
            "https": "https://images.example.com/goods/9.jpg",
            "query": "https://images.example.com/goods/9.jpg?size=200&alt=red%20mug",
        },
        {"blanks": "not a uri", "empty": ""},
    ),
    # RFC 3986, section 4.1. Left out: the empty text, a reference to the same document.
    "uri-reference": _examples(
        {"absolute": "https://example.com/orders/1", "path": "/orders/1", "relative": "orders/1?page=2"},
        {"blanks": "not a uri reference", "backslashes": "\\\\orders\\1"},
    ),
    # RFC 9562, section 4. Left out: braces, urn:uuid:, capitals, 32 digits without hyphens.
    "uuid": _examples(
        {"version-4": "9b2f4c1e-6d3a-4f58-8c07-1e5a2d9b7f60", "version-1": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
        {
            "letter-g": "9b2f4c1e-6d3a-4f58-8c07-1e5a2d9b7f6g",
            "short": "9b2f4c1e-6d3a-4f58-8c07-1e5a2d9b7f6",
            "word": "not-a-uuid",
        },
    ),
    # RFC 1123, section 2.1. Left out: underscores, a dot at the end, the empty text, names of digits.
    "hostname": _examples(
        {"plain": "shop.example.com", "hyphen": "my-shop.example.com"},
        {"hyphen-first": "-shop.example.com", "blank": "my shop.example.com", "long-label": f"{'a' * 64}.example.com"},
    ),
    # RFC 2673, section 3.2. Left out: leading zeros, fewer than four parts.
    "ipv4": _examples(
        {"plain": "192.0.2.10"},
        {"above-255": "192.0.2.256", "five-parts": "192.0.2.10.1", "word": "localhost"},
    ),
    # RFC 4291, section 2.2. Left out: zone ids.
    "ipv6": _examples(
        {"short": "2001:db8::1", "full": "2001:db8:0:0:8:800:200c:417a"},
        {"letter-g": "2001:db8::g", "nine-parts": "2001:db8:0:0:0:8:800:200c:417a", "two-gaps": "2001::db8::1"},
    ),
}
