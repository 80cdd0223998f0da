"""How large audiences are, whom they reach, and what they share: sums that can be added to and taken from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.tables import ESTIMATE, OVERLAP
from clvspark.privacy.consent import CHANNELS

COUNTS = ("profiles_matched", *(f"contactable_{channel}" for channel in CHANNELS))


def sum_members(members: DataFrame, states: DataFrame) -> DataFrame:
    """``audience_id``, `COUNTS` and ``clv`` of each audience with members.

    In: ``audience_id, person_id``; rows of audiences.state of these persons at least.
    """
    joined = members.select("audience_id", "person_id").join(states, on="person_id")
    return joined.groupBy("audience_id").agg(
        F.count(F.lit(1)).alias("profiles_matched"),
        *(F.count_if(f"reach_{c}").alias(f"contactable_{c}") for c in CHANNELS),
        F.sum("clv").alias("clv"),
    )


def count_pairs(members: DataFrame) -> DataFrame:
    """``audience_id, other_id, persons``: how many persons each two audiences share.

    In: ``audience_id, person_id``. Of a person in n audiences n² / 2 pairs are counted, and they are added up where
    the persons are before anything is moved.
    """
    lists = F.sort_array(F.collect_set("audience_id")).alias("_in")
    persons = members.groupBy("person_id").agg(lists).where(F.size("_in") > 1)
    one = persons.select("_in", F.posexplode("_in").alias("_at", "audience_id"))
    followed = one.where(F.col("_at") + 1 < F.size("_in"))
    rest = F.slice("_in", F.col("_at") + 2, F.size("_in"))
    pairs = followed.select("audience_id", F.explode(rest).alias("other_id"))
    return pairs.groupBy("audience_id", "other_id").agg(F.count(F.lit(1)).alias("persons"))


def replace_sums(
    stored: DataFrame, gone: DataFrame, came: DataFrame, keys: Sequence[str], values: Sequence[str]
) -> DataFrame:
    """Sums by key after the part `gone` of what was `stored` is replaced by `came`."""
    signed = [(stored, 1), (gone, -1), (came, 1)]
    parts = [
        frame.select(*keys, *((F.coalesce(name, F.lit(0)) * sign).alias(name) for name in values))
        for frame, sign in signed
    ]
    every = parts[0].unionByName(parts[1]).unionByName(parts[2])
    return every.groupBy(*keys).agg(*(F.sum(name).alias(name) for name in values))


def describe_sizes(
    audiences: DataFrame, sums: DataFrame, transitions: DataFrame, *, profiles: int, as_of: date
) -> DataFrame:
    """Size, value, reach by channel and moves of every audience, as audiences.estimate; an empty one has size 0.

    In: ``audience_id, version, evaluated_on`` of every audience; rows of `sum_members`; today's transitions; how many
    persons there are.
    """
    moves = transitions.groupBy("audience_id").agg(
        F.count_if(F.col("transition") == "enter").alias("entered"),
        F.count_if(F.col("transition") == "exit").alias("exited"),
    )
    both = audiences.join(sums, on="audience_id", how="left").join(
        moves, on="audience_id", how="left"
    )
    # What is left of a sum from which all has been taken is no value.
    is_empty = F.coalesce("profiles_matched", F.lit(0)) == 0
    known: dict[str, Column] = {
        "clv": F.when(is_empty, 0.0).otherwise(F.col("clv")),
        "profiles_read": F.lit(profiles).cast("bigint"),
        "as_of_date": F.lit(as_of),
    }
    counted = both.withColumns(known).fillna(0, subset=[*COUNTS, "clv", "entered", "exited"])
    return counted.select(*ESTIMATE.names)


def describe_overlaps(pairs: DataFrame, sums: DataFrame, *, as_of: date) -> DataFrame:
    """What audiences share, as audiences.overlap. In: rows of `count_pairs`; of `sum_members`."""
    one = F.broadcast(sums.select("audience_id", F.col("profiles_matched").alias("_size")))
    other = F.broadcast(
        sums.select(
            F.col("audience_id").alias("other_id"), F.col("profiles_matched").alias("_other")
        )
    )
    joined = pairs.where("persons > 0").join(one, on="audience_id").join(other, on="other_id")
    either = F.col("_size") + F.col("_other") - F.col("persons")
    columns = {"jaccard": F.col("persons") / either, "as_of_date": F.lit(as_of)}
    return joined.withColumns(columns).select(*OVERLAP.names)
