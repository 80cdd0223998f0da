"""Names, streets and towns with realistic (Zipf) frequencies, built from Faker's word lists.

Only the lists are used: a Faker call per person would be slow and depend on call order.
"""

from __future__ import annotations

from functools import cache
from itertools import islice, product
from typing import Final

from faker.providers.address.en_GB import Provider as BritishAddress
from faker.providers.person.en_GB import Provider as BritishPerson
from faker.providers.person.en_US import Provider as AmericanPerson

from clvspark.simulate.draws import weighted_words

_TOWN_ENDINGS = ("ton", "bury", "borough", "chester", "mouth", "haven", "side", "burgh", "town")
_STREET_ENDINGS = ("Road", "Street", "Lane", "Avenue", "Close", "Gardens", "Terrace", "Way")
_LONG_TAIL_SHARE = 0.25  # of the people bear a surname outside the British list
_TOWNS = 600
_STREETS = 800

# Area codes with six-digit local numbers.
_AREA_CODES = (
    "01223", "01244", "01273", "01392", "01522", "01603",
    "01752", "01772", "01865", "01904", "01905", "01962",
)  # fmt: skip

# Reserved for documentation, so that no address belongs to anyone.
EMAIL_DOMAINS: Final = weighted_words(
    ("mail.example.com", "inbox.example.com", "post.example.net", "home.example.org"),
    (0.45, 0.25, 0.2, 0.1),
    20,
)


def _zipf(count: int, offset: float) -> list[float]:
    return [1.0 / (rank + offset) for rank in range(1, count + 1)]


@cache
def given_names(gender: str) -> list[str]:
    """Return given names of 'f' or 'm', the most common repeated most often."""
    female, male = BritishPerson.first_names_female, BritishPerson.first_names_male
    names = female if gender == "f" else male
    return weighted_words(names, _zipf(len(names), 12.0), 2_000)


@cache
def surnames() -> list[str]:
    """Return surnames weighted by the published British shares, with a long tail of others."""
    british = dict(BritishPerson.last_names)
    others = {n: w for n, w in AmericanPerson.last_names.items() if n not in british}
    scale = _LONG_TAIL_SHARE / (1 - _LONG_TAIL_SHARE) * sum(british.values()) / sum(others.values())
    names = [*british, *others]
    return weighted_words(names, [*british.values(), *(w * scale for w in others.values())], 8_000)


@cache
def streets() -> list[str]:
    """Return street names; a few stand in every town."""
    stems = ("Church", "Mill", "Station", "Park", "Victoria", "Green", "Manor", "Queens")
    more = tuple(islice(BritishPerson.last_names, _STREETS // len(_STREET_ENDINGS)))
    names = [f"{s} {e}" for s, e in islice(product((*stems, *more), _STREET_ENDINGS), _STREETS)]
    return weighted_words(names, _zipf(len(names), 40.0), 3_000)


@cache
def towns() -> list[str]:
    """Return towns as 'name;postcode district;telephone area code', larger ones more often."""
    stems = tuple(BritishPerson.last_names)
    zones = BritishAddress.POSTAL_ZONES_TWO_CHARS
    entries = [
        f"{stems[i * 7 % len(stems)]}{_TOWN_ENDINGS[i % len(_TOWN_ENDINGS)]}"
        f";{zones[i % len(zones)]}{1 + i // len(zones) + i % 9}"
        f";{_AREA_CODES[i % len(_AREA_CODES)]}"
        for i in range(_TOWNS)
    ]
    return weighted_words(entries, _zipf(_TOWNS, 20.0), 4_000)
