"""Records become comparable: one spelling of names, dates, e-mails, phones and addresses.

Spark hands Arrow batches to the cleaners of `text`, `names`, `contacts` and `phones`, which
work on the distinct values of a batch at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.identity.cleaning.contacts import clean_emails
from clvspark.identity.cleaning.names import (
    clean_names,
    clean_surnames,
    join_names,
    list_forms,
    lone_surnames,
    split_names,
)
from clvspark.identity.cleaning.phones import clean_phones
from clvspark.identity.cleaning.text import (
    clean_birth_dates,
    clean_codes,
    clean_texts,
    distinct_words,
    first_letters,
    over_distinct,
    postcode_areas,
)
from clvspark.identity.record_ids import record_id
from clvspark.identity.settings import Attribute, IdentitySettings, Kind
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.texts import as_text

Cleaner = Callable[[pa.Array, str], pa.Array]


def standardise_records(
    records: DataFrame, settings: IdentitySettings, *, keep: tuple[str, ...] = ()
) -> DataFrame:
    """Standardised records: ``unique_id`` and `settings.columns`, one row a record, and the bigint columns of `keep`.

    In: any records with the columns that `settings` name, of any type that reads as text. A value that is empty or
    cannot be understood is NULL, and the next of the attribute's fallbacks gives it; given names and surnames that
    are missing come from the whole name. ConfigError lists all columns that the records lack.
    """
    names = input_columns(settings)
    refuse_missing_columns(records, [*settings.unique_id, *names])
    narrow = records.select(
        record_id(settings), *(column_as_text(records, name) for name in names), *keep
    )
    columns = [f"`{name}` {type_}" for name, type_ in settings.columns.items()]
    kept = [f"`{name}` bigint" for name in keep]

    def standardise(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            standard = standardise_batch(batch.drop_columns(list(keep)), settings)
            yield pa.RecordBatch.from_arrays(
                [*standard.columns, *(batch.column(name) for name in keep)],
                [*standard.schema.names, *keep],
            )

    return narrow.mapInArrow(standardise, ", ".join(["unique_id string", *columns, *kept]))


def input_columns(settings: IdentitySettings) -> list[str]:
    """Columns of the raw records that attributes are made from."""
    named = [name for a in settings.attributes for name in (a.column, *a.fallbacks)]
    return list(dict.fromkeys(named))


def refuse_missing_columns(records: DataFrame, names: list[str]) -> None:
    """ConfigError listing every column of `names` that the records lack."""
    present = {name.lower() for name in records.columns}
    missing = [name for name in dict.fromkeys(names) if name.lower() not in present]
    if missing:
        raise ConfigError(
            "identity settings",
            [
                *(f"column {name!r} is not among those of the records" for name in missing),
                f"columns of the records: {', '.join(records.columns)}; name one of these, or drop the attribute",
            ],
        )


def column_as_text(records: DataFrame, name: str) -> Column:
    """A column of the records as text, under its own name."""
    column = F.col(f"`{name}`")
    kind = records.select(column).schema[0].dataType
    return F.make_valid_utf8(as_text(column, kind)).alias(name)


def standardise_batch(batch: pa.RecordBatch, settings: IdentitySettings) -> pa.RecordBatch:
    """Standardise a batch: ``unique_id`` and the raw columns as texts become ``unique_id`` and `settings.columns`."""
    raw = {name: batch.column(name).cast(pa.string()) for name in batch.schema.names}
    clean = {
        a.column: _first_known(raw, a, settings.country)
        for a in settings.attributes
        if a.kind != "full_name"
    }
    for attribute in settings.attributes:
        if attribute.kind == "full_name":
            given, surname = _split(raw, attribute)
            clean[attribute.column] = join_names(given, surname)
            _fill(clean, settings.column_of("given_name"), given)
            _fill(clean, settings.column_of("surname"), clean_surnames(surname))
    if settings.lone_names_may_be_surnames:
        _move_lone_surnames(clean, settings.column_of("given_name"), settings.column_of("surname"))
    columns = {"unique_id": raw["unique_id"]} | {
        name: array
        for attribute in settings.attributes
        for name, array in _with_derived(clean[attribute.column], attribute).items()
    }
    order = ["unique_id", *settings.columns]
    return pa.RecordBatch.from_arrays([columns[name] for name in order], order)


def _first_known(raw: dict[str, pa.Array], attribute: Attribute, country: str) -> pa.Array:
    """Cleaned values of the attribute's column, where there is none those of its fallbacks."""
    clean = None
    for name in (attribute.column, *attribute.fallbacks):
        values = raw[name]
        if clean is not None:
            values = pc.if_else(pc.is_null(clean), values, pa.scalar(None, pa.string()))
        found = over_distinct(values, lambda array: _CLEANERS[attribute.kind](array, country))
        clean = found if clean is None else pc.coalesce(clean, found)
    return clean


def _split(raw: dict[str, pa.Array], attribute: Attribute) -> tuple[pa.Array, pa.Array]:
    values = pc.coalesce(*(raw[name] for name in (attribute.column, *attribute.fallbacks)))
    encoded = values.dictionary_encode()
    given, surname = split_names(encoded.dictionary)
    return given.take(encoded.indices), surname.take(encoded.indices)


def _fill(clean: dict[str, pa.Array], column: str | None, part: pa.Array) -> None:
    if column is not None:
        clean[column] = pc.coalesce(clean[column], part)


def _move_lone_surnames(clean: dict[str, pa.Array], given: str | None, surname: str | None) -> None:
    if given is None or surname is None:
        return
    moved = lone_surnames(clean[given], clean[surname])
    nothing = pa.scalar(None, pa.string())
    clean[surname] = pc.if_else(moved, clean[given], clean[surname])
    clean[given] = pc.if_else(moved, nothing, clean[given])


def _with_derived(values: pa.Array, attribute: Attribute) -> dict[str, pa.Array]:
    derived = {
        name: over_distinct(values, _DERIVE[attribute.kind, name.removeprefix(attribute.column)])
        for name in attribute.derived
    }
    return {attribute.column: values} | derived


_CLEANERS: dict[Kind, Cleaner] = {
    "given_name": lambda values, _: clean_names(values),
    "surname": lambda values, _: clean_surnames(values),
    "birth_date": lambda values, _: clean_birth_dates(values),
    "email": lambda values, _: clean_emails(values),
    "phone": clean_phones,
    "postcode": lambda values, _: clean_codes(values),
    "street": lambda values, _: clean_texts(values),
    "address": lambda values, _: clean_texts(values),
    "identifier": lambda values, _: clean_codes(values),
    "text": lambda values, _: clean_texts(values),
}
_DERIVE: dict[tuple[Kind, str], Callable[[pa.Array], pa.Array]] = {
    ("given_name", "_forms"): list_forms,
    ("given_name", "_initial"): lambda values: first_letters(values, 1),
    ("surname", "_start"): lambda values: first_letters(values, 3),
    ("full_name", "_words"): distinct_words,
    ("birth_date", "_year"): lambda values: pc.utf8_slice_codeunits(values, 0, 4),
    ("email", "_local"): lambda values: pc.replace_substring_regex(values, "@[^@]*$", ""),
    ("postcode", "_area"): postcode_areas,
    ("address", "_words"): distinct_words,
    ("text", "_words"): distinct_words,
}
