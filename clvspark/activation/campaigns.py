"""Holdouts of single audiences, beside the global one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.config import CampaignHoldout
from clvspark.activation.holdout import deal_people, groups_today
from clvspark.activation.tables import CAMPAIGN_HOLDOUT
from clvspark.privacy.identifiers import normalise_identifier

_PERSON = ["audience_id", "person_id"]


def deal_campaigns(
    judged: DataFrame,
    dealt: DataFrame,
    aliases: DataFrame,
    values: DataFrame,
    campaigns: Sequence[CampaignHoldout],
    *,
    as_of: date,
) -> DataFrame:
    """Groups of who comes up for an audience with a holdout of its own, as activation.campaign_holdout.

    In: verdicts of `judge_members`, of which the eligible are dealt: who is held out globally is in no campaign; the
    groups so far, which stay; identity.alias: who has absorbed somebody takes over their group; values: ``person_id``
    and the columns that are stratified by. Who shares an address with somebody dealt before joins them, and persons who
    share one and come up together are dealt as one.
    """
    today = groups_today(dealt, aliases, "audience_id").localCheckpoint(eager=False)
    rows = [
        _deal_campaign(judged, dealt, today, values, campaign, as_of=as_of)
        for campaign in campaigns
    ]
    return reduce(DataFrame.unionByName, rows, dealt.limit(0).select(*CAMPAIGN_HOLDOUT.names))


def _deal_campaign(
    judged: DataFrame,
    dealt: DataFrame,
    today: DataFrame,
    values: DataFrame,
    campaign: CampaignHoldout,
    *,
    as_of: date,
) -> DataFrame:
    here = F.col("audience_id") == campaign.audience
    entries = _list_entries(judged.where(here & (F.col("verdict") == "eligible")))
    own = today.where(here)
    known = entries.join(own, on=_PERSON).groupBy("audience_id", "entry")
    joined = (
        entries.join(known.agg(F.min("split_group").alias("_shared")), on=["audience_id", "entry"])
        .groupBy(*_PERSON)
        .agg(F.min("_shared").alias("_shared"))  # holdout comes first
    )
    people = (
        entries.groupBy(*_PERSON)
        .agg(F.min("entry").alias("_key"))
        .join(dealt.where(here), on=_PERSON, how="left_anti")
        .join(own, on=_PERSON, how="left")
        .join(joined, on=_PERSON, how="left")
        .withColumn("_kept", F.coalesce("split_group", "_shared"))
    )
    dealing = deal_people(people, dealt.where(here), values, campaign, "audience_id")
    return dealing.select(
        *_PERSON,
        F.coalesce("_kept", "_dealt").alias("split_group"),
        F.lit(as_of).alias("assigned_on"),
        "stratum",
    ).select(*CAMPAIGN_HOLDOUT.names)


def hold_campaigns(judged: DataFrame, dealt: DataFrame, aliases: DataFrame) -> DataFrame:
    """Verdicts, with ``held_out`` for the eligible who are held out of the audience, or share an address with them.

    In: verdicts of `judge_members`; activation.campaign_holdout; identity.alias. The columns stay as they are.
    """
    groups = groups_today(dealt, aliases, "audience_id").where("split_group = 'holdout'")
    eligible = judged.where("verdict = 'eligible'")
    entries = _list_entries(eligible)
    held = entries.join(groups.select(*_PERSON), on=_PERSON, how="left_semi")
    addresses = held.select("audience_id", "entry").distinct()
    persons = entries.join(addresses, on=["audience_id", "entry"], how="left_semi")
    marked = persons.select(*_PERSON).distinct().withColumn("_held", F.lit(True))
    is_held = (F.col("verdict") == "eligible") & F.coalesce("_held", F.lit(False))
    verdict = F.when(is_held, "held_out").otherwise(F.col("verdict"))
    return (
        judged.join(marked, on=_PERSON, how="left")
        .withColumn("verdict", verdict)
        .select(*judged.columns)
    )


def _list_entries(judged: DataFrame) -> DataFrame:
    """``audience_id, person_id, entry``: addresses by which persons would be told."""
    entry = normalise_identifier(F.col("address")).alias("entry")
    return judged.select(*_PERSON, entry).distinct()
