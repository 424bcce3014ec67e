"""The goods that order drafts are made of: plain data, chosen by others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Product:
    """
    Something a shop sells.

    ``weight`` is kilograms a unit; ``hs_code`` six digits of the Harmonized System;
    ``origin`` an alpha-2 country; ``lowest`` and ``highest`` bound the price of one unit,
    both included, and are that price exactly where they are equal. Each of ``variants`` is
    sold under an SKU of its own, made of ``sku`` and the variant; without variants ``sku``
    is the whole SKU, as for the products of an account. ``ean`` is for a product whose
    article number is known; the others get one that belongs to nobody.
    """

    sku: str
    name: str
    variants: tuple[str, ...] = ()
    description: str = "As shown in the shop."
    weight: Decimal = Decimal("0.25")
    hs_code: str = "950300"
    origin: str = "GB"
    lowest: Decimal = Decimal("10.00")
    highest: Decimal = Decimal("20.00")
    ean: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """One product in one variant: what a line of an order names. Not yet its price."""

    product: Product
    sku: str
    variant: str
    ean: str
    image_url: str


def check_digit(digits: str) -> str:
    """The last digit of the EAN-13 that begins with these twelve (GS1 General Specifications, 7.9)."""
    total = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits))
    return str(-total % 10)


def _ean(sku: str) -> str:
    # GS1 keeps the prefix 952 for demonstrations: the number can be no real article's.
    number = int.from_bytes(hashlib.sha256(sku.encode()).digest()[:8])
    digits = f"952{number % 10**9:09d}"
    return digits + check_digit(digits)


def _offer(product: Product, variant: str) -> Offer:
    code = "".join(word[:3] for word in variant.upper().split())
    sku = f"{product.sku}-{code}" if variant else product.sku
    return Offer(
        product=product,
        sku=sku,
        variant=variant or "Standard",
        ean=product.ean or _ean(sku),
        image_url=f"https://images.example.com/goods/{quote(sku.lower(), safe='')}.jpg",
    )


@lru_cache(maxsize=64)
def _offers(catalogue: tuple[Product, ...]) -> tuple[Offer, ...]:
    return tuple(_offer(product, variant) for product in catalogue for variant in product.variants or ("",))


def offers(catalogue: Sequence[Product]) -> tuple[Offer, ...]:
    """All products in all their variants, in the order of the catalogue."""
    # Hashing the house catalogue takes longer than drawing from it.
    return _HOUSE if catalogue is CATALOGUE else _offers(tuple(catalogue))


# SKU stem, name, variants, description, kilograms, HS code (2022 edition), origin, lowest and highest price of one
# unit in pounds, euros or dollars. Thirty products of four variants: a hundred lines can all be different.
# fmt: off
_TABLE = (
    ("MUG-35", "Stoneware mug 350 ml", "White/Sage/Slate/Ochre", "Glazed stoneware, safe in the dishwasher.", "0.38", "691200", "PT", "9.50", "16.00"),
    ("BWL-18", "Porcelain bowl 18 cm", "White/Blue/Ink/Green", "Deep bowl for soup or cereal.", "0.52", "691110", "PT", "12.00", "22.00"),
    ("BRD-40", "Bamboo chopping board", "Small/Medium/Large/Extra large", "Oiled bamboo with a juice groove.", "0.95", "441911", "VN", "14.00", "32.00"),
    ("BTL-75", "Steel water bottle 750 ml", "Black/Silver/Navy/Coral", "Insulated, keeps cold for a day.", "0.36", "732393", "CN", "18.00", "29.00"),
    ("TWL-BA", "Cotton bath towel", "White/Sand/Teal/Charcoal", "Terry cotton, 70 x 140 cm.", "0.60", "630260", "TR", "15.00", "28.00"),
    ("BED-DC", "Duvet cover, printed cotton", "Single/Double/King/Super king", "Woven cotton with a floral print.", "1.20", "630221", "PK", "35.00", "79.00"),
    ("CUS-45", "Cushion cover 45 cm", "Mustard/Rust/Forest/Indigo", "Cotton canvas with a hidden zip.", "0.22", "630492", "IN", "12.00", "24.00"),
    ("CDL-22", "Scented candle 220 g", "Fig/Cedar/Linen/Amber", "Soy wax, burns for forty hours.", "0.41", "340600", "GB", "14.00", "26.00"),
    ("FRM-A4", "Wooden picture frame A4", "Oak/Walnut/Black/White", "Solid wood with acrylic glazing.", "0.70", "441490", "PL", "13.00", "25.00"),
    ("LMP-DK", "LED desk lamp", "Black/White/Brass/Green", "Dimmable, with a jointed arm.", "1.35", "940521", "CN", "34.00", "69.00"),
    ("TEE-CT", "Cotton T-shirt", "S/M/L/XL", "Heavy jersey of organic cotton.", "0.19", "610910", "BD", "16.00", "29.00"),
    ("SHT-LN", "Linen shirt", "S/M/L/XL", "Loose fit with a button-down collar.", "0.28", "620590", "LT", "45.00", "78.00"),
    ("JMP-WL", "Lambswool jumper", "S/M/L/XL", "Knitted crew neck.", "0.46", "611011", "GB", "59.00", "110.00"),
    ("SCF-WL", "Woven wool scarf", "Heather/Moss/Cream/Plaid", "Brushed wool, 180 cm long.", "0.24", "621420", "GB", "28.00", "55.00"),
    ("SOX-WL", "Wool socks, two pairs", "36 to 38/39 to 41/42 to 44/45 to 47", "Ribbed, reinforced at heel and toe.", "0.14", "611594", "IT", "12.00", "21.00"),
    ("HAT-BN", "Knitted beanie", "Black/Camel/Burgundy/Grey", "Double layer with a turned-up edge.", "0.09", "650500", "IT", "15.00", "27.00"),
    ("BLT-LE", "Leather belt", "85 cm/95 cm/105 cm/115 cm", "Full-grain leather, brass buckle.", "0.26", "420330", "ES", "25.00", "49.00"),
    ("WLT-LE", "Leather wallet", "Tan/Black/Brown/Olive", "Six pockets for cards.", "0.11", "420231", "ES", "29.00", "58.00"),
    ("BPK-20", "Canvas backpack 20 l", "Black/Khaki/Navy/Stone", "Waxed canvas with a laptop sleeve.", "0.88", "420292", "VN", "49.00", "95.00"),
    ("UMB-FD", "Folding umbrella", "Black/Red/Dots/Checks", "Opens at the push of a button.", "0.39", "660191", "CN", "16.00", "30.00"),
    ("SOP-OL", "Olive oil soap, three bars", "Plain/Lavender/Lemon/Rose", "Cold pressed, without palm oil.", "0.32", "340111", "FR", "9.00", "17.00"),
    ("HND-CR", "Hand cream 75 ml", "Almond/Shea/Calendula/Unscented", "For dry skin.", "0.10", "330499", "FR", "8.00", "18.00"),
    ("COF-1K", "Roasted coffee 1 kg", "Beans/Filter/Espresso/Cafetiere", "Medium roast with notes of cocoa.", "1.04", "090121", "IT", "17.00", "32.00"),
    ("TEA-GR", "Green tea 100 g", "Sencha/Jasmine/Mint/Genmaicha", "Loose leaf in a tin.", "0.18", "090210", "JP", "8.50", "19.00"),
    ("CHO-70", "Dark chocolate, five bars", "Plain/Sea salt/Orange/Hazelnut", "Seventy per cent cocoa.", "0.53", "180632", "BE", "14.00", "24.00"),
    ("NTB-A5", "Notebook A5", "Plain/Ruled/Dotted/Squared", "192 pages, bound in thread.", "0.31", "482010", "DE", "9.00", "19.50"),
    ("PEN-FT", "Fountain pen", "Fine/Medium/Broad/Italic", "Steel nib, takes cartridges.", "0.05", "960830", "DE", "18.00", "42.00"),
    ("PZL-1K", "Jigsaw puzzle, 1000 pieces", "Harbour/Mountain/Library/Garden", "Finished size 70 x 50 cm.", "0.74", "950300", "NL", "13.00", "23.00"),
    ("CRD-54", "Playing cards", "Red/Blue/Green/Gold", "Linen finish, in a box.", "0.10", "950440", "ES", "6.00", "12.50"),
    ("MAT-YG", "Yoga mat", "Plum/Graphite/Sky/Sand", "Natural rubber, 5 mm thick.", "1.60", "950691", "PT", "28.00", "64.00"),
)
# fmt: on

CATALOGUE: tuple[Product, ...] = tuple(
    Product(
        sku,
        name,
        tuple(variants.split("/")),
        description,
        Decimal(weight),
        hs_code,
        origin,
        Decimal(lowest),
        Decimal(highest),
    )
    for sku, name, variants, description, weight, hs_code, origin, lowest, highest in _TABLE
)
_HOUSE = _offers(CATALOGUE)
