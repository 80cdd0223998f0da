"""What kind of thing a column holds: told by its name, in several languages, and always tested on its values.

Works on a sample of one column on the driver; what it says holds shares and counts, never a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
from nicknames import name_triplets

from clvspark.identity.cleaning.contacts import clean_emails
from clvspark.identity.cleaning.names import clean_names, split_names
from clvspark.identity.cleaning.phones import clean_phones
from clvspark.identity.cleaning.text import clean_codes, clean_dates, clean_texts
from clvspark.identity.propose.column_names import kind_of_name
from clvspark.identity.settings import Kind

_UNUSABLE: dict[str, str] = {
    "truth": "its name says that it is the truth, which must not reach a model",
    "number": "its name says that it is a number in a street, which tells nothing by itself",
}
# Shapes of postcodes that nothing else has.
_POSTCODE = (
    r"^(?:[A-Z]{1,2}[0-9][0-9A-Z]?[0-9][A-Z]{2}|[A-Z][0-9][A-Z][0-9][A-Z][0-9]|[0-9]{4}[A-Z]{2})$"
)
_PHONE = r"^(?:\+|0)[0-9 ().\-/]{6,}$"
_ADDRESS = r"^[0-9]+[a-z]? .*[a-z]{2}|[a-z]{2}.* [0-9]+[a-z]?$"
# Shares of the values that must be of a kind: where the name says so, where it does not, of names in a dictionary.
_NAMED, _UNNAMED, _DICTIONARY = 0.5, 0.8, 0.4
_FEW_VALUES = 20


@dataclass(frozen=True)
class Finding:
    """Kind of a column, None where it is left out, and why; `named`: its name says what it is."""

    column: str
    kind: Kind | None
    reason: str
    filled: float
    distinct: int
    named: bool = False


def detect_kind(column: str, values: pa.Array, *, country: str) -> Finding:
    """Kind of a column from its name and a sample of its values as texts."""
    known = values.drop_null()
    known = known.filter(pc.not_equal(pc.utf8_trim_whitespace(known), ""))
    distinct = pc.count_distinct(known).as_py()
    kind, reason = _judge(column, known, distinct, country)
    filled = len(known) / len(values) if len(values) else 0.0
    return Finding(column, kind, reason, filled, distinct, kind_of_name(column) is not None)


def _judge(column: str, known: pa.Array, distinct: int, country: str) -> tuple[Kind | None, str]:
    if not len(known):
        return None, "it is empty"
    if distinct == 1:
        return None, "it has one value only"
    match kind_of_name(column):
        case None:
            return _by_values(known, distinct, country)
        case "truth" | "number" as unusable:
            return None, _UNUSABLE[unusable]
        case kind:
            share = _share(known, kind, country)
    if share >= _NAMED:
        return kind, f"by its name; {share:.0%} of its values are of the kind"
    hint = "; write dates as yyyy-mm-dd" if kind == "birth_date" else ""
    return None, f"its name says {kind}, but {share:.0%} of its values only are of the kind{hint}"


def _share(known: pa.Array, kind: str, country: str) -> float:
    """Share of the values that are of a kind."""
    if kind == "identifier":
        return _part(pc.greater_equal(pc.binary_length(clean_codes(known)), 3))
    if kind == "postcode":
        return _part(pc.match_substring_regex(clean_codes(known), "^[0-9A-Z]{3,10}$"))
    if kind == "full_name":
        return _part(pc.is_valid(split_names(known)[1]))
    cleaners = {
        "email": clean_emails,
        "phone": lambda values: clean_phones(values, country),
        "birth_date": clean_dates,
        "given_name": clean_names,
        "surname": clean_names,
    }
    return _part(pc.is_valid(cleaners.get(kind, clean_texts)(known)))


def _part(matches: pa.Array) -> float:
    return pc.mean(pc.fill_null(matches, False).cast(pa.float64())).as_py() or 0.0


def _by_values(known: pa.Array, distinct: int, country: str) -> tuple[Kind | None, str]:
    """Kind by the values alone; the shapes are tried from the most to the least telling."""
    codes, texts = clean_codes(known), clean_texts(known)
    dates = _share(known, "birth_date", country)
    if dates >= _UNNAMED:
        return (
            None,
            f"{dates:.0%} of its values are dates, and nothing says that they are dates of birth",
        )
    given, surname = split_names(known)
    few = _effective_values(known)
    many = few >= _FEW_VALUES
    is_phone = pc.and_(
        pc.match_substring_regex(known, _PHONE), pc.is_valid(clean_phones(known, country))
    )
    whole, alone = given.filter(pc.is_valid(surname)), given.filter(pc.is_null(surname))
    shares: list[tuple[Kind, float, float]] = [
        ("email", _share(known, "email", country), _UNNAMED),
        ("postcode", _part(pc.match_substring_regex(codes, _POSTCODE)), _UNNAMED),
        ("phone", _part(is_phone), _UNNAMED),
        ("full_name", many and _in_dictionary(whole, of=len(known)), _DICTIONARY),
        ("given_name", many and _in_dictionary(alone, of=len(known)), _DICTIONARY),
        ("address", _part(pc.match_substring_regex(texts, _ADDRESS)), _NAMED),
    ]
    for kind, share, bar in shares:
        if share >= bar:
            return kind, f"by its values, {share:.0%} of which are of the kind"
    single = _part(pc.match_substring_regex(known, r"^\S*[0-9]\S*$"))
    if (
        single >= _UNNAMED
        and distinct >= len(known) / 2
        and _share(known, "identifier", country) >= _UNNAMED
    ):
        return (
            "identifier",
            f"by its values, codes of which {distinct / len(known):.0%} are distinct",
        )
    if _part(pc.match_substring_regex(texts, "[a-z]{2}")) < _UNNAMED:
        return None, "its values are numbers or codes that many records share"
    if not many:
        return None, f"its values tell no more than {few:.1f} equally common ones would"
    return "text", "by its values, words"


def _effective_values(known: pa.Array) -> float:
    """Number of equally common values that would agree by chance as often as these do."""
    shares = pc.divide(pc.value_counts(known).field("counts").cast(pa.float64()), len(known))
    return 1.0 / pc.sum(pc.multiply(shares, shares)).as_py()


def _in_dictionary(names: pa.Array, *, of: int) -> float:
    """Share of the known given names among `of` values."""
    first = pc.replace_substring_regex(names.drop_null(), " .*", "")
    found = pc.is_in(first, value_set=pa.array(sorted(given_names()), pa.string()))
    return (pc.sum(found).as_py() or 0) / of


@lru_cache
def given_names() -> set[str]:
    """Given names that the nickname dictionary knows."""
    return {name.lower() for known in name_triplets() for name in (known.name1, known.name2)}
