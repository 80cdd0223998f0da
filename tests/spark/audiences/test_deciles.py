"""Deciles equal SQL's NTILE, whatever the partitioning."""

from __future__ import annotations

from datetime import date

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.audiences.deciles import (
    expect_deciles,
    list_scoped_days,
    list_values,
    ntile,
    rank_deciles,
    sum_look_backs,
    tabulate_deciles,
)
from clvspark.audiences.tables import (
    DECILE,
    EXPECTED_DECILE,
    PERSON_DECILE,
    members_of_today,
    ranks_of_today,
)
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.history.tables import ORDER, PERSON_DAY
from clvspark.identity.tables import ALIAS
from clvspark.lakehouse.contract import verify_contract
from clvspark.sources.tables import EVENT, PRODUCT

APRIL = date(2026, 4, 1)
# Few distinct amounts, so that ties cross the bounds of deciles.
metrics = st.dictionaries(
    st.sampled_from(["clv", "revenue_all"]),
    st.lists(st.integers(0, 9), min_size=1, max_size=45),
    min_size=1,
)


def frame(spark: SparkSession, values: dict[str, list[int]]) -> DataFrame:
    rows = [
        (f"p{n}", metric, float(value))
        for metric, all_ in values.items()
        for n, value in enumerate(all_)
    ]
    return spark.createDataFrame(rows, "person_id string, metric string, value double")


def plain_ntile(values: DataFrame) -> pd.DataFrame:
    """NTILE(10) in DuckDB, ties by the same hash."""
    query = """
        SELECT person_id, metric, ntile(10) OVER best AS d, row_number() OVER best AS r FROM hashed
        WINDOW best AS (PARTITION BY metric ORDER BY value DESC, h, person_id)
    """
    with duckdb.connect(":memory:") as connection:
        connection.register("hashed", values.withColumn("h", F.xxhash64("person_id")).toPandas())
        return connection.execute(query).df()


@settings(max_examples=8)
@given(metrics)
def test_deciles_equal_ntile_of_a_database(
    spark: SparkSession, values: dict[str, list[int]]
) -> None:
    df = frame(spark, values)
    ranked = rank_deciles(df, as_of=APRIL).collect()
    expected = {(row.person_id, row.metric): (row.d, row.r) for row in plain_ntile(df).itertuples()}
    assert {
        (row["person_id"], row["metric"]): (row["decile"], row["rank"]) for row in ranked
    } == expected


def test_partitioning_and_order_play_no_part(spark: SparkSession) -> None:
    df = frame(spark, {"clv": [n % 17 for n in range(500)]}).persist()
    one = rank_deciles(df.coalesce(1), as_of=APRIL)
    verify_contract(DECILE.conform(one), DECILE)
    shuffled = rank_deciles(df.repartition(7, F.rand(3)).orderBy(F.rand(4)), as_of=APRIL)
    assert sorted(map(tuple, one.collect())) == sorted(map(tuple, shuffled.collect()))
    sizes = {row["decile"]: row["count"] for row in one.groupBy("decile").count().collect()}
    assert sizes == dict.fromkeys(range(1, 11), 50)


@pytest.mark.parametrize("total", [1, 9, 10, 11, 19, 25, 100])
def test_tiles_of_any_size_are_those_of_sql(spark: SparkSession, total: int) -> None:
    ranks = (
        spark.range(1, total + 1).withColumnRenamed("id", "rank").withColumn("total", F.lit(total))
    )
    found = [row[0] for row in ranks.orderBy("rank").select(ntile("rank", "total")).collect()]
    expected = duckdb.sql(
        f"SELECT ntile(10) OVER (ORDER BY i) FROM range({total}) t(i) ORDER BY i"
    ).fetchall()
    assert found == [row[0] for row in expected]


def test_windows_end_at_the_date_and_start_whole_months_before(spark: SparkSession) -> None:
    days = [("2026-03-01", 1), ("2026-02-28", 2), ("2026-01-01", 4), ("2025-12-31", 8), ("2025-04-01", 16),
            ("2025-03-31", 32), ("2026-03-31", 64), ("2026-04-01", 128)]  # fmt: skip
    rows = [
        {
            "person_id": "p1",
            "day": day,
            "orders": 1,
            "refunds": 0,
            "net_revenue": amount,
            "margin": 0,
            "interactions": 0,
        }
        for day, amount in days
    ]
    rows.append({**rows[0], "person_id": "p2", "net_revenue": -5})
    sums = sum_look_backs(PERSON_DAY.rows(spark, rows), as_of=APRIL).collect()
    assert {row["metric"]: row["value"] for row in sums if row["person_id"] == "p1"} == {
        "revenue_month_1": 1 + 64,
        "revenue_month_3": 1 + 64 + 2 + 4,
        "revenue_month_6": 1 + 64 + 2 + 4 + 8,
        "revenue_month_9": 1 + 64 + 2 + 4 + 8,
        "revenue_month_12": 1 + 64 + 2 + 4 + 8 + 16,
        "revenue_all": 1 + 64 + 2 + 4 + 8 + 16 + 32,
    }
    assert not [row for row in sums if row["person_id"] == "p2"], (
        "who owes us money is in no decile"
    )


def test_predicted_metrics_are_those_of_the_day(spark: SparkSession) -> None:
    base = {
        "lifecycle_stage": "core",
        "horizon_days": 364,
        "model_id": "m",
        "clv": 9,
        "residual_value": 3,
    }
    rows = [{"person_id": "p1", "as_of_date": on, **base} for on in (APRIL, date(2026, 1, 1))]
    found = list_values(CUSTOMER_VALUE.rows(spark, rows), as_of=APRIL).collect()
    assert sorted(map(tuple, found)) == [("p1", "clv", 9.0), ("p1", "residual_value", 3.0)]


def test_who_absorbed_others_since_has_their_own_decile_else_the_best_of_theirs(
    spark: SparkSession,
) -> None:
    """``old`` and ``late`` became ``now``, who was not ranked; ``lost`` became ``own``, who was."""
    heirs = {"old": "now", "late": "now", "lost": "own"}
    common = {"retired_on": "2026-05-01", "recorded_at": "2026-05-01 06:00:00"}
    rows = [{"retired_id": was, "person_id": heir, **common} for was, heir in heirs.items()]
    aliases = ALIAS.rows(spark, rows)
    ranked = {"old": 3, "late": 5, "lost": 1, "own": 8, "same": 2}
    told = [
        {"person_id": person, "metric": metric, "as_of_date": on, "value": 1, "rank": 1, "decile": tenth}
        for person, decile in ranked.items()
        for on, tenth in ((APRIL, decile), (date(2026, 1, 1), 10))
        for metric in ("clv", "revenue_all")
    ]  # fmt: skip
    found = ranks_of_today(DECILE.rows(spark, told), aliases, APRIL).collect()
    by_metric = {(row["metric"], row["person_id"]): row["decile"] for row in found}
    assert by_metric == {
        (metric, person): decile
        for metric in ("clv", "revenue_all")
        for person, decile in (("now", 3), ("own", 8), ("same", 2))
    }
    members = spark.createDataFrame(
        [("top", "old"), ("top", "late"), ("all", "same")], "audience_id string, person_id string"
    )
    today = members_of_today(members, aliases).collect()
    assert sorted(map(tuple, today)) == [("all", "same"), ("top", "now")]


def test_margin_and_orders_are_summed_beside_revenue(spark: SparkSession) -> None:
    row = {"person_id": "p1", "refunds": 0, "interactions": 0}
    rows = [
        {**row, "day": "2026-03-15", "orders": 2, "net_revenue": 50, "margin": 20},
        {**row, "day": "2025-12-31", "orders": 1, "net_revenue": 5, "margin": -1},
    ]
    sums = sum_look_backs(
        PERSON_DAY.rows(spark, rows), as_of=APRIL, months=(3,), metrics=["margin", "orders"]
    )
    assert {row["metric"]: row["value"] for row in sums.collect()} == {
        "margin_month_3": 20, "margin_all": 19, "orders_month_3": 2, "orders_all": 3
    }  # fmt: skip


def test_within_a_channel_or_a_category_only_its_own_counts(spark: SparkSession) -> None:
    """o1: web, Food 30 and Toys 20, of which 10 of the Food came back; o2: store, Toys; o3: web, cancelled."""
    order = {
        "person_id": "p1",
        "channel": "web",
        "cost": 0,
        "row_type": "purchase",
        "is_purchase": True,
    }
    refund = {"row_type": "refund", "is_purchase": False}
    orders = ORDER.rows(
        spark,
        [
            {**order, "order_id": "o1", "ordered_at": "2026-03-01 10:00:00", "net_revenue": 50, "margin": 5},
            {**order, **refund, "order_id": "o1", "ordered_at": "2026-03-09 10:00:00", "net_revenue": -10,
             "margin": -1},
            {**order, "order_id": "o2", "channel": "store", "ordered_at": "2026-03-02 10:00:00", "net_revenue": 7,
             "margin": 3},
            {**order, "order_id": "o3", "ordered_at": "2026-03-03 10:00:00", "net_revenue": 99, "margin": 9,
             "status": "cancelled"},
        ],
    )  # fmt: skip
    line = {"event_type": "order", "occurred_at": "2026-03-01 10:00:00", "order_id": "o1"}
    lines = EVENT.rows(
        spark,
        [
            {**line, "product_id": "bread", "net_revenue": 30},
            {**line, "product_id": "ball", "net_revenue": 20},
            {
                **line,
                "product_id": "bread",
                "net_revenue": -10,
                "event_type": "refund",
                "occurred_at": "2026-03-09",
            },
            {**line, "product_id": "ball", "net_revenue": 7, "order_id": "o2"},
            {**line, "product_id": "bread", "net_revenue": 99, "order_id": "o3"},
        ],
    )
    products = PRODUCT.rows(
        spark,
        [{"product_id": "bread", "category": "Food"}, {"product_id": "ball", "category": "Toys"}],
    )
    days = list_scoped_days(orders, lines, products, channels=["web"], categories=["Food", "Toys"])
    sums = sum_look_backs(days, as_of=APRIL, months=(1,), metrics=["revenue", "margin", "orders"])
    found = {row["metric"]: row["value"] for row in sums.where("metric LIKE '%_all%'").collect()}
    assert found == {
        "revenue_all channel=web": 40, "margin_all channel=web": 4, "orders_all channel=web": 1,
        "revenue_all category=Food": 20, "orders_all category=Food": 1,
        "revenue_all category=Toys": 27, "orders_all category=Toys": 2,
    }  # fmt: skip


def test_who_has_no_activity_is_in_the_result_and_in_no_decile(spark: SparkSession) -> None:
    sums = frame(spark, {"revenue_month_1": [5], "revenue_all": [3, 8], "clv": [1, 2, 3]})
    ranked = rank_deciles(sums, as_of=APRIL)
    persons = spark.createDataFrame([("p0",), ("p1",), ("p2",)], "person_id string")
    table = tabulate_deciles(ranked, persons, as_of=APRIL)
    verify_contract(PERSON_DECILE.conform(table), PERSON_DECILE)
    found = {row["person_id"]: row for row in table.collect()}
    assert {name: (row["decile_month_1"], row["decile_all"]) for name, row in found.items()} == {
        "p0": (1, 2), "p1": (None, 1), "p2": (None, None)
    }  # fmt: skip
    assert (found["p2"]["metric"], found["p2"]["value_all"], found["p1"]["value_all"]) == (
        "revenue",
        0,
        8,
    )


def test_an_interval_reaches_over_the_deciles_between_its_ends(spark: SparkSession) -> None:
    """Twenty persons worth 1 to 20: the tenth decile holds 1 and 2, the first 19 and 20."""
    sums = spark.createDataFrame(
        [(f"p{n}", "residual_value", float(n)) for n in range(1, 21)],
        "person_id string, metric string, value double",
    )
    base = {"as_of_date": APRIL, "lifecycle_stage": "core", "horizon_days": 364, "model_id": "m"}
    told = [
        {
            "person_id": "p10",
            "outcome_value_low": 1.5,
            "outcome_value_high": 30,
            "p_top_decile": 0.2,
        },
        {
            "person_id": "p20",
            "outcome_value_low": 18.5,
            "outcome_value_high": 19,
            "p_top_decile": 0.9,
        },
        {"person_id": "p1"},
    ]
    values = CUSTOMER_VALUE.rows(spark, [{**base, **row} for row in told])
    table = expect_deciles(rank_deciles(sums, as_of=APRIL), values, as_of=APRIL)
    verify_contract(EXPECTED_DECILE.conform(table), EXPECTED_DECILE)
    found = {
        r["person_id"]: (r["decile_best"], r["decile"], r["decile_worst"]) for r in table.collect()
    }
    assert found == {"p10": (1, 6, 10), "p20": (1, 1, 2), "p1": (None, 10, None)}
