"""Holdouts by stratum and by campaign: how many are held out, and that nobody ever changes sides."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from clvspark.activation.campaigns import deal_campaigns, hold_campaigns
from clvspark.activation.config import CampaignHoldout, HoldoutConfig
from clvspark.activation.holdout import deal_groups
from clvspark.activation.tables import CAMPAIGN_HOLDOUT, HOLDOUT
from clvspark.identity.tables import ALIAS
from clvspark.lakehouse.contract import verify_contract

APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)
VALUE = "person_id string, clv_decile int"
JUDGED = (
    "audience_id string, person_id string, verdict string, address string, destination_id string"
)


def deciles(spark: SparkSession, persons: list[str]) -> DataFrame:
    rows = [(name, n % 10 + 1) for n, name in enumerate(persons)]
    return spark.createDataFrame(rows, VALUE).selectExpr("*", "'core' AS lifecycle_stage")


def deal(
    spark: SparkSession, persons: list[str], before: DataFrame, values: DataFrame
) -> DataFrame:
    config = HoldoutConfig(percent=20, salt="a", stratify_by="clv_decile")
    people = spark.createDataFrame([(name,) for name in persons], "person_id string")
    none = spark.createDataFrame([], "person_id string, entry string")
    aliases = ALIAS.rows(spark, [])
    dealt = deal_groups(people, none, before, aliases, config, as_of=APRIL, values=values)
    return HOLDOUT.conform(dealt).localCheckpoint()


def test_each_stratum_has_its_share_and_keeps_it_when_more_come(spark: SparkSession) -> None:
    everyone = [f"p{n}" for n in range(600)]
    values = deciles(spark, everyone)
    first = deal(spark, everyone[:300], HOLDOUT.rows(spark, []), values)
    assert held_by_stratum(first) == {str(n): 6 for n in range(1, 11)}, "20 % of 30"
    more = deal(spark, everyone, first, values)
    assert held_by_stratum(first.unionByName(more)) == {str(n): 12 for n in range(1, 11)}
    again = deal(spark, everyone, first.unionByName(more), values)
    assert again.isEmpty(), "nobody is dealt twice"
    unknown = deal(spark, ["new1", "new2", "new3", "new4", "new5"], first, values)
    assert held_by_stratum(unknown) == {"none": 1}, "of no value: a stratum of their own"


def held_by_stratum(groups: DataFrame) -> dict[str, int]:
    rows = groups.where("split_group = 'holdout'").collect()
    return dict(Counter(row["stratum"] for row in rows))


@settings(max_examples=6)
@given(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=3), percent=st.integers(0, 50))
def test_a_stratum_is_never_off_by_more_than_a_person(
    spark: SparkSession, sizes: list[int], percent: int
) -> None:
    config = HoldoutConfig(percent=percent, salt="s", stratify_by="clv_decile")
    rows = [(f"p{s}_{n}", s + 1) for s, size in enumerate(sizes) for n in range(size)]
    values = spark.createDataFrame(rows, VALUE)
    none = spark.createDataFrame([], "person_id string, entry string")
    before = HOLDOUT.rows(spark, [])
    dealt = deal_groups(
        values, none, before, ALIAS.rows(spark, []), config, as_of=APRIL, values=values
    )
    held = held_by_stratum(dealt)
    for stratum, size in enumerate(sizes, 1):
        assert abs(held.get(str(stratum), 0) - size * percent / 100) <= 0.5


class Campaign:
    """A holdout of half of one audience, dealt day by day."""

    def __init__(self, spark: SparkSession, **dealt: str) -> None:
        self.spark = spark
        rows = [
            {"audience_id": "top", "person_id": name, "split_group": group, "assigned_on": APRIL}
            for name, group in dealt.items()
        ]
        self.dealt = CAMPAIGN_HOLDOUT.rows(spark, rows)
        self.aliases = ALIAS.rows(spark, [])
        # Addresses of persons who are not asked about.
        self.others: dict[str, str] = {}

    def absorb(self, was: str, now: str) -> None:
        row = {
            "retired_id": was,
            "person_id": now,
            "retired_on": APRIL,
            "recorded_at": "2026-04-01 06:00:00",
        }
        self.aliases = self.aliases.unionByName(ALIAS.rows(self.spark, [row]))

    def judge(self, **addresses: str) -> dict[tuple[str, str], str]:
        """Verdicts by audience and person, after dealing; all are eligible for two audiences."""
        rows = [
            (audience, name, "eligible", address, "tool")
            for audience in ("top", "other")
            for name, address in addresses.items()
        ]
        judged = self.spark.createDataFrame(rows, JUDGED)
        campaign = CampaignHoldout(audience="top", percent=50, salt="c")
        values = self.spark.createDataFrame([], VALUE)
        known = [
            (name, address.strip().lower()) for name, address in (addresses | self.others).items()
        ]
        entries = self.spark.createDataFrame(known, "person_id string, entry string")
        new = deal_campaigns(
            judged, entries, self.dealt, self.aliases, values, [campaign], as_of=MAY
        ).localCheckpoint()
        verify_contract(CAMPAIGN_HOLDOUT.conform(new), CAMPAIGN_HOLDOUT)
        self.dealt = self.dealt.unionByName(new).localCheckpoint()
        found = hold_campaigns(judged, entries, self.dealt, self.aliases)
        assert found.columns == judged.columns
        return {(row["audience_id"], row["person_id"]): row["verdict"] for row in found.collect()}


def test_a_campaign_holds_out_of_its_audience_alone_and_for_good(spark: SparkSession) -> None:
    people = {f"p{n}": f"p{n}@x.org" for n in range(200)}
    campaign = Campaign(spark)
    first = campaign.judge(**people)
    top = [verdict for (audience, _), verdict in first.items() if audience == "top"]
    assert 70 < top.count("held_out") < 130
    assert {v for (audience, _), v in first.items() if audience == "other"} == {"eligible"}
    assert campaign.judge(**people) == first
    assert campaign.dealt.count() == 200


@pytest.mark.parametrize("group", ["holdout", "treatment"])
def test_groups_of_a_campaign_survive_merges_and_households(
    spark: SparkSession, group: str
) -> None:
    verdict = "held_out" if group == "holdout" else "eligible"
    campaign = Campaign(spark, ann=group)
    campaign.absorb("ann", "cat")
    verdicts = campaign.judge(cat="home@x.org", dan=" Home@x.org")
    assert verdicts["top", "cat"] == verdict, "who has absorbed ann takes over her group"
    assert verdicts["top", "dan"] == verdict, "who shares her address joins her"
    assert campaign.judge(dan="other@x.org")["top", "dan"] == verdict, "and stays there"


def test_persons_with_one_address_are_dealt_as_one(spark: SparkSession) -> None:
    pairs = {f"p{n}_{k}": f"home{n}@x.org" for n in range(30) for k in (1, 2)}
    verdicts = Campaign(spark).judge(**pairs)
    groups = [{verdicts["top", f"p{n}_{k}"] for k in (1, 2)} for n in range(30)]
    assert all(len(group) == 1 for group in groups)
    assert {"held_out"} in groups
    assert {"eligible"} in groups


@pytest.mark.parametrize("group", ["holdout", "treatment"])
def test_who_shares_an_address_joins_also_who_is_not_asked_about(
    spark: SparkSession, group: str
) -> None:
    campaign = Campaign(spark, ann=group)
    campaign.others = {"ann": "home@x.org"}
    people = {f"p{n}": "home@x.org" for n in range(8)}
    verdicts = campaign.judge(**people)
    verdict = "held_out" if group == "holdout" else "eligible"
    assert {verdicts["top", name] for name in people} == {verdict}
