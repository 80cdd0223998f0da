"""Identifiers that too many differently named people use: a shop's phone, a kiosk's device, a family's e-mail.

Such an identifier is no evidence for one person. Whether it is one is a function of the records that carry it, so
that a change of one record can change what another is compared by: `count_identifiers` counts the values in
question over all records, `mark_shared` tells each record which of its identifiers are shared.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.identity.cleaning.alike_names import count_unlike_names
from clvspark.identity.settings import Attribute, IdentitySettings
from clvspark.identity.tables import SHARED_IDENTIFIER
from clvspark.lakehouse.elements import known_elements
from clvspark.lakehouse.subsets import rows_among


def bounded_attributes(settings: IdentitySettings) -> list[Attribute]:
    """Attributes that are evidence only up to a number of distinct given names."""
    return [a for a in settings.attributes if a.max_distinct_names is not None]


def list_identifiers(standard: DataFrame, settings: IdentitySettings, *also: str) -> DataFrame:
    """Bounded identifiers of each standardised record: ``unique_id, kind, value, name, forms``, one row each.

    `also`: further columns of the record. `name` is the first word of the given name, of a whole name where the
    settings know no other; `forms` all that it may be short for.
    """
    cells = [
        F.struct(F.lit(a.column).alias("kind"), F.col(a.column).alias("value"))
        for a in bounded_attributes(settings)
    ]
    names = (column.alias(name) for name, column in _name_and_forms(settings).items())
    listed = standard.select("unique_id", *names, *also, F.inline(F.array(*cells)))
    return listed.where("value IS NOT NULL").select(
        "unique_id", "kind", "value", "name", "forms", *also
    )


def _name_and_forms(settings: IdentitySettings) -> dict[str, Column]:
    given, whole = settings.column_of("given_name"), settings.column_of("full_name")
    name = F.substring_index(F.col(str(given or whole)), " ", 1)
    return {"name": name, "forms": F.col(f"{given}_forms") if given else F.array(name)}


def count_identifiers(listed: DataFrame, settings: IdentitySettings) -> DataFrame:
    """``kind, value, distinct_names, records, is_shared`` of each value. In: `list_identifiers` of all its records.

    Names that may be one, see `count_unlike_names`, count once; that is only asked where there are more than the bound.
    """
    bounds = [
        F.struct(F.lit(a.column), F.lit(a.max_distinct_names).cast("int"))
        for a in bounded_attributes(settings)
    ]
    is_beyond = F.col("distinct_names") > F.map_from_entries(F.array(*bounds))[F.col("kind")]
    counted = listed.groupBy("kind", "value").agg(
        F.count_distinct("name").cast("int").alias("distinct_names"),
        F.count(F.lit(1)).cast("int").alias("records"),
    )
    counted = counted.localCheckpoint(eager=False)
    crowded = rows_among(listed, counted.where(is_beyond), "kind", "value")
    names = F.collect_set(F.when(F.col("name").isNotNull(), F.struct("name", "forms")))
    unlike = crowded.groupBy("kind", "value").agg(count_unlike_names(names).alias("_unlike"))
    return (
        counted.join(F.broadcast(unlike), on=["kind", "value"], how="left")
        .withColumn("distinct_names", F.coalesce("_unlike", "distinct_names"))
        .withColumn("is_shared", is_beyond)
        .drop("_unlike")
    )


def mark_shared(rows: DataFrame, verdicts: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Records with ``shared``, the sorted columns of their shared identifiers, brought up to date.

    In: rows with ``shared`` as it was; verdicts: ``kind, value, is_shared`` of the values in question, which are
    broadcast; the others stay as they were.
    """
    marked, flags = rows, []
    for number, attribute in enumerate(bounded_attributes(settings)):
        name, flag = attribute.column, f"_shared_{number}"
        of_kind = verdicts.where(F.col("kind") == name).select(
            F.col("value").alias(name), F.col("is_shared").alias(flag)
        )
        marked = marked.join(F.broadcast(of_kind), on=name, how="left")
        is_shared = F.coalesce(flag, F.array_contains("shared", name))
        flags.append(F.when(is_shared, F.lit(name)))
    if not flags:
        return rows
    shared = F.sort_array(known_elements(F.array(*flags), "string"))
    return marked.withColumn("shared", shared).select(*rows.columns)


def blank_shared(rows: DataFrame, settings: IdentitySettings) -> DataFrame:
    """What records are compared by: without the identifiers in ``shared``, and what is derived from them."""
    return rows.withColumns(
        {
            name: _unless_shared(attribute, name)
            for attribute in bounded_attributes(settings)
            for name in (attribute.column, *attribute.derived)
        }
    )


def _unless_shared(attribute: Attribute, name: str) -> Column:
    return F.when(~F.array_contains("shared", attribute.column), F.col(name))


def drop_shared_identifiers(standard: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Standardised records without the identifiers that are no evidence: all steps at once."""
    if not bounded_attributes(settings):
        return standard
    counted = count_identifiers(list_identifiers(standard, settings), settings)
    nothing = standard.withColumn("shared", F.array().cast("array<string>"))
    marked = mark_shared(nothing, counted.where("is_shared"), settings)
    return blank_shared(marked, settings).select(*standard.columns)


def describe_identifiers(counted: DataFrame) -> DataFrame:
    """Counted identifiers without their values, as identity.shared_identifier."""
    digest = F.sha2("value", 256).alias("identifier_sha256")
    return counted.select("kind", digest, "distinct_names", "records").select(
        *SHARED_IDENTIFIER.names
    )
