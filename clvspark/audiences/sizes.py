"""How large audiences are, whom they reach, and what they share: sums that can be added to and taken from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.tables import ESTIMATE, OVERLAP
from clvspark.privacy.consent import CHANNELS

COUNTS = ("profiles_matched", *(f"contactable_{channel}" for channel in CHANNELS))
_NAMES = ["audience_id", "other_id", "persons"]
_PAIRS = "audience_id string, other_id string, persons bigint"


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
    """``audience_id, other_id, persons``: how many persons each two audiences share, of two in alphabetical order.

    In: ``audience_id, person_id``.
    """
    lists = F.collect_set("audience_id").alias("audience_ids")
    persons = members.groupBy("person_id").agg(lists).where(F.size("audience_ids") > 1)
    counted = persons.select("audience_ids").mapInArrow(_multiply, _PAIRS)
    return counted.groupBy("audience_id", "other_id").agg(F.sum("persons").alias("persons"))


def _multiply(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Persons that audiences share in each batch: with M the matrix persons x audiences of 0 and 1, M' M."""
    for batch in batches:
        lists = batch.column(0)
        encoded = lists.flatten().dictionary_encode()
        names = np.asarray(encoded.dictionary.to_pylist(), dtype=str)
        place = np.argsort(np.argsort(names))
        person = np.repeat(np.arange(len(lists)), np.asarray(pc.list_value_length(lists)))
        inside = np.zeros((len(lists), len(names)), dtype=np.float32)
        inside[person, place[np.asarray(encoded.indices)]] = 1
        shared = np.triu(inside.T @ inside, 1)
        one, other = np.nonzero(shared)
        names = np.sort(names)
        columns = [names[one], names[other], shared[one, other].astype(np.int64)]
        yield pa.RecordBatch.from_arrays([pa.array(c) for c in columns], names=_NAMES)


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
