"""Texts in Arrow arrays become plain: lower-case ASCII words, codes and dates, each distinct value worked out once.

What all of them share: composed and decomposed letters, dotted and dotless i, emoji, marks of writing direction,
control characters and letter case make no difference; a value of which nothing is left is NULL.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
from anyascii import anyascii

CACHE = 200_000
# Symbols (emoji among them), marks of direction, unassigned: none of them tells one person from another.
_SILENT = {"So", "Sk", "Cf", "Cc", "Cn", "Co", "Cs", "Me"}


def over_distinct(values: pa.Array, function: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """`function`, which works value by value, applied to the distinct values of an array and spread again."""
    encoded = values.dictionary_encode()
    return function(encoded.dictionary).take(encoded.indices)


def decide(
    values: pa.Array, plain: pa.Array, found: pa.Array, by_library: Callable[[str], str | None]
) -> pa.Array:
    """`found` where `plain` is true; every other value is judged by itself. NULL stays NULL."""
    left = pc.and_not(pc.is_valid(values), pc.fill_null(plain, False))
    if not pc.any(left).as_py():
        return found
    judged = [by_library(value) for value in values.filter(left).to_pylist()]
    return pc.replace_with_mask(found, left, pa.array(judged, pa.string()))


def fold(values: pa.Array) -> pa.Array:
    """Texts in lower-case printable ASCII: plain ones as they are, all others transliterated by anyascii."""
    odd = pc.fill_null(pc.invert(pc.ascii_is_printable(values)), False)
    if pc.any(odd).as_py():
        plain = [to_ascii(value) for value in values.filter(odd).to_pylist()]
        values = pc.replace_with_mask(values, odd, pa.array(plain, pa.string()))
    return pc.ascii_lower(values)


@lru_cache(CACHE)
def to_ascii(value: str) -> str:
    """Printable ASCII for a text of any script; white space of any kind is a blank."""
    composed = unicodedata.normalize("NFC", value)
    spaced = (" " if char.isspace() else char for char in composed)
    heard = "".join(
        char for char in spaced if char.isascii() or unicodedata.category(char) not in _SILENT
    )
    return "".join(char for char in anyascii(heard) if char.isprintable())


def squeeze(values: pa.Array) -> pa.Array:
    """Single blanks between words and none around them; an empty text is NULL."""
    return null_if_empty(pc.ascii_trim_whitespace(pc.replace_substring_regex(values, " +", " ")))


def null_if_empty(values: pa.Array) -> pa.Array:
    """NULL in the place of empty texts."""
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)


def clean_texts(values: pa.Array) -> pa.Array:
    """Lower-case words and numbers with single blanks: streets, addresses, free texts."""
    return squeeze(pc.replace_substring_regex(fold(values), "[^a-z0-9]+", " "))


# What people and systems write where there is no code.
_NO_CODE = (
    r"^(?:0+|X+|NA|NAN|NIL|NONE|NULL|EMPTY|MISSING|UNKNOWN|UNDEFINED|NOTAPPLICABLE|NOTAVAILABLE|NOTKNOWN|NOTPROVIDED|"
    r"UNBEKANNT|KEINE?|INCONNU|AUCUNE?|DESCONOCIDO|NINGUN[AO]|SCONOSCIUTO|NESSUN[AO]?|ONBEKEND|GEEN)$"
)


def clean_codes(values: pa.Array) -> pa.Array:
    """Letters and digits in upper case: postcodes, card numbers, device ids. Placeholders (n/a, 0000) are NULL."""
    codes = pc.ascii_upper(pc.replace_substring_regex(fold(values), "[^a-z0-9]+", ""))
    return null_if_empty(pc.replace_substring_regex(codes, _NO_CODE, ""))


def postcode_areas(codes: pa.Array) -> pa.Array:
    """The larger area a cleaned postcode lies in, NULL if it is too short to tell.

    A code with letters (Britain, Canada) is without its last three characters, one of digits without its last two.
    """
    numeric = pc.ascii_is_decimal(codes)
    area = pc.if_else(
        numeric, pc.utf8_slice_codeunits(codes, 0, -2), pc.utf8_slice_codeunits(codes, 0, -3)
    )
    return null_if_empty(area)


def clean_dates(values: pa.Array) -> pa.Array:
    """ISO dates (``1980-02-03``, ``19800203``, or an instant that begins so) as ``yyyy-mm-dd``.

    Anything else, and a day that no calendar has, is NULL. Placeholders such as 1900-01-01 are dates like others:
    term frequencies make a date that many share weak evidence.
    """
    return pa.array([_iso_date(value) for value in values.to_pylist()], pa.string())


_MISTYPED = r"^(?P<year>[0-9]{4})-?(?P<month>[0-9]{2})-?(?P<day>[0-9]{2})(?:[T ].*)?$"


def clean_birth_dates(values: pa.Array) -> pa.Array:
    """Like `clean_dates`, but a day that no calendar has (``1851-02-83``) stays as it was typed.

    It is one keystroke away from the right day, which the comparison sees; no date at all would tell nothing. A year
    of zeros is a placeholder and NULL.
    """
    parts = pc.extract_regex(pc.utf8_trim_whitespace(values), _MISTYPED)
    typed = pc.binary_join_element_wise(
        *(pc.struct_field(parts, n) for n in ("year", "month", "day")), "-"
    )
    placeholder = pc.starts_with(typed, "0000")
    typed = pc.if_else(placeholder, pa.scalar(None, pa.string()), typed)
    return pc.coalesce(clean_dates(values), typed)


@lru_cache(CACHE)
def _iso_date(value: str | None) -> str | None:
    text = (value or "").strip()
    day, rest = (text[:10], text[10:]) if "-" in text[:10] else (text[:8], text[8:])
    if rest[:1] not in ("", "T", " ") or not day.replace("-", "").isascii():
        return None
    if not day.replace("-", "").isdigit():
        return None
    try:
        return date.fromisoformat(day).isoformat()
    except ValueError:
        return None


def distinct_words(values: pa.Array) -> pa.Array:
    """Sorted distinct words of cleaned texts, one list each."""
    words = [None if v is None else sorted(set(v.split())) for v in values.to_pylist()]
    return pa.array(words, pa.list_(pa.string()))


def first_letters(names: pa.Array, letters: int) -> pa.Array:
    """The first letters of cleaned names, blanks left out."""
    return pc.utf8_slice_codeunits(pc.replace_substring(names, " ", ""), 0, letters)
