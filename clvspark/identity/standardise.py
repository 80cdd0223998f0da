"""Records become comparable: one spelling of names, dates, e-mails, phones and addresses.

Values go through well-kept libraries (anyascii, email-validator, phonenumbers, nicknames) in Arrow batches;
each distinct value is worked out once a worker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import pandas as pd
import phonenumbers
from anyascii import anyascii
from email_validator import EmailNotValidError, validate_email
from nicknames import NickNamer
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.identity.settings import Attribute, IdentitySettings, derived_columns

_CACHE = 200_000
HONORIFICS = {"mr", "mrs", "ms", "miss", "dr", "prof", "sir", "mx"}
_nicknames = NickNamer()


def standardise_records(records: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Standardised records.

    In: any records with the columns that `settings` name. Out: ``unique_id`` and for each attribute a column
    of its name; a given name also has ``_forms`` (itself and what it may be short for) and ``_initial``, a
    birth date ``_year``, a postcode ``_area``. All texts; a value that cannot be understood is NULL.
    """
    texts = [
        F.coalesce(
            *(F.nullif(F.col(c).cast("string"), F.lit("")) for c in (a.column, *a.fallbacks))
        ).alias(a.column)
        for a in settings.attributes
    ]
    full = [F.col(settings.full_name).alias("_full_name")] if settings.full_name else []
    narrow = records.select(record_id(settings).alias("unique_id"), *texts, *full)
    columns = [
        f"`{name}` {'array<string>' if name.endswith('_forms') else 'string'}"
        for name in standard_columns(settings)
    ]
    schema = ", ".join(["unique_id string", *columns])

    def standardise(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            yield standardise_batch(batch, settings)

    return narrow.mapInPandas(standardise, schema)


def record_id(settings: IdentitySettings) -> Column:
    """The id of a record over all systems, ``system:id``."""
    return F.concat_ws(":", *(F.col(name).cast("string") for name in settings.unique_id))


def standard_columns(settings: IdentitySettings) -> list[str]:
    """Columns of a standardised record, without ``unique_id``."""
    return [name for a in settings.attributes for name in (a.column, *derived_columns(a))]


def standardise_batch(batch: pd.DataFrame, settings: IdentitySettings) -> pd.DataFrame:
    """Standardise a batch of narrow records, see `standardise_records`."""
    out = {"unique_id": batch["unique_id"]}
    split = [split_name(name) for name in batch["_full_name"]] if settings.full_name else None
    for attribute in settings.attributes:
        values = batch[attribute.column]
        if split and attribute.kind in ("given_name", "surname"):
            part = pd.Series(
                [name[attribute.kind == "surname"] for name in split],
                index=batch.index,
                dtype=object,
            )
            values = values.where(values.notna(), part)
        out |= _standardise_column(values, attribute, settings.country)
    return pd.DataFrame(out, columns=["unique_id", *standard_columns(settings)])


def _standardise_column(
    values: pd.Series, attribute: Attribute, country: str
) -> dict[str, pd.Series]:
    name = attribute.column
    clean = _apply(values, lambda value: _CLEANERS[attribute.kind](value, country))
    if attribute.kind == "given_name":
        return {
            name: clean,
            f"{name}_forms": _apply(clean, name_forms),
            f"{name}_initial": _apply(clean, lambda value: value[0]),
        }
    if attribute.kind == "surname":
        # 'Jane S' tells an initial; compared as a surname it would contradict 'Smith'.
        return {name: clean.where(clean.str.len() > 1, None)}
    if attribute.kind == "birth_date":
        return {name: clean, f"{name}_year": _apply(clean, lambda value: value[:4])}
    if attribute.kind == "postcode":
        return {name: clean, f"{name}_area": _apply(clean, lambda value: value[:-3] or None)}
    return {name: clean}


def _apply(values: pd.Series, function: Callable[[Any], Any]) -> pd.Series:
    return pd.Series(
        [None if pd.isna(v) else function(v) for v in values], index=values.index, dtype=object
    )


def split_name(full: str | None) -> tuple[str | None, str | None]:
    """(given name, surname) of 'Given Surname' or 'Surname, Given'; a single word is a given name."""
    if not isinstance(full, str):
        return None, None
    if "," in full:
        surname, _, given = full.partition(",")
        return given.strip() or None, surname.strip() or None
    words = [word for word in full.split() if word.lower().strip(".") not in HONORIFICS]
    if len(words) < 2:
        return (words[0] if words else None), None
    return " ".join(words[:-1]), words[-1]


@lru_cache(_CACHE)
def clean_name(value: str, _: str = "") -> str | None:
    """Lower-case ASCII letters of a name, first word only of a double given name kept whole."""
    text = re.sub(r"[^a-z ]", "", anyascii(value.replace("\x00", "")).lower().replace("-", " "))
    return " ".join(text.split()) or None


@lru_cache(_CACHE)
def name_forms(given: str) -> list[str]:
    """The given name and every name it may be short for."""
    first = given.split(maxsplit=1)[0]
    return sorted({first, *_nicknames.canonicals_of(first)})


@lru_cache(_CACHE)
def clean_email(value: str, _: str = "") -> str | None:
    """Normalised e-mail address in lower case, None if it is none."""
    try:
        return validate_email(value.strip().lower(), check_deliverability=False).normalized
    except EmailNotValidError:
        return None


@lru_cache(_CACHE)
def clean_phone(value: str, country: str) -> str | None:
    """Phone number in E.164, None if it cannot be one."""
    try:
        number = phonenumbers.parse(value, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(_CACHE)
def clean_code(value: str, _: str = "") -> str | None:
    """Letters and digits in upper case: postcodes, card numbers, device ids."""
    return re.sub(r"[^A-Z0-9]", "", anyascii(value).upper()) or None


@lru_cache(_CACHE)
def clean_street(value: str, _: str = "") -> str | None:
    """Lower-case words and numbers of an address line."""
    return " ".join(re.sub(r"[^a-z0-9 ]", " ", anyascii(value).lower()).split()) or None


def _clean_date(value: str, _: str = "") -> str | None:
    return value[:10] or None


_CLEANERS: dict[str, Callable[[str, str], str | None]] = {
    "given_name": clean_name,
    "surname": clean_name,
    "birth_date": _clean_date,
    "email": clean_email,
    "phone": clean_phone,
    "postcode": clean_code,
    "street": clean_street,
    "identifier": clean_code,
}
