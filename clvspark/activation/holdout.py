"""Who is held out: dealt by person, and by address where persons share one."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.activation.config import HoldoutConfig
from clvspark.activation.tables import HOLDOUT
from clvspark.identity.tables import resolve_aliases

_BUCKETS = 10_000


def split_group(config: HoldoutConfig, key: str = "person_id") -> Column:
    """`treatment` or `holdout` by a hash of `key` and the salt, the same in every run."""
    bucket = F.pmod(F.xxhash64(F.lit(config.salt), key), F.lit(_BUCKETS))
    return F.when(bucket < round(config.percent * _BUCKETS / 100), "holdout").otherwise("treatment")


def groups_today(dealt: DataFrame, aliases: DataFrame) -> DataFrame:
    """``person_id, split_group`` of the persons of today: their own, else that of whom they absorbed, holdout first.

    In: activation.holdout; identity.alias.
    """
    own = dealt.select("person_id", "split_group")
    inherited = resolve_aliases(own, aliases).join(own, on="person_id", how="left_anti")
    heirs = inherited.groupBy("person_id").agg(F.min("split_group").alias("split_group"))
    return own.unionByName(heirs)


def deal_groups(
    persons: DataFrame,
    entries: DataFrame,
    dealt: DataFrame,
    aliases: DataFrame,
    config: HoldoutConfig,
    *,
    as_of: date,
) -> DataFrame:
    """Groups of the persons who come up for the first time, as activation.holdout; all others keep theirs.

    In: ``person_id`` of everyone who comes up; ``person_id, entry`` of all persons; the groups so far; identity.alias.
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
    return named.select(
        "person_id",
        F.coalesce("split_group", "_group", split_group(config, "_key")).alias("split_group"),
        F.lit(as_of).alias("assigned_on"),
    ).select(*HOLDOUT.names)


def hold_entries(entries: DataFrame, groups: DataFrame) -> DataFrame:
    """``entry, held``: addresses of somebody who is held out, whoever else has them. In: see `groups_today`."""
    held = groups.where("split_group = 'holdout'").select("person_id")
    return entries.join(held, on="person_id").select("entry", F.lit(True).alias("held")).distinct()
