"""The examples of formats are what two independent validators take them for."""

import re
from datetime import UTC, datetime, timedelta

import jsonschema
import jsonschema_rs
import pytest

from conformance.formats import examples

FORMATS = (
    "date-time", "date", "time", "email", "idn-email", "uri", "uri-reference", "uuid", "hostname", "ipv4", "ipv6",
)  # fmt: skip
# jsonschema looks for an @ in an email and for nothing else.
BEYOND_JSONSCHEMA = {(name, slug) for name in ("email", "idn-email") for slug in ("nothing-after-at", "two-ats")}
NOW = datetime(2026, 11, 20, 9, 15, tzinfo=UTC)


def evaluated(value):
    """``@date-1d`` and ``@now-1d FORMAT``: the part of the packs' expressions that the examples use."""
    if not value.startswith("@"):
        return value
    days, form = re.fullmatch(r"@(?:now|date)-(\d)d(?: (.+))?", value).groups()
    return (NOW - timedelta(days=int(days))).strftime(form or "%Y-%m-%d")


def cases(kind):
    return [
        pytest.param(name, example, id=f"{name}-{example.slug}")
        for name in FORMATS
        for example in getattr(examples(name), kind)
    ]


def by_jsonschema(name, value):
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    assert name in checker.checkers, "the extra format-nongpl is missing"
    return jsonschema.Draft202012Validator({"format": name}, format_checker=checker).is_valid(value)


def by_jsonschema_rs(name, value):
    return jsonschema_rs.Draft202012Validator({"format": name}, validate_formats=True).is_valid(value)


@pytest.mark.parametrize(("name", "example"), cases("good"))
def test_good_examples_are_valid(name, example):
    value = evaluated(example.value)
    assert by_jsonschema(name, value)
    assert by_jsonschema_rs(name, value)


@pytest.mark.parametrize(("name", "example"), cases("bad"))
def test_bad_examples_are_invalid(name, example):
    value = evaluated(example.value)
    assert by_jsonschema(name, value) is ((name, example.slug) in BEYOND_JSONSCHEMA)
    assert not by_jsonschema_rs(name, value)


@pytest.mark.parametrize("name", FORMATS)
def test_slugs_are_words_and_unique(name):
    both = examples(name)
    slugs = [example.slug for example in (*both.good, *both.bad)]
    assert len(set(slugs)) == len(slugs)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) for slug in slugs)
    assert both.good
    assert both.bad


def test_bad_date_times_are_near_now_apart_from_their_fault():
    values = {example.slug: evaluated(example.value) for example in examples("date-time").bad}
    assert values == {
        "word": "yesterday",
        "month-13": "2026-13-40T09:15:00Z",
        "date-only": "2026-11-19",
        "day-32": "2026-11-32T09:15:00Z",
        "hour-25": "2026-11-19T25:15:00Z",
        "minute-60": "2026-11-19T09:60:00Z",
        "second-61": "2026-11-19T09:15:61Z",
    }


def test_names_that_nobody_registered_have_no_examples():
    assert examples("url") is None
    assert examples("int32") is None
