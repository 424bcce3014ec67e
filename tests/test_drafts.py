"""Drafts are realistic, add up, and depend on their arguments alone."""

import hashlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import conformance
from conformance.drafts import FACTS, Product, draft, fact
from conformance.goods import CATALOGUE, check_digit, offers
from conformance.people import COUNTRIES, fold

NOW = datetime(2026, 11, 20, 0, 30, tzinfo=UTC)
TOKEN = "k7m2qd"
REQUIRED = ("GB", "US", "CA", "AU", "NL", "DE", "FR", "SE", "IE", "ES", "IT", "BE", "PL")
POSTAL_CODES = {
    "GB": r"[A-Z]{1,2}\d{1,2} \d[ABD-HJLNP-UW-Z]{2}",
    "US": r"\d{5}",
    "CA": r"[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] \d[ABCEGHJ-NPRSTV-Z]\d",
    "AU": r"[2-7]\d{3}",
    "IE": r"[AC-FHKNPRTV-Y]\d[0-9W] [0-9AC-FHKNPRTV-Y]{4}",
    "NL": r"[1-9]\d{3} (?!SA|SD|SS)[A-Z]{2}",
    "DE": r"\d{5}",
    "FR": r"\d{5}",
    "SE": r"[1-9]\d{2} \d{2}",
    "ES": r"(0[1-9]|[1-4]\d|5[0-2])\d{3}",
    "IT": r"\d{5}",
    "BE": r"[1-9]\d{3}",
    "PL": r"\d{2}-\d{3}",
    "AT": r"[1-9]\d{3}",
    "CH": r"[1-9]\d{3}",
    "DK": r"[1-9]\d{3}",
    "NO": r"\d{4}",
    "FI": r"\d{5}",
    "PT": r"[1-9]\d{3}-\d{3}",
}
# What the regulators named in people.py keep for fiction.
FICTION = {
    "GB": r"\+441632960\d{3}",
    "US": r"\+1\d{3}55501\d{2}",
    "CA": r"\+1\d{3}55501\d{2}",
    "AU": r"\+61[2378]5550\d{4}",
    "IE": r"\+3532091\d{5}",
    "DE": r"\+49(3023125|6990009|4066969|2214710|8999998)\d{3}",
    "FR": r"\+33(19900|26191|35301|46571|53649)\d{4}",
    "SE": r"\+46(8465004|3139006|4062804)\d{2}",
}


def make(key="AL-001/plain", **arguments):
    return draft(key, **{"now": NOW, "token": TOKEN, **arguments})


def many(country, count=60):
    return [make(f"case-{index}", country=country) for index in range(count)]


def test_the_countries_that_packs_speak_of_are_there():
    assert set(REQUIRED) <= set(COUNTRIES)
    assert set(POSTAL_CODES) == set(COUNTRIES)


@pytest.mark.parametrize("country", sorted(COUNTRIES))
def test_address_fits_its_country(country):
    for made in many(country):
        address = made.address
        assert address.country == country
        assert re.fullmatch(POSTAL_CODES[country], address.postal_code), address
        place = next(place for place in COUNTRIES[country].places if place.city == address.city)
        assert address.province == place.province
        assert address.postal_code.startswith(place.postal_codes)
        assert address.street_name in address.street
        assert address.house_number in address.street
        assert all((address.unit, address.building, address.street_name, made.buyer.company))


def test_house_number_stands_where_the_country_puts_it():
    assert re.match(r"\d+ ", make(country="GB").address.street)
    assert re.match(r"\d+ ", make(country="FR").address.street)
    assert re.search(r" \d+$", make(country="DE").address.street)
    assert re.search(r", \d+$", make(country="ES").address.street)
    assert re.fullmatch(r"ul\. .+ \d+", make(country="PL").address.street)


@pytest.mark.parametrize("country", sorted(COUNTRIES))
def test_phone_is_e164_and_nobodys_where_the_country_keeps_numbers_for_fiction(country):
    for made in many(country):
        assert re.fullmatch(r"\+[1-9]\d{7,14}", made.buyer.phone)
        assert re.fullmatch(FICTION.get(country, r".*"), made.buyer.phone)


@pytest.mark.parametrize("country", sorted(COUNTRIES))
def test_email_is_plain_and_at_a_reserved_domain(country):
    for made in many(country):
        assert re.fullmatch(r"[a-z]+\.[a-z]+\d{1,3}@example\.(com|org|net)", made.buyer.email), made.buyer


@pytest.mark.parametrize("country", ["GB", "US", "CA", "AU", "IE"])
def test_english_speaking_orders_are_ascii(country):
    assert all(f"{made.buyer} {made.address}".isascii() for made in many(country))


@pytest.mark.parametrize("country", ["DE", "FR", "SE", "PL"])
def test_other_orders_keep_their_letters(country):
    assert not all(f"{made.buyer} {made.address}".isascii() for made in many(country))


def test_folding_keeps_every_letter():
    assert fold("Łukasz Groß, Søren Æbelø, Zoë Œuvre") == "Lukasz Gross, Soren Aebelo, Zoe Oeuvre"


@settings(deadline=None)  # the first draft of a country loads its names
@given(
    key=st.text(max_size=40),
    country=st.sampled_from(sorted(COUNTRIES)),
    currency=st.sampled_from([None, "EUR", "SEK", "USD"]),
    lines=st.integers(0, 12),
)
def test_totals_add_up(key, country, currency, lines):
    made = make(key, country=country, currency=currency, lines=lines)
    assert len(made.lines) == lines
    assert made.subtotal == sum(line.price * line.quantity for line in made.lines)
    assert made.discount == sum(line.discount * line.quantity for line in made.lines)
    assert made.total == made.subtotal - made.discount + made.shipping
    assert made.shipping > 0
    for amount in (made.subtotal, made.discount, made.total, made.shipping):
        assert amount.as_tuple().exponent == -2
    for line in made.lines:
        assert 1 <= line.quantity <= 3
        assert 0 <= line.discount <= line.price
        assert line.total == line.price * line.quantity
        assert line.weight > 0


def test_currency_is_the_countrys_own_unless_given():
    assert {country: make(country=country).currency for country in ("GB", "US", "CA", "AU", "SE", "PL", "NL")} == {
        "GB": "GBP", "US": "USD", "CA": "CAD", "AU": "AUD", "SE": "SEK", "PL": "PLN", "NL": "EUR",
    }  # fmt: skip
    assert make(country="GB", currency="EUR").currency == "EUR"


def test_amounts_and_quantities_keep_clear_of_the_usual_bounds():
    """An endpoint with a bound moved by one stumbles over the cases about that bound, not over every order."""
    lines = [line for index in range(20) for line in make(f"case-{index}", lines=20).lines]
    assert all(line.quantity >= 2 and line.grams > 1 for line in lines)
    assert all(Decimal(1) <= line.discount < line.price for line in lines)
    assert all(line.discount / line.price <= Decimal("0.2") for line in lines if line.discount > 1)


def test_article_numbers_have_their_check_digit():
    assert check_digit("400638133393") == "1"
    assert check_digit("734011291042") == "6"
    for line in make(lines=100).lines:
        assert re.fullmatch(r"952\d{10}", line.ean)
        assert check_digit(line.ean[:12]) == line.ean[12]
        assert re.fullmatch(r"\d{6}", line.hs_code)
        assert re.fullmatch(r"[A-Z]{2}", line.origin)
        assert line.image_url.startswith("https://images.example.com/")


def test_tracking_number_is_an_s10_item_number():
    for made in many("GB"):
        matched = re.fullmatch(r"CP(\d{8})(\d)GB", made.shipment.tracking_number)
        total = sum(int(digit) * weight for digit, weight in zip(matched[1], (8, 6, 4, 2, 3, 5, 9, 7), strict=True))
        assert int(matched[2]) == {0: 5, 1: 0}.get(total % 11, 11 - total % 11)


def test_a_hundred_lines_are_all_different():
    made = make(lines=100)
    assert len({line.sku for line in made.lines}) == 100
    assert len({line.id for line in made.lines}) == 100
    assert len({offer.sku for offer in offers(CATALOGUE)}) == len({offer.ean for offer in offers(CATALOGUE)}) == 120


def test_the_products_of_an_account_are_taken_as_they_are():
    card = Product("GC-25", "Gift card", lowest=Decimal("23.755"), highest=Decimal("23.755"), ean="4006381333931")
    made = make(catalogue=[card], lines=3, country="SE")
    assert {(line.sku, line.price, line.ean, line.variant) for line in made.lines} == {
        ("GC-25", Decimal("23.755"), "4006381333931", "Standard")
    }
    assert make(catalogue=[card], lines=3, country="SE").lines == made.lines


def test_times_hang_on_now():
    made = make()
    assert made.placed_at == NOW - timedelta(days=3)
    assert made.placed_at.date() < made.shipment.date < NOW.date()
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-7)))
    assert make(now=elsewhere) == made
    assert make(now=elsewhere).placed_at.tzinfo is UTC


def test_all_but_the_times_is_the_same_at_another_time():
    later = NOW + timedelta(days=40)
    made, then = make(), make(now=later)
    assert replace(then, placed_at=made.placed_at, shipment=made.shipment) == made


def test_ids_are_short_printable_and_carry_the_token():
    made = make()
    assert re.fullmatch(rf"T-{TOKEN}-[a-z2-7]{{10}}", made.id)
    assert made.number == made.id.replace("T-", "N-")
    assert len(made.id) == len(TOKEN) + 13


def test_other_keys_and_other_tokens_make_other_ids():
    made = [make(f"case-{index}", token=token) for index in range(500) for token in ("a", "b")]
    for values in ([each.id for each in made], [each.number for each in made], [each.lines[0].id for each in made]):
        assert len(set(values)) == len(made)
    assert make("b\nc", token="a").id != make("c", token="ab").id


SCRIPT = """
import hashlib, sys
from datetime import UTC, datetime
import conformance
from conformance.drafts import draft
from conformance.people import COUNTRIES
now = datetime(2026, 11, 20, 0, 30, tzinfo=UTC)
for country in sys.argv[1].split():
    made = draft("AL-001/plain", country=country, now=now, token="k7m2qd", lines=3)
    print(country, hashlib.sha256(repr(made).encode()).hexdigest())
"""


def run_elsewhere(*countries):
    """What another process makes of the same arguments, in the given order."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, " ".join(countries)],
        cwd=Path(conformance.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(ran.stdout.splitlines())


def test_another_process_makes_the_same(monkeypatch):
    """Neither the hash seed nor what was made before matters."""
    countries = sorted(COUNTRIES)
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    there = run_elsewhere(*countries)
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    assert run_elsewhere(*reversed(countries)) == there
    here = []
    for country in countries:
        made = draft("AL-001/plain", country=country, now=NOW, token=TOKEN, lines=3)
        here.append(f"{country} {hashlib.sha256(repr(made).encode()).hexdigest()}")
    assert here == there


def test_threads_do_not_disturb_each_other():
    wanted = [(f"case-{index}", country) for index in range(40) for country in REQUIRED]
    alone = [make(key, country=country) for key, country in wanted]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda each: make(each[0], country=each[1]), reversed(wanted)))
    assert together == alone[::-1]


def test_every_fact_can_be_read():
    made = make(lines=2)
    for name in FACTS:
        value = fact(made, made.lines[1], name)
        assert isinstance(value, (str, int, Decimal)), name
        assert value != "", name
    assert fact(made, None, "order.total") == made.total
    assert fact(made, made.lines[1], "line.price") == made.lines[1].price
    assert fact(made, None, "buyer.name") == f"{made.buyer.first_name} {made.buyer.last_name}"
    assert fact(made, None, "shipment.date") == "2026-11-19"
    assert fact(made, None, "address.subdivision") == f"GB-{made.address.province}"
    assert len(FACTS) == 8 + 6 + 10 + 15 + 3


@pytest.mark.parametrize("country", ["US", "CA", "AU", "IT"])
def test_a_subdivision_is_written_as_iso_3166_2_has_it(country):
    """In the countries whose addresses need one: the country, a hyphen and the code of its own that the order names."""
    for made in many(country):
        subdivision = fact(made, None, "address.subdivision")
        assert re.fullmatch(rf"{country}-[A-Z]{{2,3}}", subdivision)
        assert subdivision == f"{country}-{made.address.province}"


def test_an_unknown_fact_is_told_the_nearest():
    with pytest.raises(LookupError, match=r"no fact 'buyer.lastname': did you mean 'buyer.last_name'\?"):
        fact(make(), None, "buyer.lastname")


def test_a_fact_of_a_line_needs_one():
    with pytest.raises(LookupError, match=r"line.price is a fact of a line, and there is no line here"):
        fact(make(), None, "line.price")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"country": "UK"}, LookupError, "no addresses for country 'UK': "),
        ({"now": datetime(2026, 11, 20)}, ValueError, "now has no time zone"),  # noqa: DTZ001 - that is the point
        ({"token": "café"}, ValueError, "the token 'café' is not printable ASCII"),
        ({"catalogue": []}, ValueError, "the catalogue is empty"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        make(**arguments)
