"""One golden record a person: the best value of each attribute, the record it came from and the rule that chose it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.identity.cleaning.names import HONORIFICS, PARTICLES, SUFFIXES
from clvspark.identity.persons.survivorship import (
    SURVIVORS,
    SurvivorshipSettings,
    rank,
    spelling_aside,
)
from clvspark.identity.record_ids import unique_id
from clvspark.identity.tables import PERSON

_TITLES = rf"(?i)^(({'|'.join(sorted(HONORIFICS))})\.?\s+)+"
_SUFFIXES = rf"(?i)(,?\s+({'|'.join(SUFFIXES)})\.?)+$"
_IN_ORDER = rf"(?i)^(.*?\S)\s+((?:(?:{'|'.join(PARTICLES)})\s+)*\S+)$"
_SWAPPED = r"^([^,]*),(.*)$"


def build_golden_records(
    records: DataFrame,
    standard: DataFrame,
    links: DataFrame,
    survivorship: SurvivorshipSettings | None = None,
) -> DataFrame:
    """Golden record of each person.

    In: sources.customer_record; standardised e-mail and phone by ``unique_id``; current links with
    ``unique_id`` and person_id. Out: identity.person. The rules of `survivorship` say which record gives an
    attribute; ties fall to the smallest record id, so that the order of rows plays no part.
    """
    rules = survivorship or SurvivorshipSettings()  # type: ignore[call-arg]
    clean = standard.select(
        "unique_id", F.col("email").alias("_email"), F.col("phone").alias("_phone")
    )
    known = (
        records.withColumn("unique_id", unique_id())
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
    # Partitioned by person first: neither the counts of the rules nor the grouping move a row again.
    ready = known.withColumns(values).repartition("person_id")
    ranked = ready.select(
        "person_id", "source_system", *(_candidate(name, rules) for name in SURVIVORS)
    )
    best = ranked.groupBy("person_id").agg(
        *(F.sort_array(F.collect_list(_of(name))).alias(_of(name)) for name in SURVIVORS),
        F.count(F.lit(1)).cast("int").alias("records"),
        F.sort_array(F.collect_set("source_system")).alias("source_systems"),
    )
    winner = {
        part: F.get(_of(name), F.lit(0)) for name, parts in SURVIVORS.items() for part in parts
    }
    columns = {part: best_one["value"][part] for part, best_one in winner.items()}
    origins = {
        part: F.when(columns[part].isNotNull(), w["unique_id"]) for part, w in winner.items()
    }
    deciding = {
        part: F.when(columns[part].isNotNull(), _deciding_rule(name, rules))
        for name, parts in SURVIVORS.items()
        for part in parts
    }
    maps = {"provenance": _known(origins), "decided_by": _known(deciding)}
    return best.withColumns(columns | maps).select(*PERSON.names)


def _of(survivor: str) -> str:
    return f"_{survivor}"


def _candidate(survivor: str, settings: SurvivorshipSettings) -> Column:
    """What a record offers for an attribute, NULL if nothing: ranks in the order of the rules, record, value."""
    parts = SURVIVORS[survivor]
    known = F.coalesce(*(F.col(part).cast("string") for part in parts)).isNotNull()
    ranks = [rank(rule, survivor, settings) for rule in settings.of(survivor)]
    value = F.struct(*parts).alias("value")
    said = spelling_aside(survivor).alias("said")
    return F.when(known, F.struct(*ranks, "unique_id", said, value)).alias(_of(survivor))


def _deciding_rule(survivor: str, settings: SurvivorshipSettings) -> Column:
    """The first rule that sets the winner apart from the best other value; only_value if there is no other.

    Values that differ in letter case only are one value.
    """
    winner, said = F.get(_of(survivor), F.lit(0)), F.col(_of(survivor))["said"]
    # By functions that Spark compiles: one that is called for each element costs twenty times as much.
    next_said = F.get(F.array_remove(said, winner["said"]), F.lit(0))
    other = F.get(_of(survivor), (F.array_position(said, next_said) - 1).cast("int"))
    decided = F.when(next_said.isNull(), F.lit("only_value"))
    for rule in settings.of(survivor):
        decided = decided.when(winner[rule] < other[rule], F.lit(rule))
    return decided.otherwise(F.lit("record_id"))


def _known(values: dict[str, Column]) -> Column:
    """Map of the attributes that have a value."""
    nothing = F.create_map().cast("map<string,string>")
    parts = (
        F.when(value.isNotNull(), F.create_map(F.lit(name), value)).otherwise(nothing)
        for name, value in values.items()
    )
    return F.map_concat(*parts)


def _split_full_name() -> tuple[Column, Column]:
    """(given name, surname) of ``full_name`` as `names.split_names` parts it, spelt as it was."""
    trimmed = F.regexp_replace(F.trim("full_name"), _SUFFIXES, "")
    full = F.regexp_replace(trimmed, _TITLES, "")
    swapped, in_order = F.contains(full, F.lit(",")), F.regexp_like(full, F.lit(_IN_ORDER))
    given = (
        F.when(swapped, F.regexp_replace(F.trim(F.regexp_extract(full, _SWAPPED, 2)), _TITLES, ""))
        .when(in_order, F.regexp_extract(full, _IN_ORDER, 1))
        .otherwise(full)
    )
    surname = F.when(swapped, F.trim(F.regexp_extract(full, _SWAPPED, 1))).when(
        in_order, F.regexp_extract(full, _IN_ORDER, 2)
    )
    return F.nullif(given, F.lit("")), F.nullif(surname, F.lit(""))
