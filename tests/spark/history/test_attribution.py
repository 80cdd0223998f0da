"""Orders are shared among the touchpoints before them, by every method and to the cent."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from support import cancelled

from clvspark.history.attribution import stage
from clvspark.history.attribution.channels import count_coalitions, count_transitions
from clvspark.history.attribution.config import AttributionConfig
from clvspark.history.attribution.paths import build_paths, list_touchpoints, net_refunds
from clvspark.history.attribution.shares import share_orders
from clvspark.history.attribution.stage import (
    attribute_orders,
    refuse_unequal_sums,
    value_channels,
)
from clvspark.history.tables import ATTRIBUTION, INTERACTION, ORDER
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.contract import verify_contract
from clvspark.lakehouse.errors import ContractError

CONFIG = AttributionConfig()  # type: ignore[call-arg]


def order(number: str, person: str | None, at: str, amount: object, **more: object) -> dict:
    row_type = "purchase" if more.get("is_purchase", True) else "refund"
    return {
        "order_id": number, "person_id": person, "ordered_at": at, "channel": "web", "is_purchase": True,
        "row_type": row_type, "status": "completed", "gross_revenue": amount, "discount": 0, "tax": 0,
        "lines": 1, "net_revenue": amount, "cost": 0, "margin": amount, **more,
    }  # fmt: skip


def touch(number: str, person: str, at: str, channel: str, **more: object) -> dict:
    return {
        "event_id": number, "person_id": person, "occurred_at": at, "interaction_type": "email_clicked",
        "channel": channel, **more,
    }  # fmt: skip


def paths_of(orders: DataFrame, interactions: DataFrame, window_days: int = 30) -> DataFrame:
    touched = list_touchpoints(
        interactions,
        always=CONFIG.touchpoints,
        with_campaign=CONFIG.touchpoints_with_campaign,
    )
    return build_paths(net_refunds(orders), touched, window_days=window_days)


def attribute(
    orders: DataFrame, interactions: DataFrame, config: AttributionConfig = CONFIG
) -> DataFrame:
    paths = paths_of(orders, interactions, config.window_days).localCheckpoint()
    values = value_channels(paths, config)
    return ATTRIBUTION.conform(share_orders(paths, config=config, channel_values=values))


def test_touchpoints_are_what_the_configuration_says(spark: SparkSession) -> None:
    rows = [
        touch("open", "a", "2026-03-01", "email", interaction_type="email_opened"),
        touch("sent", "a", "2026-03-01", "email", interaction_type="email_sent"),
        touch("visit", "a", "2026-03-01", "web", interaction_type="visit"),
        touch("ad", "a", "2026-03-01", "web", interaction_type="visit", campaign_id="c"),
    ]
    interactions = INTERACTION.rows(spark, rows)
    found = list_touchpoints(interactions, always=["email_opened"], with_campaign=["visit"])
    assert {row["event_id"] for row in found.collect()} == {"open", "ad"}
    assert list_touchpoints(interactions, always=[], with_campaign=[]).isEmpty()


ORDERS = [
    order("o1", "a", "2026-03-10 10:00:00", "100.00"),
    order("o1", "a", "2026-03-20 10:00:00", "-0.05", is_purchase=False),
    order("o2", "a", "2026-03-11 10:00:00", "10.01"),
    order("o3", "b", "2026-03-10 10:00:00", "5.00"),
    order("lost", "b", "2026-03-12 10:00:00", "-4.00", is_purchase=False),
    order("nobody", None, "2026-03-10 10:00:00", "7.00"),
]
TOUCHES = [
    touch("t1", "a", "2026-03-03 10:00:00", "email", campaign_id="c"),
    touch("t2", "a", "2026-03-06 10:00:00", "ads"),
    # At the instant of the order, as a coupon is.
    touch("t3", "a", "2026-03-10 10:00:00", "email"),
    touch("long before", "a", "2026-01-02 10:00:00", "ads"),
    touch("longer before", "a", "2025-12-31 10:00:00", "ads"),
    touch("a month before", "b", "2026-02-08 09:59:59", "ads"),
    touch("afterwards", "b", "2026-03-30 10:00:00", "email"),
]


@pytest.fixture(scope="module")
def paths(spark: SparkSession) -> DataFrame:
    return paths_of(ORDER.rows(spark, ORDERS), INTERACTION.rows(spark, TOUCHES)).persist()


def test_a_path_ends_with_an_order_or_with_nothing(paths: DataFrame) -> None:
    found: dict[tuple[str, int], list[str]] = {}
    led_to: dict[str, str | None] = {}
    for row in paths.orderBy("person_id", "path", "position").collect():
        found.setdefault((row["person_id"], row["path"]), []).append(row["event_id"])
        led_to["+".join(found[row["person_id"], row["path"]])] = row["order_id"]
    assert led_to == {
        "t1": "o1", "t1+t2": "o1", "t1+t2+t3": "o1",
        "longer before": None, "longer before+long before": None,
        "a month before": None, "afterwards": None, "none": led_to["none"],
    }  # fmt: skip
    alone = paths.where("event_id = 'none'").select("order_id", "channel").collect()
    assert sorted(map(tuple, alone)) == [("lost", "direct"), ("o2", "direct"), ("o3", "direct")]


def test_nobody_is_credited_for_an_order_that_was_cancelled(spark: SparkSession) -> None:
    touches = [
        touch("t1", "ann", "2026-03-01 10:00:00", "email"),
        touch("t2", "ann", "2026-03-10 10:00:00", "ads"),
    ]
    orders = cancelled.orders(spark)
    shared = attribute(orders, INTERACTION.rows(spark, touches))
    # The order of the 12th, behind the advertisement, was cancelled; the first has come to 8.
    assert {(row["order_id"], row["event_id"]) for row in shared.collect()} == {("stays", "t1")}
    refuse_unequal_sums(orders, shared, CONFIG)


def test_every_step_of_every_path_is_counted(paths: DataFrame) -> None:
    moves = {(row[0], row[1]): row[2] for row in count_transitions(paths).collect()}
    assert moves == {
        ("(start)", "email"): 2, ("(start)", "ads"): 2, ("email", "ads"): 1, ("ads", "email"): 1,
        ("ads", "ads"): 1, ("email", "(conversion)"): 1, ("ads", "(null)"): 2, ("email", "(null)"): 1,
    }  # fmt: skip
    took_part = {tuple(row) for row in count_coalitions(paths).collect()}
    assert took_part == {("email", 2, 1), ("ads", 2, 1)}


# Of 99.95, what is left of 100 after the refund. Half-lives before the last: 1 and 4 / 7.
SHARES = {
    "first": {"t1": "99.95"},
    "last": {"t3": "99.95"},
    # 33.31 2/3 each: 33.32 are due to the first, 66.63 to the first two.
    "linear": {"t1": "33.32", "t2": "33.31", "t3": "33.32"},
    "position": {"t1": "39.98", "t2": "19.99", "t3": "39.98"},
    # 2^-1 : 2^-(4/7) : 1 = 0.5 : 0.67295 : 1, of 2.17295.
    "time_decay": {"t1": "23.00", "t2": "30.95", "t3": "46.00"},
    # From email an order 1/3, ads 1/3; from ads email 1/4, ads 1/4: P = (3/8 + 1/8) / 2 = 1/4. Without ads it is
    # 1/2 x 1/3, without email 0: effects 1/3 and 1, so 1/2 for each e-mail against 1/3.
    "markov": {"t1": "37.48", "t2": "24.99", "t3": "37.48"},
    "shapley": {"t1": "24.99", "t2": "49.97", "t3": "24.99"},
}


@pytest.fixture(scope="module")
def shared(spark: SparkSession) -> DataFrame:
    return attribute(ORDER.rows(spark, ORDERS), INTERACTION.rows(spark, TOUCHES)).persist()


@pytest.mark.parametrize("method", SHARES)
def test_an_order_is_shared_as_the_method_says(shared: DataFrame, method: str) -> None:
    rows = shared.where(F.col("order_id") == "o1").where(F.col("method") == method).collect()
    assert {r["event_id"]: str(r["attributed_revenue"]) for r in rows} == SHARES[method]
    assert sum(r["credit"] for r in rows) == 1


def test_the_table_keeps_its_contract_and_names_what_led_to_the_order(shared: DataFrame) -> None:
    verify_contract(shared, ATTRIBUTION)
    first = shared.where("method = 'first'").collect()
    assert {r["order_id"]: (r["channel"], r["campaign_id"], r["attributed_margin"]) for r in first} == {
        "o1": ("email", "c", Decimal("99.95")),
        "o2": ("direct", None, Decimal("10.01")),
        "o3": ("direct", None, Decimal("5.00")),
        "lost": ("direct", None, Decimal("-4.00")),
    }  # fmt: skip


def test_what_does_not_add_up_is_refused(spark: SparkSession, shared: DataFrame) -> None:
    orders = ORDER.rows(spark, ORDERS)
    refuse_unequal_sums(orders, shared, CONFIG)
    with pytest.raises(ContractError, match=r"by markov are 11\.01 and 11\.01.* has 110\.96"):
        refuse_unequal_sums(orders, shared.where("method <> 'markov' OR order_id <> 'o1'"), CONFIG)
    with pytest.raises(ContractError, match="by last are 0 and 0"):
        refuse_unequal_sums(orders, shared.where("method <> 'last'"), CONFIG)


def test_what_the_stage_writes_adds_up_or_is_not_written(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.overwrite(ORDER, ORDER.rows(lake.spark, ORDERS))
    lake.overwrite(INTERACTION, INTERACTION.rows(lake.spark, TOUCHES))
    config = AttributionConfig(methods=["last"])  # type: ignore[call-arg]
    runs = {"as_of": None, "config": config, "reads": (), "writes": (ATTRIBUTION,)}
    with lake.writing("history"), lake.run("attribution", **runs) as run:
        attribute_orders(run, lake.read(ORDER), lake.read(INTERACTION), config)
    written = lake.read(ATTRIBUTION).collect()
    assert sorted(row["order_id"] for row in written) == ["lost", "o1", "o2", "o3"]
    monkeypatch.setattr(stage, "share_orders", lambda *a, **k: share_orders(*a, **k).limit(1))
    with (
        lake.writing("history"),
        pytest.raises(ContractError, match="The table was left as it was"),
        lake.run("attribution", **runs) as run,
    ):
        attribute_orders(run, lake.read(ORDER), lake.read(INTERACTION), config)
    assert sorted(lake.read(ATTRIBUTION).collect()) == sorted(written)


def test_without_touchpoints_every_order_is_direct(spark: SparkSession) -> None:
    orders = ORDER.rows(spark, ORDERS)
    config = AttributionConfig(methods=["markov", "last"])  # type: ignore[call-arg]
    found = attribute(orders, INTERACTION.rows(spark, []), config)
    refuse_unequal_sums(orders, found, config)
    assert {(r["event_id"], r["credit"]) for r in found.collect()} == {("none", Decimal(1))}


MARCH = datetime(2026, 3, 1)  # noqa: DTZ001 - the rows are cast by a session whose zone is UTC
bought = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.integers(0, 60), st.integers(-10_000, 10_000), st.integers(-99, 99)
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip
touched = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 60), st.sampled_from(["email", "ads", "web"])),
    max_size=14,
)


@settings(max_examples=5)
@given(bought, touched, st.integers(1, 40))
def test_shares_sum_to_the_order_whatever_the_path_and_the_partitioning(
    spark: SparkSession,
    bought: list[tuple[str, int, int, int]],
    touched: list[tuple[str, int, str]],
    window_days: int,
) -> None:
    rows = [
        order(
            f"o{n}",
            person,
            str(MARCH + timedelta(days=day)),
            Decimal(cents) / 100,
            margin=Decimal(margin) / 100,
            # Less than nothing of an order alone is a refund of which no purchase is known.
            is_purchase=cents >= 0 or n % 2 == 0,
        )
        for n, (person, day, cents, margin) in enumerate(bought)
    ]
    touches = [
        touch(f"t{n}", person, str(MARCH + timedelta(days=day)), channel)
        for n, (person, day, channel) in enumerate(touched)
    ]
    config = AttributionConfig(window_days=window_days)  # type: ignore[call-arg]
    orders, interactions = ORDER.rows(spark, rows), INTERACTION.rows(spark, touches)
    found = attribute(orders, interactions, config).persist()
    verify_contract(found, ATTRIBUTION)
    sums = found.groupBy("order_id", "method").agg(
        F.sum("attributed_revenue"), F.sum("attributed_margin"), F.sum("credit")
    )
    amounts = {row["order_id"]: (row["net_revenue"], row["margin"], 1) for row in rows}
    assert {tuple(row[:2]): tuple(row[2:]) for row in sums.collect()} == {
        (number, method): amount for number, amount in amounts.items() for method in config.methods
    }
    shuffled = attribute(
        orders.repartition(3, F.rand(1)), interactions.repartition(5, F.rand(2)), config
    )
    assert sorted(map(str, shuffled.collect())) == sorted(map(str, found.collect()))


def test_what_is_due_so_far_is_rounded(spark: SparkSession) -> None:
    orders = [order("o1", "a", "2026-03-10", "-100.00", margin="0.02")]
    touches = [touch(f"t{n}", "a", f"2026-03-0{n}", "email") for n in range(1, 8)]
    config = AttributionConfig(methods=["linear"])  # type: ignore[call-arg]
    found = attribute(ORDER.rows(spark, orders), INTERACTION.rows(spark, touches), config)
    rows = found.orderBy("event_id").collect()
    # Due are 14.29, 28.57, 42.86, 57.14, 71.43, 85.71 and 100; of two cents 0, 1, 1, 1, 1, 2 and 2.
    expected = ["-14.29", "-14.28", "-14.29", "-14.28", "-14.29", "-14.28", "-14.29"]
    assert [str(r["attributed_revenue"]) for r in rows] == expected
    assert [100 * r["attributed_margin"] for r in rows] == [0, 1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize("touchpoints", [7, 40], ids=["few", "many"])
def test_each_part_is_within_a_cent_of_the_exact_share(
    spark: SparkSession, touchpoints: int
) -> None:
    revenue, margin = Decimal("-123456789012345.67"), Decimal("0.02")
    orders = [order("o1", "a", "2026-03-10", str(revenue), margin=str(margin))]
    touches = [
        touch(f"t{n:02}", "a", f"2026-03-09 00:{n:02}:00", "email") for n in range(touchpoints)
    ]
    config = AttributionConfig(methods=["linear"])  # type: ignore[call-arg]
    found = attribute(ORDER.rows(spark, orders), INTERACTION.rows(spark, touches), config)
    rows = found.collect()

    assert len(rows) == touchpoints
    for whole, name, unit in (
        (revenue, "attributed_revenue", Decimal("0.01")),
        (margin, "attributed_margin", Decimal("0.01")),
        (Decimal(1), "credit", Decimal("0.00000001")),
    ):
        parts = [row[name] for row in rows]
        assert sum(parts) == whole
        assert all(abs(part - whole / touchpoints) < unit for part in parts)


def test_a_person_of_many_touchpoints_costs_no_more_rows_than_these(spark: SparkSession) -> None:
    many = spark.range(5_000).select(
        F.format_string("t%05d", "id").alias("event_id"),
        F.lit("a").alias("person_id"),
        (
            F.lit("2026-01-01").cast("timestamp") + F.make_dt_interval(F.lit(0), F.lit(0), "id")
        ).alias("occurred_at"),
        F.lit("email_opened").alias("interaction_type"),
        F.lit("email").alias("channel"),
        F.lit(None).cast("string").alias("campaign_id"),
    )
    orders = ORDER.rows(
        spark, [order(f"o{n}", "a", f"2026-01-0{n} 12:00:00", "50.00") for n in range(1, 5)]
    )
    found = paths_of(orders, many)
    (row,) = found.agg(F.count("*"), F.max("position"), F.countDistinct("order_id")).collect()
    # 720 minutes until the first noon, then 1440 a day; what is left leads to nothing yet.
    assert (row[0], row[1], row[2]) == (5_000, 1_440, 4)
