"""A share of every stratum, not only of all: the holdout has as many of the best customers as the rest."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from clvspark.activation.config import HoldoutConfig


def deal_strata(people: DataFrame, known: DataFrame, config: HoldoutConfig, *of: str) -> DataFrame:
    """``_key, stratum, _dealt``, and the columns `of`: groups of units, so that each stratum has its share held out.

    In: ``_key`` of a unit, ``stratum`` of a person, the columns `of`; ``stratum, _persons, _held`` of who was dealt
    before. Persons of one unit go together, in the first of their strata. The units of a stratum are in the order of
    a hash, and the first of them are held out until the share of all its persons is reached, to the nearest person.
    """
    key = [*of, "_key"]
    units = people.groupBy(*key).agg(
        F.count(F.lit(1)).alias("_size"), F.min("stratum").alias("stratum")
    )
    within = [*of, "stratum"]
    order = Window.partitionBy(*within).orderBy(F.xxhash64(F.lit(config.salt), *key), "_key")
    everyone = Window.partitionBy(*within)
    zero = F.lit(0)
    persons = F.coalesce("_persons", zero) + F.sum("_size").over(everyone)
    wanted = persons * F.lit(config.percent / 100) - F.coalesce("_held", zero)
    # The middle of a unit decides, so that on average neither too many nor too few are held out.
    middle = F.sum("_size").over(order) - F.col("_size") / 2
    held = F.when(middle <= wanted, "holdout").otherwise("treatment")
    return units.join(F.broadcast(known), on=within, how="left").select(
        *key, "stratum", held.alias("_dealt")
    )
