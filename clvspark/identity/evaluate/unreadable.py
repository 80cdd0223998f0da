"""Values of records of which standardising makes nothing: dates in another order, numbers that nobody can call."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.identity.cleaning.standardise import column_as_text
from clvspark.identity.settings import Attribute, IdentitySettings
from clvspark.lakehouse.side_by_side import all_of


def count_unreadable(
    raw: DataFrame, standard: DataFrame, settings: IdentitySettings
) -> dict[str, int]:
    """By column of an attribute, how many more records have something there than have it when standardised.

    In: records, and what `standardise_records` made of them. Columns that can be read throughout are left out, and
    given names where these may turn out to be surnames.
    """
    moved = {"given_name"} if settings.lone_names_may_be_surnames else set()
    attributes = [a for a in settings.attributes if a.kind not in moved]
    names = [attribute.column for attribute in attributes]
    filled = [F.count_if(_is_filled(raw, a)).alias(a.column) for a in attributes]
    known = [F.count(f"`{name}`").alias(name) for name in names]
    there, read = all_of(
        lambda: raw.agg(*filled).collect()[0], lambda: standard.agg(*known).collect()[0]
    )
    return {name: there[name] - read[name] for name in names if there[name] > read[name]}


def _is_filled(raw: DataFrame, attribute: Attribute) -> Column:
    texts = (column_as_text(raw, name) for name in (attribute.column, *attribute.fallbacks))
    return reduce(Column.__or__, (F.coalesce(F.trim(text) != "", F.lit(False)) for text in texts))
