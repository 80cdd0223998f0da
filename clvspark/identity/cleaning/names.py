"""Names of persons in Arrow arrays: plain letters, parts of a whole name, and what a given name may be short for."""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
from nicknames import NickNamer

from clvspark.identity.cleaning.text import CACHE, fold, over_distinct, squeeze

# Before a name: how its bearer is spoken to.
HONORIFICS = {
    "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "professor", "sir", "dame", "lord", "lady", "rev", "reverend",
    "rt", "hon", "herr", "frau", "mme", "mlle", "monsieur", "madame", "sr", "sra", "srta",
}  # fmt: skip
# After a name: which one of a family it is, and what was bestowed.
SUFFIXES = [
    "jr", "jnr", "junior", "sr", "snr", "senior", "ii", "iii", "iv", "vi", "vii", "viii", "ix",
    "esq", "esquire", "phd", "md", "obe", "mbe", "cbe", "bt", "bart", "baronet",
]  # fmt: skip
_RANKS = [
    "baronet", "bart", "bt", "baron", "baroness", "earl", "viscount", "marquess", "marquis", "duke", "lord",
]  # fmt: skip
# Before a surname and part of it.
PARTICLES = [
    "van", "von", "zu", "zur", "vom", "der", "den", "het", "ten", "ter", "de", "del", "della", "di", "da", "dos",
    "das", "du", "la", "le", "al", "el", "bin", "ibn", "mac", "mc", "st", "saint", "af", "av",
]  # fmt: skip

_ORDINAL = rf",? [0-9]+(?:st|nd|rd|th)\b(?: (?:{'|'.join(_RANKS)})\b)?"
_BEFORE = rf"^(?:(?:{'|'.join(sorted(HONORIFICS))}) +)+"
_TITLE_ALONE = rf"^(?:{'|'.join(sorted(HONORIFICS))})$"
_AFTER = rf"(?:,? +(?:{'|'.join(SUFFIXES)}))+$"
_SWAPPED = r"^(?P<surname>[^,]*),(?P<given>.*)$"
_IN_ORDER = rf"^(?P<given>.*?\S) (?P<surname>(?:(?:{'|'.join(PARTICLES)}) )*\S+)$"
_nicknames = NickNamer()


def clean_names(values: pa.Array) -> pa.Array:
    """Lower-case ASCII letters of a name, its words apart by single blanks: ``anne marie``, ``obrien``."""
    words = pc.replace_substring(fold(values), "-", " ")
    return squeeze(pc.replace_substring_regex(words, "[^a-z ]+", ""))


def clean_surnames(values: pa.Array) -> pa.Array:
    """Like `clean_names`; a single letter is NULL.

    'Jane S' tells an initial; compared as a surname it would contradict 'Smith'.
    """
    names = clean_names(values)
    return pc.if_else(pc.greater(pc.binary_length(names), 1), names, pa.scalar(None, pa.string()))


def split_names(values: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Cleaned given names and surnames of whole names, 'Given Surname' or 'Surname, Given'.

    Honorifics, numerals (jr, IV, 1st Baronet) and awards are left out; particles (van der, de) belong to the
    surname; a single word is a given name.
    """
    plain = squeeze(pc.replace_substring_regex(fold(values), r"[^a-z0-9,\- ]+", ""))
    whole = _without(plain, _ORDINAL, r"[, ]+$", _BEFORE, _AFTER)
    swapped = pc.extract_regex(whole, _SWAPPED)
    in_order = pc.extract_regex(whole, _IN_ORDER)
    alone = pc.if_else(
        pc.or_(pc.is_valid(swapped), pc.is_valid(in_order)), pa.scalar(None, pa.string()), whole
    )
    given = pc.coalesce(
        pc.struct_field(swapped, "given"), pc.struct_field(in_order, "given"), alone
    )
    surname = pc.coalesce(pc.struct_field(swapped, "surname"), pc.struct_field(in_order, "surname"))
    return _part(given), _part(surname)


def _part(names: pa.Array) -> pa.Array:
    trimmed = pc.ascii_trim_whitespace(names)
    return clean_names(_without(trimmed, _BEFORE, _AFTER, _TITLE_ALONE))


def _without(texts: pa.Array, *patterns: str) -> pa.Array:
    for pattern in patterns:
        texts = pc.replace_substring_regex(texts, pattern, "")
    return texts


def join_names(given: pa.Array, surname: pa.Array) -> pa.Array:
    """Whole names in natural order."""
    return pc.coalesce(pc.binary_join_element_wise(given, surname, " "), given, surname)


@lru_cache(CACHE)
def name_forms(given: str) -> list[str]:
    """The given name and every name it may be short for."""
    first = given.split(maxsplit=1)[0]
    return sorted({first, *_nicknames.canonicals_of(first)})


@lru_cache(CACHE)
def is_given_name(name: str) -> bool:
    """Whether the dictionary of nicknames knows a name as a given name, in full or short."""
    return bool(_nicknames.canonicals_of(name) or _nicknames.nicknames_of(name))


def _are_given_names(names: pa.Array) -> pa.Array:
    known = [name is not None and is_given_name(name) for name in names.to_pylist()]
    return pa.array(known, pa.bool_())


def lone_surnames(given: pa.Array, surname: pa.Array) -> pa.Array:
    """True where a single word stands for the whole name and is not known as a given name."""
    alone = pc.and_not(pc.is_null(surname), pc.fill_null(pc.match_substring(given, " "), True))
    known = over_distinct(given, _are_given_names)
    return pc.and_not(alone, pc.fill_null(known, True))


def list_forms(names: pa.Array) -> pa.Array:
    """`name_forms` of cleaned given names."""
    forms = [None if name is None else name_forms(name) for name in names.to_pylist()]
    return pa.array(forms, pa.list_(pa.string()))
