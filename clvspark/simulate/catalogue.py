"""Products and campaigns as the shop's back office exports them: small, written by the driver."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from itertools import product
from pathlib import Path
from typing import Final

from clvspark.simulate.settings import Campaign

PRICE_BANDS: Final = (5.0, 8.0, 10.0, 12.0, 14.0, 16.0, 20.0, 30.0)  # lower bounds
PRODUCTS_PER_BAND: Final = 15
_CATEGORIES: Final = ("Rock", "Pop", "Jazz", "Classical", "Folk", "Soul", "Electronic", "Children")
_FIRST: Final = ("Silver", "Distant", "Quiet", "Golden", "Broken", "Midnight", "Paper", "Winter",
                 "Open", "Second", "Hollow", "Bright")  # fmt: skip
_SECOND: Final = ("Rivers", "Letters", "Gardens", "Engines", "Harbours", "Mirrors", "Stations",
                  "Lanterns", "Horizons", "Echoes")  # fmt: skip
_COST_SHARE: Final = Decimal("0.62")


def write_products(path: Path) -> int:
    """Write products.csv (price band by price band) and return the number of products."""
    titles = [f"{a} {b}" for a, b in product(_FIRST, _SECOND)]
    ceilings = (*PRICE_BANDS[1:], 45.0)
    rows = []
    for band, (low, high) in enumerate(zip(PRICE_BANDS, ceilings, strict=True)):
        for place in range(PRODUCTS_PER_BAND):
            number = band * PRODUCTS_PER_BAND + place
            price = _cents(Decimal(low) + Decimal(high - low) * place / PRODUCTS_PER_BAND)
            category = _CATEGORIES[number * 5 % len(_CATEGORIES)]
            cost = _cents(price * _COST_SHARE)
            rows.append((f"P{number + 1:04d}", titles[number], category, price, cost))
    return _write(path, ("product_id", "name", "category", "list_price", "unit_cost"), rows)


def write_campaigns(path: Path, campaigns: tuple[Campaign, ...]) -> int:
    """Write campaigns.csv and return the number of campaigns."""
    header = (
        "campaign_id", "name", "channel", "starts_on", "ends_on", "cost_per_contact", "offer",
    )  # fmt: skip
    rows = [
        (c.campaign_id, c.name, "email", c.starts_on, c.ends_on, c.cost_per_contact, c.offer)
        for c in campaigns
    ]
    return _write(path, header, rows)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def _write(path: Path, header: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return len(rows)
