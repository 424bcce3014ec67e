"""Buyers with their addresses, each true to a country: the only module that imports Faker."""

from __future__ import annotations

import threading
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from conformance.errors import nearest

if TYPE_CHECKING:
    from random import Random

    from faker import Faker


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who orders. ``email`` is ASCII, lower case, at a domain that RFC 2606 reserves; ``phone`` is E.164."""

    first_name: str
    last_name: str
    email: str
    phone: str
    company: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, slots=True)
class Address:
    """
    Where the goods go.

    ``street`` is ``street_name`` and ``house_number`` in the local order; ``country`` is
    alpha-2; ``province`` an ISO 3166-2 code without its country (``CA``, not ``US-CA``).
    """

    street: str
    street_name: str
    house_number: str
    unit: str
    building: str
    city: str
    postal_code: str
    country: str
    province: str

    @property
    def subdivision(self) -> str:
        """The province with its country, as ISO 3166-2 writes it: ``US-CA``."""
        return f"{self.country}-{self.province}"


class Place(NamedTuple):
    """A real city with its subdivision and real postal codes of it, or the areas they begin with."""

    city: str
    province: str
    postal_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Country:
    """
    How a country writes addresses, and what it pays with.

    ``street``, ``unit`` and ``building`` are format strings. In ``phones`` each ``#`` is
    any digit; in ``tail``, what a postal code has after its area, ``#`` is a digit, ``@`` one of
    ``letters`` and ``*`` either. Names lose their accents where ``ascii_names``.
    """

    locale: str
    currency: str
    carrier: str
    street: str
    unit: str
    building: str
    phones: tuple[str, ...]
    places: tuple[Place, ...]
    tail: str = ""
    letters: str = ""
    ascii_names: bool = False


def _places(text: str) -> tuple[Place, ...]:
    rows = (row.split("/") for row in text.split("; "))
    return tuple(Place(city, province, tuple(codes.split(","))) for city, province, codes in rows)


_BEFORE, _AFTER, _COMMA = "{number} {name}", "{name} {number}", "{name}, {number}"

# Phones: GB (Ofcom), US and CA (NANPA, 555-01xx), AU (ACMA), IE (ComReg, 020 91x), DE (Bundesnetzagentur, 148/2021),
# FR (Arcep) and SE (PTS) keep numbers for fiction, and these are they. The other countries keep none that we know of:
# theirs have the right shape, and nobody dials them. Postal codes without a tail are whole and real.
COUNTRIES: dict[str, Country] = {
    "GB": Country(
        "en_GB", "GBP", "Royal Mail", _BEFORE, "Flat {}", "Block {}", ("+441632960###",),
        _places("Leeds/LDS/LS1,LS6,LS8; Manchester/MAN/M1,M4,M14; Birmingham/BIR/B1,B13,B17; Bristol/BST/BS1,BS6,BS8;"
                " Edinburgh/EDH/EH1,EH3,EH9; Cardiff/CRF/CF10,CF11,CF24; Sheffield/SHF/S1,S7,S10; Belfast/BFS/BT1,BT7"),
        tail=" #@@", letters="ABDEFGHJLNPQRSTUWXYZ", ascii_names=True,
    ),
    "US": Country(
        "en_US", "USD", "USPS", _BEFORE, "Apt {}", "Building {}",
        ("+141555501##", "+150355501##", "+151255501##", "+161755501##", "+121255501##"),
        _places("San Francisco/CA/94103,94110,94117; Portland/OR/97201,97209,97214; Austin/TX/78701,78704;"
                " Chicago/IL/60601,60614,60622; Boston/MA/02108,02116; Denver/CO/80202,80205; Seattle/WA/98101,98109;"
                " New York/NY/10003,10011,10025; Minneapolis/MN/55401,55408"),
        ascii_names=True,
    ),
    "CA": Country(
        "en_CA", "CAD", "Canada Post", _BEFORE, "Unit {}", "Tower {}",
        ("+141655501##", "+151455501##", "+160455501##", "+140355501##"),
        _places("Toronto/ON/M5V,M4Y,M6G; Ottawa/ON/K1P,K1S; Montreal/QC/H2X,H3B; Vancouver/BC/V6B,V5K;"
                " Calgary/AB/T2P,T2R; Winnipeg/MB/R3C,R3L; Halifax/NS/B3H,B3J"),
        tail=" #@#", letters="ABCEGHJKLMNPRSTVWXYZ", ascii_names=True,
    ),
    "AU": Country(
        "en_AU", "AUD", "Australia Post", _BEFORE, "Unit {}", "Building {}",
        ("+6125550####", "+6135550####", "+6175550####", "+6185550####"),
        _places("Sydney/NSW/2000; Newcastle/NSW/2300; Melbourne/VIC/3000,3004; Geelong/VIC/3220; Brisbane/QLD/4000;"
                " Perth/WA/6000; Adelaide/SA/5000; Hobart/TAS/7000"),
        ascii_names=True,
    ),
    "IE": Country(
        "en_IE", "EUR", "An Post", _BEFORE, "Apartment {}", "Block {}", ("+3532091#####",),
        _places("Dublin/D/D01,D02,D04,D08; Cork/CO/T12,T23; Galway/G/H91; Limerick/LK/V94; Waterford/WD/X91"),
        tail=" ****", letters="ACDEFHKNPRTVWXY", ascii_names=True,
    ),
    "NL": Country(
        "nl_NL", "EUR", "PostNL", _AFTER, "Appartement {}", "Gebouw {}", ("+31205550###",),
        _places("Amsterdam/NH/1012,1017,1074; Rotterdam/ZH/3011,3022; Den Haag/ZH/2511,2595; Utrecht/UT/3511,3581;"
                " Eindhoven/NB/5611,5616; Groningen/GR/9711,9726; Maastricht/LI/6211"),
        # No S: the Dutch post gives out no SA, SD or SS.
        tail=" @@", letters="ABCDEGHJKLMNPRTVWXZ",
    ),
    "DE": Country(
        "de_DE", "EUR", "DHL", _AFTER, "Wohnung {}", "Haus {}",
        ("+493023125###", "+496990009###", "+494066969###", "+492214710###", "+498999998###"),
        _places("Berlin/BE/10115,10437,10967; Hamburg/HH/20095,20357; München/BY/80331,80799; Köln/NW/50667,50823;"
                " Frankfurt am Main/HE/60311,60486; Leipzig/SN/04109,04229; Stuttgart/BW/70173; Bremen/HB/28195"),
    ),
    "FR": Country(
        "fr_FR", "EUR", "Colissimo", _BEFORE, "Appartement {}", "Bâtiment {}",
        ("+3319900####", "+3326191####", "+3335301####", "+3346571####", "+3353649####"),
        _places("Paris/IDF/75003,75011,75018; Lyon/ARA/69002,69003,69007; Marseille/PAC/13001,13006;"
                " Toulouse/OCC/31000; Lille/HDF/59000; Nantes/PDL/44000; Strasbourg/GES/67000; Rennes/BRE/35000"),
    ),
    "SE": Country(
        "sv_SE", "SEK", "PostNord", _AFTER, "Lgh 1{:03}", "Hus {}", ("+468465004##", "+463139006##", "+464062804##"),
        _places("Stockholm/AB/111 22,113 46,116 45,118 50; Göteborg/O/411 03,413 01; Malmö/M/211 22,214 20;"
                " Uppsala/C/753 10; Lund/M/222 22; Linköping/E/582 22; Umeå/AC/903 26"),
    ),
    "ES": Country(
        "es_ES", "EUR", "Correos", _COMMA, "Piso {}", "Edificio {}", ("+34915550###",),
        _places("Madrid/M/28001,28013; Barcelona/B/08001,08015; Valencia/V/46001,46003; Sevilla/SE/41001,41003;"
                " Bilbao/BI/48001; Zaragoza/Z/50001; Málaga/MA/29001"),
    ),
    "IT": Country(
        "it_IT", "EUR", "Poste Italiane", _AFTER, "Interno {}", "Scala {}", ("+3906555#####",),
        _places("Roma/RM/00184,00185; Milano/MI/20121,20144; Torino/TO/10121; Firenze/FI/50122,50123;"
                " Bologna/BO/40121; Napoli/NA/80121; Padova/PD/35121"),
    ),
    "BE": Country(
        "nl_BE", "EUR", "bpost", _AFTER, "Bus {}", "Gebouw {}", ("+3225550###",),
        _places("Brussel/BRU/1000; Antwerpen/VAN/2000,2018; Gent/VOV/9000; Leuven/VBR/3000; Brugge/VWV/8000;"
                " Mechelen/VAN/2800; Hasselt/VLI/3500"),
    ),
    "PL": Country(
        "pl_PL", "PLN", "Poczta Polska", "ul. {name} {number}", "m. {}", "Budynek {}", ("+48225550###",),
        _places("Warszawa/14/00-001,02-520; Kraków/12/30-059,31-042; Wrocław/02/50-101,53-333; Gdańsk/22/80-233,80-831;"
                " Poznań/30/61-772; Łódź/10/90-001,90-406"),
    ),
    "AT": Country(
        "de_AT", "EUR", "Österreichische Post", _AFTER, "Top {}", "Haus {}", ("+4315550###",),
        _places("Wien/9/1010,1070; Graz/6/8010,8020; Linz/4/4020; Salzburg/5/5020; Innsbruck/7/6020"),
    ),
    "CH": Country(
        "de_CH", "CHF", "Die Post", _AFTER, "Wohnung {}", "Haus {}", ("+41445550###",),
        _places("Zürich/ZH/8001,8004; Winterthur/ZH/8400; Bern/BE/3011; Basel/BS/4051; Luzern/LU/6003"),
    ),
    "DK": Country(
        "da_DK", "DKK", "DAO", _AFTER, "Lejlighed {}", "Bygning {}", ("+4535550###",),
        _places("København Ø/84/2100; Aarhus C/82/8000; Odense C/83/5000; Aalborg/81/9000"),
    ),
    "NO": Country(
        "no_NO", "NOK", "Posten", _AFTER, "Leilighet {}", "Bygg {}", ("+4722550###",),
        _places("Oslo/03/0150,0155; Bergen/46/5003; Stavanger/11/4006; Trondheim/50/7010; Tromsø/55/9008"),
    ),
    "FI": Country(
        "fi_FI", "EUR", "Posti", _AFTER, "As. {}", "Talo {}", ("+35895550###",),
        _places("Helsinki/18/00100,00530; Tampere/11/33100; Turku/19/20100; Oulu/14/90100"),
    ),
    "PT": Country(
        "pt_PT", "EUR", "CTT", _COMMA, "Apartamento {}", "Bloco {}", ("+351215550###",),
        _places("Lisboa/11/1100,1200; Porto/13/4000,4050; Coimbra/06/3000; Braga/03/4700"),
        tail="-###",
    ),
}  # fmt: skip

_DOMAINS = ("example.com", "example.org", "example.net")
# Faker's English streets ("Derek Mountain", "Emily Stravenue") are no addresses; a surname and one of these is.
_ENGLISH_STREETS = ("Street", "Road", "Avenue", "Lane", "Close", "Drive", "Place", "Way")
# Letters that Unicode does not take apart.
_FOLDED = str.maketrans(
    {"ß": "ss", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "đ": "d", "Đ": "D"}
)
_LOCK = threading.Lock()


def country(code: str) -> Country:
    """The country of an alpha-2 code. Raises LookupError, naming the nearest, when it is not in the table."""
    try:
        return COUNTRIES[code]
    except KeyError:
        raise LookupError(f"no addresses for country {code!r}: {nearest(code, COUNTRIES)}") from None


def fold(text: str) -> str:
    """``text`` in ASCII, without accents: ``Łukasz Groß`` becomes ``Lukasz Gross``."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKD", text.translate(_FOLDED)).encode("ascii", "ignore").decode()


_PROVIDERS = ("faker.providers.person", "faker.providers.company", "faker.providers.address")
# So many people of each locale are enough: making one takes longer than all the rest of an order.
_PEOPLE = 128


class _Names(NamedTuple):
    first_name: str
    last_name: str
    company: str
    street_name: str


@cache
def _faker(locale: str) -> Faker:
    from faker import Faker  # noqa: PLC0415 - a seventh of a second, and only who makes orders needs it

    # Weights make English names ten times as slow and a little truer; of twenty other providers nothing is asked.
    return Faker(locale, providers=list(_PROVIDERS), use_weighting=False)


@lru_cache(maxsize=1024)
def _names(locale: str, seed: int) -> _Names:
    # One generator serves every thread; seeded anew inside the lock, it cannot carry anything over.
    with _LOCK:
        fake = _faker(locale)
        fake.seed_instance(seed)
        english = locale.startswith("en_")
        street = f"{fake.last_name()} {fake.random_element(_ENGLISH_STREETS)}" if english else fake.street_name()
        return _Names(fake.first_name(), fake.last_name(), fake.company(), street)


@lru_cache(maxsize=1024)
def _person(code: str, seed: int) -> tuple[_Names, str]:
    """Somebody's names as their country writes them, and the local part of their email address."""
    land = country(code)
    names = _names(land.locale, seed)
    if land.ascii_names:
        names = _Names(*(fold(name) for name in names))
    local_part = ".".join(
        "".join(letter for letter in fold(name).lower() if letter.isalpha())
        for name in (names.first_name, names.last_name)
    )
    return names, local_part


@lru_cache(maxsize=256)
def _choices(mask: str, letters: str) -> tuple[str, ...]:
    sets = {"#": "0123456789", "@": letters, "*": "0123456789" + letters}
    return tuple(sets.get(char, char) for char in mask)


def _filled(mask: str, random: Random, letters: str = "") -> str:
    choice = random.choice
    return "".join([choice(each) if len(each) > 1 else each for each in _choices(mask, letters)])


def household(code: str, seed: int, random: Random) -> tuple[Buyer, Address]:
    """
    A buyer with an address in one country; the same for the same ``seed`` and state of ``random``.

    Names and streets are Faker's and change with its version: another Faker makes other,
    equally valid people of the same seed. Raises LookupError for a country not in the table.
    """
    land = country(code)
    names, local_part = _person(code, seed % _PEOPLE)
    place = random.choice(land.places)
    number = str(random.randint(1, 180))
    buyer = Buyer(
        first_name=names.first_name,
        last_name=names.last_name,
        email=f"{local_part}{random.randint(2, 999)}@{random.choice(_DOMAINS)}",
        phone=_filled(random.choice(land.phones), random),
        company=names.company,
    )
    address = Address(
        street=land.street.format(number=number, name=names.street_name),
        street_name=names.street_name,
        house_number=number,
        unit=land.unit.format(random.randint(1, 40)),
        building=land.building.format(random.choice("ABCDEF")),
        city=place.city,
        postal_code=random.choice(place.postal_codes) + _filled(land.tail, random, land.letters),
        country=code,
        province=place.province,
    )
    return buyer, address
