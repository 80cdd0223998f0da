"""One golden record a person: the best value of each attribute and the record it came from."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.identity.clean_names import HONORIFICS
from clvspark.identity.tables import PERSON

_ATTRIBUTES = (
    "given_name",
    "surname",
    "birth_date",
    "email",
    "phone",
    "street",
    "city",
    "postcode",
)
_TITLE = rf"(?i)^(({'|'.join(sorted(HONORIFICS))})\.?\s+)+"


def build_golden_records(records: DataFrame, standard: DataFrame, links: DataFrame) -> DataFrame:
    """Golden record of each person.

    In: sources.customer_record; standardised e-mail and phone by ``unique_id``; current links with
    ``unique_id`` and person_id. Out: identity.person. The newest record that has an attribute gives it; a whole
    name goes before an initial. Ties fall to the smallest record id, so that the order of rows plays no part.
    """
    clean = standard.select(
        "unique_id", F.col("email").alias("_email"), F.col("phone").alias("_phone")
    )
    known = (
        records.withColumn("unique_id", F.concat_ws(":", "source_system", "source_record_id"))
        .join(links.select("unique_id", "person_id"), on="unique_id", how="inner")
        .join(clean, on="unique_id", how="left")
    )
    given, surname = _split_full_name()
    values = {
        "given_name": F.coalesce("given_name", given),
        "surname": F.coalesce("surname", surname),
        "email": F.col("_email"),
        "phone": F.col("_phone"),
    }
    ready = known.withColumns(values)
    best = ready.groupBy("person_id").agg(
        *(_best(name).alias(f"_{name}") for name in _ATTRIBUTES),
        F.count(F.lit(1)).cast("int").alias("records"),
        F.array_sort(F.collect_set("source_system")).alias("source_systems"),
    )
    origins = [part for name in _ATTRIBUTES for part in (F.lit(name), F.col(f"_{name}.origin"))]
    provenance = F.map_filter(F.create_map(*origins), lambda _, origin: origin.isNotNull())
    columns = {name: F.col(f"_{name}.value") for name in _ATTRIBUTES}
    return best.withColumns(columns | {"provenance": provenance}).select(*PERSON.names)


def _best(name: str) -> Column:
    value = F.col(name)
    initial = F.length(value.cast("string")) == 1
    age = -F.coalesce(
        F.unix_micros("created_at"), F.unix_micros(F.lit("1900-01-01").cast("timestamp"))
    )
    newest = F.struct(initial, age, F.col("unique_id"))
    return F.min_by(
        F.struct(value.alias("value"), F.col("unique_id").alias("origin")),
        F.when(value.isNotNull(), newest),
    )


def _split_full_name() -> tuple[Column, Column]:
    """(given name, surname) of ``full_name``, written 'Given Surname' or 'Surname, Given', titles left out."""
    full = F.regexp_replace(F.trim("full_name"), _TITLE, "")
    swapped = F.contains(full, F.lit(","))
    after_comma = F.trim(F.regexp_extract(full, r",(.*)$", 1))
    given = F.when(swapped, F.regexp_replace(after_comma, _TITLE, "")).otherwise(
        F.regexp_extract(full, r"^(.*?)(\s+\S+)?$", 1)
    )
    surname = F.when(swapped, F.trim(F.regexp_extract(full, r"^([^,]*),", 1))).otherwise(
        F.regexp_extract(full, r"\s(\S+)$", 1)
    )
    return F.nullif(given, F.lit("")), F.nullif(surname, F.lit(""))
