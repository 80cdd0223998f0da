"""Rolling origins on CDNOW: the champion against what people use who have no model."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from support.cdnow import read_cdnow

from clvspark.clv.calibration import collect_judged
from clvspark.clv.competition import Competition, hold_competition
from clvspark.clv.config import ClvConfig
from clvspark.clv.curves import average_by_repeats, count_daily
from clvspark.clv.fit import model_columns
from clvspark.clv.folds import count_windows, join_windows, list_folds
from clvspark.history.clv_summary import summarise_purchases
from clvspark.history.tables import PERSON_DAY

AS_OF = date(1998, 7, 1)
CONFIG = ClvConfig(value="revenue", spend_of="all_purchases")  # type: ignore[call-arg]
FOLDS = list_folds(CONFIG, AS_OF, date(1997, 1, 1))


@pytest.fixture(scope="module")
def days(spark: SparkSession) -> DataFrame:
    """history.person_day of CDNOW."""
    log = read_cdnow().groupby(["customer_id", "day"], as_index=False)["spend"].sum()
    rows = [
        {
            "person_id": str(row.customer_id), "day": row.day.date(), "orders": 1, "refunds": 0,
            "net_revenue": round(row.spend, 2), "margin": round(row.spend * 0.3, 2), "interactions": 0,
        }
        for row in log.itertuples()
    ]  # fmt: skip
    return PERSON_DAY.rows(spark, rows).localCheckpoint()


@pytest.fixture(scope="module")
def cases(days: DataFrame) -> DataFrame:
    """Histories at the origins, with what came after."""
    lags = [fold.lag_days for fold in FOLDS]
    summary = summarise_purchases(days, as_of=AS_OF, lags_days=lags)
    origins = [fold.origin for fold in FOLDS]
    windows = count_windows(days, None, origins=origins, window_days=182, value="revenue")
    known = model_columns(summary, "revenue", "all_purchases")
    return join_windows(known, windows, as_of=AS_OF).localCheckpoint()


@pytest.fixture(scope="module")
def found(days: DataFrame, cases: DataFrame) -> Competition:
    summary = summarise_purchases(days, as_of=AS_OF, lags_days=[0])
    now = model_columns(summary, "revenue", "all_purchases")
    return hold_competition(CONFIG, FOLDS, cases, now, None, lambda _: None)


def test_the_folds_end_at_the_date_and_eight_weeks_before_each_other() -> None:
    assert [fold.origin for fold in FOLDS] == [
        date(1997, 12, 31),
        date(1997, 11, 5),
        date(1997, 9, 10),
    ]
    early = list_folds(CONFIG, AS_OF, date(1997, 9, 10))
    assert [fold.origin for fold in early] == [date(1997, 12, 31), date(1997, 11, 5)]


@pytest.mark.parametrize("measure", ["mae", "value_mae", "rmse", "value_rmse"])
@pytest.mark.parametrize("baseline", ["LastPeriod", "SimpleFormula"])
def test_the_champion_errs_less_than_a_baseline_on_every_fold(
    found: Competition, baseline: str, measure: str
) -> None:
    champion = found.measures[found.champion(CONFIG.champion_by)]
    others = found.measures[baseline]
    assert set(champion) == set(others) == {fold.origin for fold in FOLDS}
    for origin in champion:
        assert champion[origin][measure] < others[origin][measure]


@pytest.mark.parametrize("measure", ["normalised_gini", "value_normalised_gini"])
@pytest.mark.parametrize("baseline", ["LastPeriod", "SimpleFormula"])
def test_the_champion_ranks_better_than_a_baseline_on_average(
    found: Competition, baseline: str, measure: str
) -> None:
    champion = found.average(found.champion(CONFIG.champion_by), measure)
    assert champion is not None
    assert champion > (found.average(baseline, measure) or 1.0)


@pytest.mark.parametrize("name", CONFIG.models)
def test_intervals_of_every_fold_hold_what_came(found: Competition, name: str) -> None:
    """Four of five, as near as models come to real customers; as they stand, more."""
    assert found.measures[name].keys() == {fold.origin for fold in FOLDS}
    for measures in found.measures[name].values():
        for prefix in ("", "value_"):
            assert 0.75 < measures[f"{prefix}interval_coverage"] < 0.85
            assert measures[f"{prefix}interval_coverage_closed"] > 0.85
            assert measures[f"{prefix}interval_width"] > 0
    assert found.average("LastPeriod", "interval_coverage") is None


def test_of_many_customers_some_are_judged(cases: DataFrame) -> None:
    everybody, some = (collect_judged(cases, {}, customers=n) for n in (2_357, 100_000))
    assert everybody.keys() == some.keys() == {fold.lag_days for fold in FOLDS}
    newest, drawn = everybody[FOLDS[0].lag_days], some[FOLDS[0].lag_days]
    assert len(newest) == 2_357
    assert 2_357 / 5 * 0.8 < len(drawn) < 2_357 / 5 * 1.2


def test_a_fold_is_fitted_to_what_was_before_its_origin(
    days: DataFrame, cases: DataFrame, found: Competition
) -> None:
    """Purchases after the oldest origin, doubled in number and price, move no prediction of its fold."""
    fold = FOLDS[-1]
    later = F.col("day") >= F.lit(fold.origin)
    changed = days.withColumn(
        "net_revenue", F.when(later, F.col("net_revenue") * 9).otherwise(F.col("net_revenue"))
    )
    changed = changed.where(~later | (F.crc32("person_id") % 2 == 0))
    config = CONFIG.model_copy(update={"models": ["BetaGeoModel"]})
    summary = summarise_purchases(changed, as_of=AS_OF, lags_days=[0, fold.lag_days])
    known = model_columns(summary, "revenue", "all_purchases")
    windows = count_windows(changed, None, origins=[fold.origin], window_days=182, value="revenue")
    moved = join_windows(known.where("lag_days > 0"), windows, as_of=AS_OF)
    other = hold_competition(
        config, [fold], moved, known.where("lag_days = 0"), None, lambda _: None
    )
    for measure in ("customers", "predicted_purchases", "predicted_value"):
        before = found.measures["BetaGeoModel"][fold.origin][measure]
        assert other.measures["BetaGeoModel"][fold.origin][measure] == pytest.approx(before)
    actual = other.measures["BetaGeoModel"][fold.origin]["actual_value"]
    assert actual > 2 * found.measures["BetaGeoModel"][fold.origin]["actual_value"]


def test_plots_are_drawn_from_all_customers(
    days: DataFrame, cases: DataFrame, found: Competition
) -> None:
    fold = FOLDS[0]
    one = cases.where(F.col("lag_days") == fold.lag_days)
    name = found.champion(CONFIG.champion_by)
    averages = average_by_repeats(one, {name: found.newest[name]}, holdout_days=182)
    sums = (averages["purchases"] * averages["customers"]).groupby(averages["series"]).sum()
    measures = found.measures[name][fold.origin]
    assert sums["actual"] == measures["actual_purchases"]
    assert sums[name] == pytest.approx(measures["predicted_purchases"])
    daily = count_daily(days, None, origin=fold.origin, until=AS_OF)
    assert daily[["first", "repeats"]].sum().tolist() == [2357, days.count() - 2357]
