"""Who takes part in an experiment, as they are today, and what was known of them before it began."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.tables import ranks_of_today
from clvspark.identity.tables import current_links, resolve_aliases
from clvspark.lakehouse.dates import day_of_acting, rows_of
from clvspark.lakehouse.table import MONEY

BEFORE = "value_before"
"""Covariate of CUPED: the residual value that was predicted on the day of the assignment."""
SCORE = "score_"
"""Before the name of a score of ``measurement.scores``."""
SEGMENTS = ("clv_decile", "lifecycle_stage")
_UNKNOWN = "unknown"
_SCORED = ("residual_value", "clv", "simple_clv", "p_alive", "p_top_decile")


def follow_persons(assigned: DataFrame, links: DataFrame) -> DataFrame:
    """The persons that the assigned ones are today: ``audience_id, person_id, split_group``.

    In: activation.assignment of one date; identity.person_link with its history. A person who has been absorbed
    since is the one who has most of their records now; where that one was assigned too, their own group counts.
    """
    current = current_links(links)
    alive = current.select("person_id").distinct().withColumn("_alive", F.lit(True))
    marked = assigned.join(alive, on="person_id", how="left")
    gone = marked.where("_alive IS NULL").select("person_id").distinct()
    record = ["source_system", "source_record_id"]
    had = links.join(F.broadcast(gone), on="person_id").select(
        *record, F.col("person_id").alias("_was")
    )
    moved = had.distinct().join(current.select(*record, "person_id"), on=record)
    counted = moved.groupBy("_was", "person_id").agg(F.count(F.lit(1)).alias("_records"))
    heir = counted.groupBy("_was").agg(
        F.max_by("person_id", F.struct("_records", "person_id")).alias("_heir")
    )
    now = marked.join(heir, F.col("person_id") == F.col("_was"), "left")
    first = F.min_by("split_group", F.struct(F.col("_heir").isNotNull(), "person_id"))
    person = F.coalesce("_heir", "person_id").alias("_person")
    people = now.groupBy("audience_id", person).agg(first.alias("split_group"))
    return people.select("audience_id", F.col("_person").alias("person_id"), "split_group")


def first_assigned(assignments: DataFrame, links: DataFrame, *, as_of: date) -> DataFrame:
    """``audience_id, person_id, split_group`` of the persons of today who were acted upon on `as_of` and never before.

    In: activation.assignment; identity.person_link with its history. Who is on a list for the second day has been
    acted upon: those who responded may have left it, and their value tells of it. They were judged on their first day.
    """
    people = follow_persons(assignments.where(day_of_acting() == F.lit(as_of)), links)
    earlier = assignments.where(day_of_acting() < F.lit(as_of))
    before = earlier.drop("as_of_date", "acted_on").distinct()
    if before.isEmpty():
        return people
    known = follow_persons(before, links).select("audience_id", "person_id")
    return people.join(known, on=["audience_id", "person_id"], how="left_anti")


def describe_persons(
    values: DataFrame, deciles: DataFrame, aliases: DataFrame, *, as_of: date
) -> DataFrame:
    """What was known of each valued person on `as_of`: `BEFORE`, `SEGMENTS` and every score.

    In: clv.customer_value; audiences.decile; identity.alias. Nothing in it can follow from acting, so it may explain
    outcomes and cut the persons into groups. Who has absorbed others since keeps their own values, and has those of
    the most valuable of them where they had none.
    """
    decline = F.col("expected_residual_value") - F.col("residual_value")
    scores = {**{name: F.col(name) for name in _SCORED}, "decline": decline}
    known = values.where(rows_of(as_of)).select(
        "person_id",
        F.col("person_id").alias("_was"),
        F.struct(
            "lifecycle_stage",
            F.col("residual_value").cast(MONEY).alias(BEFORE),
            *(score.alias(f"{SCORE}{name}") for name, score in scores.items()),
        ).alias("_known"),
    )
    age = F.struct(F.col("_was") != F.col("person_id"), -F.col(f"_known.{BEFORE}"), F.col("_was"))
    now = resolve_aliases(known, aliases).groupBy("person_id")
    own = now.agg(F.min_by("_known", age).alias("_known")).select("person_id", "_known.*")
    ranks = ranks_of_today(deciles, aliases, as_of).where("metric = 'clv'")
    tenth = ranks.select("person_id", F.col("decile").cast("string").alias("clv_decile"))
    return own.join(tenth, on="person_id", how="left")


def join_descriptions(people: DataFrame, known: DataFrame) -> DataFrame:
    """The persons with what was known of them; of who had no value yet it is 0, the segment ``unknown``.

    In: rows of `follow_persons` and `describe_persons`. A score that was not known stays NULL.
    """
    nothing = F.lit(0).cast(MONEY)
    filled: dict[str, Column] = {name: F.coalesce(name, F.lit(_UNKNOWN)) for name in SEGMENTS}
    return people.join(known, on="person_id", how="left").withColumns(
        {**filled, BEFORE: F.coalesce(BEFORE, nothing)}
    )
