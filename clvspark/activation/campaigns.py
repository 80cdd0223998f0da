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

_PERSON = ["audience_id", "person_id"]


def deal_campaigns(
    judged: DataFrame,
    entries: DataFrame,
    dealt: DataFrame,
    aliases: DataFrame,
    values: DataFrame,
    campaigns: Sequence[CampaignHoldout],
    *,
    as_of: date,
) -> DataFrame:
    """Groups of who comes up for an audience with a holdout of its own, as activation.campaign_holdout.

    In: verdicts of `judge_members`, of which the eligible are dealt: who is held out globally is in no campaign;
    ``person_id, entry``: addresses of whatever kind, of all persons or of all who share one with those of the verdicts;
    the groups so far, which stay; identity.alias: who has absorbed somebody takes over their group; values:
    ``person_id`` and the columns that are stratified by. Who shares an address with somebody dealt before joins them,
    and persons who share one and come up together are dealt as one.
    """
    today = groups_today(dealt, aliases, "audience_id").localCheckpoint(eager=False)
    rows = [
        _deal_campaign(judged, entries, dealt, today, values, campaign, as_of=as_of)
        for campaign in campaigns
    ]
    return reduce(DataFrame.unionByName, rows, dealt.limit(0).select(*CAMPAIGN_HOLDOUT.names))


def _deal_campaign(
    judged: DataFrame,
    entries: DataFrame,
    dealt: DataFrame,
    today: DataFrame,
    values: DataFrame,
    campaign: CampaignHoldout,
    *,
    as_of: date,
) -> DataFrame:
    here = F.col("audience_id") == campaign.audience
    eligible = judged.where(here & (F.col("verdict") == "eligible")).select(*_PERSON).distinct()
    own = today.where(here)
    known = own.join(entries, on="person_id").groupBy("entry")
    theirs = eligible.join(entries, on="person_id").join(
        known.agg(F.min("split_group").alias("_group")),  # holdout comes first
        on="entry",
        how="left",
    )
    shared = theirs.groupBy(*_PERSON).agg(
        F.min("entry").alias("_entry"), F.min("_group").alias("_shared")
    )
    people = (
        eligible.join(dealt.where(here), on=_PERSON, how="left_anti")
        .join(own, on=_PERSON, how="left")
        .join(shared, on=_PERSON, how="left")
        .withColumn("_key", F.coalesce("_entry", "person_id"))
        .withColumn("_kept", F.coalesce("split_group", "_shared"))
    )
    dealing = deal_people(people, dealt.where(here), values, campaign, "audience_id")
    return dealing.select(
        *_PERSON,
        F.coalesce("_kept", "_dealt").alias("split_group"),
        F.lit(as_of).alias("assigned_on"),
        "stratum",
    ).select(*CAMPAIGN_HOLDOUT.names)


def hold_campaigns(
    judged: DataFrame, entries: DataFrame, dealt: DataFrame, aliases: DataFrame
) -> DataFrame:
    """Verdicts, with ``held_out`` for the eligible who are held out of the audience, or share an address with them.

    In: verdicts of `judge_members`; addresses as for `deal_campaigns`; activation.campaign_holdout; identity.alias. The
    columns stay as they are.
    """
    held = groups_today(dealt, aliases, "audience_id").where("split_group = 'holdout'")
    shared = held.join(entries, on="person_id").select("audience_id", "entry").distinct()
    sharing = shared.join(entries, on="entry").select(*_PERSON)
    persons = held.select(*_PERSON).unionByName(sharing).distinct()
    marked = persons.withColumn("_held", F.lit(True))
    is_held = (F.col("verdict") == "eligible") & F.coalesce("_held", F.lit(False))
    verdict = F.when(is_held, "held_out").otherwise(F.col("verdict"))
    return (
        judged.join(marked, on=_PERSON, how="left")
        .withColumn("verdict", verdict)
        .select(*judged.columns)
    )
