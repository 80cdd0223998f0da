"""Identifiers that too many differently named people use: a shop's phone, a kiosk's device, a family's e-mail."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.settings import Attribute, IdentitySettings
from clvspark.identity.tables import SHARED_IDENTIFIER


def find_shared_identifiers(standard: DataFrame, settings: IdentitySettings) -> DataFrame | None:
    """Values seen with more given names than their attribute allows: ``kind, value, distinct_names, records``.

    None if no attribute has such a bound. Names that may be one (Liz, Elizabeth) count once for each initial.
    """
    given = next((a.column for a in settings.attributes if a.kind == "given_name"), None)
    bounded = [a for a in settings.attributes if a.max_distinct_names is not None]
    if given is None or not bounded:
        return None
    return reduce(
        DataFrame.unionByName, [_shared(standard, attribute, given) for attribute in bounded]
    )


def _shared(standard: DataFrame, attribute: Attribute, given: str) -> DataFrame:
    named = standard.where(F.col(attribute.column).isNotNull())
    counted = named.groupBy(F.col(attribute.column).alias("value")).agg(
        F.count_distinct(f"{given}_initial").cast("int").alias("distinct_names"),
        F.count(F.lit(1)).cast("int").alias("records"),
    )
    shared = counted.where(F.col("distinct_names") > F.lit(attribute.max_distinct_names))
    return shared.select(
        F.lit(attribute.column).alias("kind"), "value", "distinct_names", "records"
    )


def blank_shared_identifiers(standard: DataFrame, shared: DataFrame) -> DataFrame:
    """Standardised records without the identifiers that are no evidence; `shared` is small and broadcast."""
    kinds = [row["kind"] for row in shared.select("kind").distinct().collect()]
    for kind in kinds:
        values = F.broadcast(
            shared.where(F.col("kind") == kind).select(F.col("value").alias("_value"))
        )
        joined = standard.join(values, standard[kind] == values["_value"], how="left")
        standard = joined.withColumn(kind, F.when(F.col("_value").isNull(), F.col(kind))).drop(
            "_value"
        )
    return standard


def describe_shared_identifiers(shared: DataFrame) -> DataFrame:
    """The identifiers without their values, as identity.shared_identifier."""
    digest = F.sha2("value", 256).alias("identifier_sha256")
    return shared.select("kind", digest, "distinct_names", "records").select(
        *SHARED_IDENTIFIER.names
    )
