"""Phone numbers in Arrow arrays, in E.164 as phonenumbers writes them.

Numbers of the usual shapes are decided by regular expressions over the whole array, made from the library's own
numbering plan of the country; everything else goes to the library, value by value. That both ways agree is held by
tests/unit/identity/test_clean_contacts.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from clvspark.identity.cleaning.text import CACHE, decide

_PLAIN = r"^[+(]?[0-9][0-9 ().\-]*$"


@dataclass(frozen=True)
class _Plan:
    """Regular expressions over the digits of a number; the named group is the national number."""

    code: str
    abroad: str
    home: str
    national: str
    sized: str
    has_prefix: str
    not_home: str


def clean_phones(values: pa.Array, country: str) -> pa.Array:
    """Phone numbers in E.164; national ones are of `country`; what cannot be a number is NULL."""
    plan = _plan(country)
    if plan is None:
        nothing = pa.nulls(len(values), pa.string())
        return decide(values, pc.is_valid(nothing), nothing, lambda v: clean_phone(v, country))
    plain = pc.match_substring_regex(values, _PLAIN)
    digits = pc.replace_substring_regex(values, r"[ ().\-]+", "")
    abroad = _national(digits, plan.abroad)
    home = _national(digits, plan.home)
    # With a national prefix the whole must not be a national number as well, or the prefix would stay.
    whole = pc.and_(pc.not_equal(home, digits), pc.match_substring_regex(digits, plan.national))
    unclear = pc.or_(pc.match_substring_regex(digits, plan.not_home), whole)
    home = pc.if_else(unclear, pa.scalar(None, pa.string()), home)
    national = pc.coalesce(abroad, home)
    valid = pc.and_(
        pc.match_substring_regex(national, plan.national),
        pc.match_substring_regex(national, plan.sized),
    )
    fits = pc.and_not(valid, pc.match_substring_regex(national, plan.has_prefix))
    found = pc.binary_join_element_wise(pa.scalar(f"+{plan.code}"), national, "")
    return decide(
        values, pc.and_kleene(plain, fits), found, lambda value: clean_phone(value, country)
    )


def _national(digits: pa.Array, pattern: str) -> pa.Array:
    return pc.struct_field(pc.extract_regex(digits, pattern), "national")


@lru_cache(CACHE)
def clean_phone(value: str, country: str) -> str | None:
    """Phone number in E.164 by phonenumbers, None if it cannot be one."""
    try:
        number = phonenumbers.parse(value, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache
def _plan(country: str) -> _Plan | None:
    """Plan of a country, None where it shares its code with a greater one or its prefixes are no plain digits."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country)
    if metadata is None or metadata.country_code is None or metadata.general_desc is None:
        return None
    code, general, idd = (
        str(metadata.country_code),
        metadata.general_desc,
        metadata.international_prefix,
    )
    prefix = metadata.national_prefix or ""
    others = _other_prefixes(metadata.national_prefix_for_parsing or "", prefix)
    main = phonenumbers.region_code_for_country_code(metadata.country_code)
    if others is None or main != country or not idd:
        return None
    lengths = set(general.possible_length) - set(general.possible_length_local_only)
    sized = "|".join(rf"\d{{{n}}}" for n in sorted(lengths))
    return _Plan(
        code=code,
        abroad=rf"^(?:\+{f'|{idd}' if idd.isdigit() else ''}){code}(?P<national>\d+)$",
        home=rf"^(?:{prefix})?(?P<national>\d+)$",
        national=rf"^(?:{general.national_number_pattern})$",
        sized=rf"^(?:{sized})$",
        has_prefix=_any("0", prefix, others),
        not_home=_any(idd, "" if code == prefix else code, others),
    )


def _other_prefixes(parsed: str, prefix: str) -> str | None:
    """What else than the national prefix is taken off before a national number; None if that cannot be told."""
    if parsed == prefix:
        return ""
    if not prefix.isdigit():
        return None
    others = parsed.removeprefix(f"{prefix}|")
    others = others.removesuffix(f"|{prefix}") if others == parsed else others
    try:
        re.compile(others)
    except re.error:
        return None
    return None if others == parsed else others


def _any(*alternatives: str) -> str:
    return rf"^(?:{'|'.join(a for a in alternatives if a)})"
