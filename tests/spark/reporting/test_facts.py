"""Facts and dimensions of the star schema on a handful of rows."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from pyspark.sql import SparkSession
from support import cancelled

from clvspark.audiences.tables import DECILE, DEFINITION
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.history.tables import PERSON_DAY
from clvspark.identity.tables import MODEL, PAIR, PERSON, REVIEW, SHARED_IDENTIFIER
from clvspark.lakehouse.contract import verify_contract
from clvspark.measurement.tables import RESPONSE
from clvspark.reporting import dimensions, facts, quality_facts, tables
from clvspark.reporting.quality_tables import FACT_IDENTITY

APRIL = date(2026, 4, 1)
SECOND = datetime(2026, 4, 2, tzinfo=UTC)


def values(spark: SparkSession):
    base = {
        "as_of_date": APRIL,
        "horizon_days": 364,
        "model_id": "m",
        "p_alive": 0.5,
        "expected_purchases": 2,
    }
    rows = [("ann", "core", 30), ("bob", "core", 10), ("cat", "new", 5)]
    return CUSTOMER_VALUE.rows(
        spark,
        [
            {
                **base,
                "person_id": p,
                "lifecycle_stage": s,
                "residual_value": v,
                "historical_value": 1,
            }
            for p, s, v in rows
        ],
    )


def deciles(spark: SparkSession):
    rows = [
        ("ann", "clv", 1, 30),
        ("bob", "clv", 1, 20),
        ("cat", "clv", 2, 5),
        ("ann", "revenue_all", 4, 7),
    ]
    return DECILE.rows(
        spark,
        [
            {"person_id": p, "metric": m, "as_of_date": APRIL, "value": v, "rank": 1, "decile": d}
            for p, m, d, v in rows
        ],
    )


def bought(spark: SparkSession, *persons: str, day: str = "2026-03-01"):
    return PERSON_DAY.rows(spark, [{"person_id": p, "day": day, "orders": 1} for p in persons])


def test_who_has_cancelled_everything_is_a_prospect(spark: SparkSession) -> None:
    persons = spark.createDataFrame(
        [("ann", 3), ("bob", 1), ("cid", 1)], "person_id string, records int"
    )
    nobody, days = values(spark).limit(0), cancelled.days(spark)
    found = facts.build_fact_profile(nobody, persons, days, as_of=APRIL).collect()
    counts = {row["lifecycle_stage"]: row["count_of_profiles"] for row in found}
    assert counts == {"unvalued": 1, "prospect": 2}


def test_who_bought_without_being_valued_is_no_prospect(spark: SparkSession) -> None:
    persons = spark.createDataFrame(
        [("ann", 3), ("bob", 1), ("eve", 1)], "person_id string, records int"
    )
    days = bought(spark, "ann", "bob").unionByName(bought(spark, "eve", day="2026-04-01"))
    nobody = values(spark).limit(0)
    fact = tables.FACT_PROFILE.conform(facts.build_fact_profile(nobody, persons, days, as_of=APRIL))
    verify_contract(fact, tables.FACT_PROFILE)
    found = {row["lifecycle_stage"]: row for row in fact.collect()}
    assert {name: row["count_of_profiles"] for name, row in found.items()} == {
        "unvalued": 2,
        "prospect": 1,
    }
    assert (found["unvalued"]["historical_value"], found["unvalued"]["customer_equity"]) == (
        None,
        None,
    )
    assert found["prospect"]["historical_value"] == 0


def test_profiles_by_stage_with_prospects(spark: SparkSession) -> None:
    persons = spark.createDataFrame(
        [("ann", 3), ("bob", 1), ("cat", 1), ("dan", 2)], "person_id string, records int"
    )
    fact = tables.FACT_PROFILE.conform(
        facts.build_fact_profile(values(spark), persons, bought(spark, "ann"), as_of=APRIL)
    )
    verify_contract(fact, tables.FACT_PROFILE)
    found = {row["lifecycle_stage"]: row for row in fact.collect()}
    core, prospect = found["core"], found["prospect"]
    assert (
        core["count_of_profiles"],
        core["count_of_single_identity_profiles"],
        core["records"],
    ) == (2, 1, 4)
    assert (core["customer_equity"], core["historical_value"]) == (40.0, 2.0)
    assert (prospect["count_of_profiles"], prospect["customer_equity"]) == (1, 0.0)


def test_deciles_add_up(spark: SparkSession) -> None:
    after = spark.createDataFrame(
        [("ann", 12.0), ("cat", 1.0)], "person_id string, revenue_after double"
    )
    came = facts.sum_by_decile(after, deciles(spark))
    fact = tables.FACT_CLV_DECILE.conform(
        facts.build_fact_clv_decile(deciles(spark), values(spark), came, days_observed=91)
    )
    verify_contract(fact, tables.FACT_CLV_DECILE)
    found = {(row["metric"], row["decile"]): row for row in fact.collect()}
    top = found["clv", 1]
    assert (top["count_of_profiles"], top["value"], top["min_value"]) == (2, 50.0, 20.0)
    assert (top["residual_value"], top["p_alive"], top["revenue_after"]) == (40.0, 0.5, 12.0)
    assert top["historical_value"] == 2.0
    assert found["revenue_all", 4]["revenue_after"] == 12.0


def test_what_came_true_is_unknown_before_the_window_has_ended(spark: SparkSession) -> None:
    fact = facts.build_fact_clv_decile(deciles(spark), values(spark), None, days_observed=30)
    rows = tables.FACT_CLV_DECILE.conform(fact).collect()
    assert {(row["revenue_after"], row["days_observed"]) for row in rows} == {(None, 30)}


def test_overlap_counts_each_pair_of_audiences_once(spark: SparkSession) -> None:
    rows = [("a", "ann"), ("b", "ann"), ("c", "ann"), ("a", "bob"), ("b", "bob"), ("c", "cat")]
    members = spark.createDataFrame(rows, "audience_id string, person_id string")
    fact = tables.FACT_AUDIENCE_OVERLAP.conform(
        facts.build_fact_audience_overlap(members, as_of=APRIL)
    )
    found = {
        (r["audience_id"], r["other_audience_id"]): r["count_of_profiles"] for r in fact.collect()
    }
    assert found == {("a", "b"): 2, ("a", "c"): 1, ("b", "c"): 1}


def respond(
    spark: SparkSession, contacts: list[tuple[str, str]], *did: tuple[str, str, str | None]
):
    """Fact rows ``(contacted, opened, clicked, redeemed, responded_not_contacted)`` by campaign and decile."""
    rows = [
        (str(n), APRIL, person, campaign, kind.removeprefix("bot:"), SECOND, [], None, "email", kind.startswith("bot:"))
        for n, (person, kind, campaign) in enumerate(did)
    ]  # fmt: skip
    fact = tables.FACT_RESPONSE.conform(
        facts.build_fact_response(
            spark.createDataFrame(contacts, "person_id string, campaign_id string"),
            spark.createDataFrame(rows, RESPONSE.schema),
            deciles(spark),
            as_of=APRIL,
            days_observed=91,
        )
    )
    verify_contract(fact, tables.FACT_RESPONSE)
    numbers = ("contacted", "opened", "clicked", "redeemed", "responded_not_contacted")
    return {
        (row["campaign_id"], row["clv_decile"]): tuple(row[name] for name in numbers)
        for row in fact.collect()
    }


def test_a_person_counts_once_for_a_campaign_and_kind(spark: SparkSession) -> None:
    found = respond(
        spark,
        [("ann", "c1"), ("ann", "c1"), ("zoe", "c1")],
        ("ann", "email_opened", "c1"),
        ("ann", "email_opened", "c1"),
        ("ann", "email_clicked", None),
        ("zoe", "visit", "c1"),
    )
    assert found["c1", 1] == (1, 1, 0, 0, 0)
    assert found["c1", 0] == (1, 0, 0, 0, 0), "not ranked"


def test_what_a_machine_did_is_no_response(spark: SparkSession) -> None:
    found = respond(
        spark,
        [("ann", "c1")],
        ("ann", "bot:email_opened", "c1"),
        ("bob", "bot:email_clicked", "c1"),
    )
    assert found["c1", 1] == (1, 0, 0, 0, 0)


def test_a_rate_is_of_those_contacted_and_other_responses_are_apart(spark: SparkSession) -> None:
    found = respond(
        spark,
        [("ann", "c1"), ("cat", "c2")],
        ("bob", "coupon_redeemed", "c1"),
        ("bob", "email_opened", "c1"),
        ("cat", "coupon_redeemed", "c1"),
        ("cat", "coupon_redeemed", "c2"),
    )
    assert found["c1", 1] == (1, 0, 0, 0, 1), "bob was not contacted; he counts once"
    assert found["c1", 2] == (0, 0, 0, 0, 1)
    assert found["c2", 2] == (1, 0, 0, 1, 0)


def test_a_campaign_has_a_row_for_every_decile_of_zeros_where_nobody_was_contacted(
    spark: SparkSession,
) -> None:
    found = respond(spark, [("ann", "c1")], ("cat", "email_opened", "c2"))
    assert set(found) == {(campaign, n) for campaign in ("c1", "c2") for n in range(1, 11)}
    assert {found["c1", n] for n in range(2, 11)} == {(0, 0, 0, 0, 0)}
    assert respond(spark, [], ("ann", "visit", "c1")) == {}


def test_responses_by_audience_count_a_person_in_each_of_theirs(spark: SparkSession) -> None:
    did = [
        ("ann", "email_opened", "c1"),
        ("bob", "email_clicked", "c1"),
        ("eve", "email_opened", "c1"),
    ]
    rows = [
        (str(n), APRIL, person, campaign, kind, SECOND, [], None, "email", False)
        for n, (person, kind, campaign) in enumerate(did)
    ]
    members = [("top", "ann"), ("new", "ann"), ("new", "bob"), ("idle", "zoe")]
    contacts = [("ann", "c1"), ("ann", "c2"), ("eve", "c1")]
    fact = tables.FACT_RESPONSE_BY_AUDIENCE.conform(
        facts.build_fact_response_by_audience(
            spark.createDataFrame(contacts, "person_id string, campaign_id string"),
            spark.createDataFrame(rows, RESPONSE.schema),
            spark.createDataFrame(members, "audience_id string, person_id string"),
            spark.createDataFrame(
                [(name,) for name in ("top", "new", "idle", "empty")], "audience_id string"
            ),
            as_of=APRIL,
            days_observed=91,
        )
    )
    verify_contract(fact, tables.FACT_RESPONSE_BY_AUDIENCE)
    numbers = ("contacted", "opened", "clicked", "redeemed", "responded_not_contacted")
    found = {
        (row["campaign_id"], row["audience_id"]): tuple(row[name] for name in numbers)
        for row in fact.collect()
    }
    assert found == {
        ("c1", "top"): (1, 1, 0, 0, 0), ("c2", "top"): (1, 0, 0, 0, 0),
        ("c1", "new"): (1, 1, 0, 0, 1), ("c2", "new"): (1, 0, 0, 0, 0),
        ("c1", "idle"): (0, 0, 0, 0, 0), ("c2", "idle"): (0, 0, 0, 0, 0),
        ("c1", "empty"): (0, 0, 0, 0, 0), ("c2", "empty"): (0, 0, 0, 0, 0),
    }  # fmt: skip


def test_values_of_a_person_who_is_another_by_now_are_counted(spark: SparkSession) -> None:
    persons = spark.createDataFrame([("ann", 3)], "person_id string, records bigint")
    fact = facts.build_fact_profile(values(spark), persons, bought(spark), as_of=APRIL)
    verify_contract(tables.FACT_PROFILE.conform(fact), tables.FACT_PROFILE)
    assert sum(row["customer_equity"] for row in fact.collect()) == 45.0


def test_the_calendar_has_every_day_between_the_first_and_the_last(spark: SparkSession) -> None:
    days = [{"person_id": "ann", "day": day} for day in ("2024-02-27", "2024-03-02")]
    rows = (
        tables.DIM_DATE.conform(dimensions.build_dim_date(PERSON_DAY.rows(spark, days)))
        .orderBy("date")
        .collect()
    )
    assert [row["date"].isoformat() for row in rows] == [
        "2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02"
    ]  # fmt: skip
    for row in rows:
        assert (row["iso_year"], row["iso_week"], row["day_of_week"]) == row["date"].isocalendar()
    assert dimensions.build_dim_date(PERSON_DAY.rows(spark, [])).count() == 0


def test_thresholds_of_records_that_cannot_be_linked_are_whole_bits(spark: SparkSession) -> None:
    shares = [[-10.0, 0.0], [0.0, 0.01], [12.0, 0.25]]
    report = json.dumps({"levels": [], "unlinkables": shares})
    model = {"model_id": "m", "trained_on": APRIL, "report": report, "is_champion": True}
    nothing = (table.rows(spark, []) for table in (PERSON, PAIR, REVIEW, SHARED_IDENTIFIER))
    fact = quality_facts.build_fact_identity(*nothing, MODEL.rows(spark, [model]), as_of=APRIL)
    rows = FACT_IDENTITY.conform(fact).orderBy("position").collect()
    assert [(row["aspect"], row["item"], row["value"]) for row in rows] == [
        ("unlinkable_share", "-10", 0.0),
        ("unlinkable_share", "0", 0.01),
        ("unlinkable_share", "12", 0.25),
    ]


def test_audiences_are_shown_in_their_newest_version(spark: SparkSession) -> None:
    rows = [{"audience_id": "a", "version": n, "name": f"v{n}", "rule": "{}"} for n in (9, 10)]
    (row,) = dimensions.build_dim_audience(DEFINITION.rows(spark, rows)).collect()
    assert (row["version"], row["name"]) == (10, "v10")


@pytest.mark.parametrize("table", tables.TABLES, ids=lambda table: table.name)
def test_every_table_of_the_star_says_what_a_row_is(table) -> None:
    assert table.comment.endswith(".")
    assert table.key
