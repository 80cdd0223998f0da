"""Who is held out: dealt by person, and by address where persons share one."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.activation.config import HoldoutConfig
from clvspark.activation.strata import deal_strata
from clvspark.activation.tables import HOLDOUT
from clvspark.identity.tables import resolve_aliases

_BUCKETS = 10_000


def split_group(config: HoldoutConfig, *key: str) -> Column:
    """`treatment` or `holdout` by a hash of `key` (default: the person) and the salt, the same in every run."""
    bucket = F.pmod(F.xxhash64(F.lit(config.salt), *(key or ("person_id",))), F.lit(_BUCKETS))
    return F.when(bucket < round(config.percent * _BUCKETS / 100), "holdout").otherwise("treatment")


def groups_today(dealt: DataFrame, aliases: DataFrame, *of: str) -> DataFrame:
    """``person_id, split_group`` of the persons of today: their own, else that of whom they absorbed, holdout first.

    In: activation.holdout; identity.alias. `of` names columns within which groups are dealt (an audience).
    """
    key = [*of, "person_id"]
    own = dealt.select(*key, "split_group")
    inherited = resolve_aliases(own, aliases).join(own, on=key, how="left_anti")
    heirs = inherited.groupBy(*key).agg(F.min("split_group").alias("split_group"))
    return own.unionByName(heirs)


def deal_groups(
    persons: DataFrame,
    entries: DataFrame,
    dealt: DataFrame,
    aliases: DataFrame,
    config: HoldoutConfig,
    *,
    as_of: date,
    values: DataFrame | None = None,
) -> DataFrame:
    """Groups of the persons who come up for the first time, as activation.holdout; all others keep theirs.

    In: ``person_id`` of everyone who comes up; ``person_id, entry`` of all persons; the groups so far; identity.alias;
    values: ``person_id`` and the column that the config stratifies by, if it does.
    Who has absorbed somebody dealt before takes over their group. Who shares an address with somebody dealt before
    joins them, in the holdout if one of them is there; persons who share one and come up together are dealt as one.
    """
    new = persons.select("person_id").distinct().join(dealt, on="person_id", how="left_anti")
    today = groups_today(dealt, aliases).localCheckpoint(eager=False)
    sharing = entries.groupBy("entry").agg(F.count(F.lit(1)).alias("_persons"))
    shared = entries.join(sharing.where("_persons > 1"), on="entry").select("person_id", "entry")
    key = shared.groupBy("person_id").agg(F.min("entry").alias("_entry"))
    groups = shared.join(today, on="person_id")
    known = groups.groupBy("entry").agg(F.min("split_group").alias("_group"))  # holdout comes first
    joined = (
        shared.join(known, on="entry").groupBy("person_id").agg(F.min("_group").alias("_group"))
    )
    named = (
        new.join(key, on="person_id", how="left")
        .join(today, on="person_id", how="left")
        .join(joined, on="person_id", how="left")
        .withColumn("_key", F.coalesce("_entry", "person_id"))
    )
    kept = named.withColumn("_kept", F.coalesce("split_group", "_group"))
    dealing = deal_people(kept, dealt, values, config)
    return dealing.select(
        "person_id",
        F.coalesce("_kept", "_dealt").alias("split_group"),
        F.lit(as_of).alias("assigned_on"),
        "stratum",
    ).select(*HOLDOUT.names)


def deal_people(
    people: DataFrame, dealt: DataFrame, values: DataFrame | None, config: HoldoutConfig, *of: str
) -> DataFrame:
    """Add ``_dealt``, the group of who has none that is ``_kept``, and the ``stratum`` it was dealt in, if any.

    In: ``person_id``, ``_key`` of the persons who are dealt as one, ``_kept``, the columns `of`; groups dealt so far.
    """
    if config.stratify_by is None or values is None:
        by_hash = split_group(config, *of, "_key").alias("_dealt")
        return people.select("*", by_hash, F.lit(None).cast("string").alias("stratum"))
    column = F.coalesce(F.col(config.stratify_by).cast("string"), F.lit("none"))
    strata = values.select("person_id", column.alias("stratum"))
    named = people.join(strata, on="person_id", how="left").fillna({"stratum": "none"})
    new = named.where("_kept IS NULL")
    counts = dealt.where("stratum IS NOT NULL").groupBy(*of, "stratum")
    known = counts.agg(
        F.count(F.lit(1)).alias("_persons"),
        F.count_if(F.col("split_group") == "holdout").alias("_held"),
    )
    units = deal_strata(new, known, config, *of)
    return named.drop("stratum").join(units, on=[*of, "_key"], how="left")


def hold_entries(entries: DataFrame, groups: DataFrame) -> DataFrame:
    """``entry, held``: addresses of somebody who is held out, whoever else has them. In: see `groups_today`."""
    held = groups.where("split_group = 'holdout'").select("person_id")
    return entries.join(held, on="person_id").select("entry", F.lit(True).alias("held")).distinct()
