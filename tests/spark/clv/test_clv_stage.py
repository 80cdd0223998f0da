"""Fit and score on Spark, held to the models fitted on the same rows in pandas."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from clvspark.clv import (
    BetaGeoModel,
    CondensedBetaGeoModel,
    GammaGammaModel,
    ModifiedBetaGeoModel,
    NBDModel,
    ParetoNBDModel,
    candidates,
    stage,
)
from clvspark.clv.competition import Competition
from clvspark.clv.config import ChallengerConfig, ClvConfig
from clvspark.clv.fit import (
    FoldModels,
    fit_transaction_model,
    model_columns,
    restore_transaction_model,
)
from clvspark.clv.folds import count_windows, join_windows
from clvspark.clv.score import DIGITS, round_to_digits
from clvspark.clv.spend import condense_spend, fit_spend_model
from clvspark.clv.tables import BACKTEST, BACKTEST_DECILE, CUSTOMER_VALUE, MODEL
from clvspark.clv.validate import condense_predictions, measure_outcome, predict_holdouts
from clvspark.history.clv_summary import summarise_purchases
from clvspark.history.tables import CLV_SUMMARY, PERSON_DAY
from clvspark.lakehouse import Lakehouse, Run
from clvspark.lakehouse.errors import MissingInputError, TrainingError
from clvspark.lakehouse.tracking import open_tracker

AS_OF = date(2026, 4, 1)
MAY = date(2026, 5, 1)
CONFIG = ClvConfig(value="revenue")  # type: ignore[call-arg]
NBD = CONFIG.model_copy(
    update={"models": ["NBDModel"], "challenger": ChallengerConfig(enabled=False)}  # type: ignore[call-arg]
)
DAY = ("person_id", "day", "orders", "refunds", "net_revenue", "margin", "interactions")


def purchases(
    persons: int = 400, seed: int = 11
) -> list[tuple[str, date, int, int, float, float, int]]:
    """Days of people who buy at gamma rates until they stop."""
    chance, rows = np.random.default_rng(seed), []
    for person in range(persons):
        rate, lifetime = chance.gamma(0.8, 1 / 20), chance.exponential(300)
        mean = 20 * chance.gamma(5, 1 / 5)
        at, end = float(chance.integers(0, 250)), 540.0
        last = min(end, at + lifetime)
        seen: set[int] = set()
        while at < last:
            seen.add(int(at))
            at += chance.exponential(1 / rate)
        for day in seen:
            amount = round(float(mean * chance.gamma(6, 1 / 6)) + 0.01, 2)
            rows.append(
                (f"p{person}", AS_OF - timedelta(days=540 - day), 1, 0, amount, amount / 2, 0)
            )
    return rows


@pytest.fixture(scope="module")
def scored(
    open_lake: Callable[[Path], Lakehouse], tmp_path_factory: pytest.TempPathFactory
) -> SimpleNamespace:
    """Both stages run once."""
    lake = open_lake(tmp_path_factory.mktemp("clv"))
    rows = [dict(zip(DAY, row, strict=True)) for row in purchases()]
    write_summary(lake, rows, AS_OF)
    with lake.writing("fit"):
        stage.run_fit(lake, CONFIG, AS_OF)
        stage.run_score(lake, CONFIG, AS_OF)
    summary = model_columns(lake.read(CLV_SUMMARY), "revenue").toPandas()
    models = {row["name"]: row for row in lake.read(MODEL).collect()}
    return SimpleNamespace(
        lake=lake, models=models, summary=summary, now=summary[summary["lag_days"] == 0]
    )


def write_summary(lake: Lakehouse, rows: list[dict[str, object]], as_of: date) -> None:
    days = PERSON_DAY.rows(lake.spark, rows)
    lake.overwrite(PERSON_DAY, days)
    summary = summarise_purchases(days, as_of=as_of, lags_days=CONFIG.lags_days)
    lake.overwrite(CLV_SUMMARY, summary, where=f"as_of_date = DATE'{as_of}'")


@pytest.mark.parametrize("model", [BetaGeoModel, ParetoNBDModel])
def test_fits_on_spark_equal_fits_on_pandas(scored: SimpleNamespace, model: type) -> None:
    fitted = model(time_unit="week").fit(scored.now[["frequency", "recency", "T"]])
    row = scored.models[model.__name__]
    assert row["parameters"] == pytest.approx(fitted.params_, rel=1e-4)
    assert row["log_likelihood"] == pytest.approx(fitted.log_likelihood_, abs=1e-3)
    assert row["customers"] == len(scored.now)


def test_the_spend_model_sees_repeat_buyers_only(scored: SimpleNamespace) -> None:
    fitted = GammaGammaModel(time_unit="week").fit(scored.now[scored.now["frequency"] > 0])
    row = scored.models["GammaGammaModel"]
    assert row["parameters"] == pytest.approx(fitted.params_, rel=1e-3)
    assert (row["kind"], row["is_champion"]) == ("spend", True)


def test_the_champion_is_best_on_the_holdout(scored: SimpleNamespace) -> None:
    rows = (
        scored.lake.read(BACKTEST).where("measure = 'value_mae' AND role = 'candidate'").collect()
    )
    assert {row["model"] for row in rows} == set(CONFIG.models)
    assert len({row["fold_origin"] for row in rows}) == CONFIG.backtest.folds
    errors = {
        name: np.mean([row["value"] for row in rows if row["model"] == name])
        for name in CONFIG.models
    }
    champions = [
        n for n, row in scored.models.items() if row["is_champion"] and row["kind"] == "transaction"
    ]
    assert champions == [min(errors, key=errors.get)]


def test_a_later_date_is_scored_by_the_newest_fit_and_an_earlier_one_by_none(
    scored: SimpleNamespace,
) -> None:
    later, then = (
        stage.read_champions(scored.lake, CONFIG, AS_OF + timedelta(days=n))[0] for n in (30, 0)
    )
    assert later == then
    with pytest.raises(
        MissingInputError, match=f"clvspark fit --as-of {AS_OF - timedelta(days=1)}"
    ):
        stage.read_champions(scored.lake, CONFIG, AS_OF - timedelta(days=1))


def competition_of(**averages: dict[str, float]) -> Competition:
    """Models judged on one fold."""
    measures = {name: {AS_OF: measures} for name, measures in averages.items()}
    model = NBDModel.from_params({"r": 1.0, "alpha": 5.0}, time_unit="week")
    return Competition(fitted=dict.fromkeys(averages, model), measures=measures)


def test_the_champion_measure_can_be_chosen() -> None:
    found = competition_of(
        A={"mae": 1.0, "log_likelihood": -9.0}, B={"mae": 2.0, "log_likelihood": -5.0}
    )
    for by, best in (("mae", "A"), ("log_likelihood", "B")):
        assert found.champion(by) == best
    # Nobody bought in the holdout: there is no share of the total.
    assert found.champion("total_error") == "A"


def test_a_champion_is_best_on_average_and_judged_on_every_fold() -> None:
    found = competition_of(A={"mae": 1.0}, B={"mae": 2.0}, LastPeriod={"mae": 0.1}, C={"mae": 0.1})
    for name, error in (("A", 3.0), ("B", 1.0), ("LastPeriod", 0.1)):
        found.measures[name][MAY] = {"mae": error}
    del found.fitted["LastPeriod"]
    assert found.candidates == ["A", "B"], "C was not judged on the second fold"
    assert found.champion("mae") == "B"


def test_of_equal_candidates_the_simplest_is_champion() -> None:
    """MBG/CNBD-1 is MBG/NBD; it comes first by name, and calculates another way to the last digits."""
    found = competition_of(
        ModifiedBetaGeoModel={"mae": 0.5 + 1e-10}, ModifiedCondensedBetaGeoModel={"mae": 0.5}
    )
    params = {"r": 1.0, "alpha": 5.0, "a": 1.0, "b": 2.0}
    plain = ModifiedBetaGeoModel.from_params(params, time_unit="week")
    condensed = CondensedBetaGeoModel.from_params(
        params, time_unit="week", regularity=1, dropout_at_first_purchase=True
    )
    found.fitted = {"ModifiedBetaGeoModel": plain, "ModifiedCondensedBetaGeoModel": condensed}
    assert found.champion("mae") == "ModifiedBetaGeoModel"
    found.measures["ModifiedBetaGeoModel"][AS_OF]["mae"] = 0.5001
    assert found.champion("mae") == "ModifiedCondensedBetaGeoModel"


def test_a_challenger_beats_on_the_same_folds_only() -> None:
    found = competition_of(A={"mae": 1.0, "normalised_gini": 0.6}, TwoPartModel={"mae": 0.9})
    assert found.beats("TwoPartModel", "A", "mae")
    assert not found.beats("TwoPartModel", "A", "normalised_gini"), "it has none"
    found.measures["TwoPartModel"][AS_OF]["normalised_gini"] = 0.5
    assert not found.beats("TwoPartModel", "A", "normalised_gini")
    found.measures["A"][MAY] = {"mae": 1.0}
    assert not found.beats("TwoPartModel", "A", "mae")


def test_backtest_measures_equal_pandas(scored: SimpleNamespace) -> None:
    lake, start = scored.lake, AS_OF - timedelta(days=182)
    before = model_columns(lake.read(CLV_SUMMARY), "revenue").where("lag_days = 182")
    windows = count_windows(
        lake.read(PERSON_DAY), None, origins=[start], window_days=182, value="revenue"
    )
    cases = join_windows(before, windows, as_of=AS_OF)
    model, spend = (
        fit_transaction_model("BetaGeoModel", before),
        fit_spend_model(before, "GammaGammaModel", time_unit="week"),
    )
    models = {182: FoldModels({"BetaGeoModel": model}, spend)}
    predictions = predict_holdouts(cases, models, holdout_days=182)
    groups = condense_predictions(predictions, is_exact=True).toPandas()
    rows = groups[(groups["model"] == "BetaGeoModel") & (groups["outcome"] == "value")]
    found = measure_outcome(rows, "value")

    calibration = scored.summary[scored.summary["lag_days"] == 182].set_index("person_id")
    now = scored.now.set_index("person_id").reindex(calibration.index)
    actual = (now["historical_revenue"] - calibration["historical_revenue"]).astype(float)
    purchases = model.expected_purchases(calibration, future_t=26.0)
    predicted = purchases * spend.expected_customer_spend(calibration)
    assert found["actual_value"] == pytest.approx(actual.sum())
    assert found["value_bias"] == pytest.approx(predicted.sum() / actual.sum() - 1)
    assert found["value_mae"] == pytest.approx((predicted - actual).abs().mean())
    assert found["value_rmse"] == pytest.approx(float(np.sqrt(((predicted - actual) ** 2).mean())))
    top = actual[predicted.sort_values(ascending=False).index].head(len(actual) // 10)
    assert found["value_top_decile_share"] == pytest.approx(top.sum() / actual.sum(), abs=0.01)
    stored = lake.read(BACKTEST).where(f"model = 'BetaGeoModel' AND fold_origin = DATE'{start}'")
    stored = {row["measure"]: row["value"] for row in stored.collect()}
    assert {name: stored[name] for name in found} == pytest.approx(found, rel=1e-4)


def test_intervals_of_every_candidate_and_fold_are_judged(scored: SimpleNamespace) -> None:
    backtest = scored.lake.read(BACKTEST).toPandas()
    for measure in ("interval_coverage", "value_interval_coverage"):
        rows = backtest[backtest["measure"] == measure]
        assert Counter(rows["model"]) == dict.fromkeys(CONFIG.models, CONFIG.backtest.folds)
        assert rows["value"].between(0.65, 0.95).all(), "few customers"


def test_deciles_of_every_model_hold_all_customers_and_all_value(scored: SimpleNamespace) -> None:
    table = scored.lake.read(BACKTEST_DECILE).toPandas()
    rows = table[table["fold_origin"] == AS_OF - timedelta(days=182)]
    judged = {*CONFIG.models, "LastPeriod", "SimpleFormula", "TwoPartModel"}
    assert set(rows["model"]) == judged
    for outcome in ("purchases", "value"):
        one = rows[rows["outcome"] == outcome]
        totals = one.assign(actual=one["mean_actual"] * one["customers"]).groupby("model")["actual"]
        assert totals.sum().to_numpy() == pytest.approx(totals.sum().iloc[0])
        assert one.loc[one["decile"] == 10, "cumulative_share"].to_numpy() == pytest.approx(1.0)
    assert rows.groupby(["model", "outcome"])["customers"].sum().nunique() == 1


def test_like_predictions_are_condensed_without_moving_the_measures(spark: SparkSession) -> None:
    chance = np.random.default_rng(5)
    predicted = chance.gamma(1.0, 40.0, 20_000)
    actual = np.round(chance.poisson(0.6, 20_000) * chance.gamma(2.0, predicted / 2), 2)
    frame = pd.DataFrame({"lag_days": 182, "model": "A", "outcome": "value"}, index=range(20_000))
    rows = spark.createDataFrame(frame.assign(predicted=predicted, actual=actual))
    exact, condensed = (
        condense_predictions(rows, is_exact=is_exact).toPandas() for is_exact in (True, False)
    )
    assert len(condensed) < len(exact) / 2
    assert condensed["weight"].sum() == 20_000
    assert measure_outcome(condensed, "value") == pytest.approx(
        measure_outcome(exact, "value"), rel=2e-3
    )


def test_values_are_those_of_the_champion(scored: SimpleNamespace) -> None:
    values = scored.lake.read(CUSTOMER_VALUE).toPandas()
    assert set(values["as_of_date"]) == {AS_OF}
    now = values.set_index("person_id")
    name = next(
        n for n, row in scored.models.items() if row["is_champion"] and row["kind"] == "transaction"
    )
    row = scored.models[name]
    model = restore_transaction_model(json.loads(row["document"]))
    summary = scored.now.set_index("person_id").loc[now.index]
    assert (now["model_id"] == row["model_id"]).all()
    alive, purchases = (
        round_to_digits(np.asarray(found))
        for found in (
            model.expected_probability_alive(summary),
            model.expected_purchases(summary, future_t=52.0),
        )
    )
    np.testing.assert_allclose(now["p_alive"], alive, rtol=1e-9)
    np.testing.assert_allclose(now["expected_purchases"], purchases, rtol=1e-9)
    revenue = summary["historical_revenue"].astype(float)
    np.testing.assert_allclose(now["clv"], revenue + now["residual_value"], rtol=1e-12)
    undiscounted = now["expected_purchases"] * now["expected_spend"]
    assert (now["residual_value"] <= undiscounted * (1 + 2 * 10.0 ** (1 - DIGITS))).all()
    assert (now["residual_value"] >= undiscounted / 1.1 * 0.999).all()
    years = np.maximum(summary["t_days"] / 365.25, 1)
    np.testing.assert_allclose(now["simple_clv"], revenue / years * 3, rtol=1e-9)


def test_stages_of_the_relationship_follow_the_bounds(scored: SimpleNamespace) -> None:
    now = scored.lake.read(CUSTOMER_VALUE).toPandas().set_index("person_id")
    summary = scored.now.set_index("person_id").loc[now.index]
    expected = np.select(
        [
            summary["t_days"] < 60,
            now["p_alive"] < 0.2,
            now["p_alive"] < 0.5,
            summary["frequency"] + 1 >= 4,
        ],
        ["new", "lapsed", "slipping", "core"],
        "growing",
    )
    assert (now["lifecycle_stage"] == expected).all()
    assert len(set(expected)) >= 3


def test_values_are_compared_with_what_was_expected_of_them(scored: SimpleNamespace) -> None:
    values = scored.lake.read(CUSTOMER_VALUE).toPandas().set_index("person_id")
    then = scored.summary[scored.summary["lag_days"] == 91].set_index("person_id")
    known = values["expected_residual_value"].notna()
    assert set(values.index[known]) == set(then.index)
    assert values.loc[~known, "chance_of_so_few"].isna().all()
    ratio = values["residual_value"] / values["expected_residual_value"]
    np.testing.assert_allclose(values.loc[known, "value_to_expected"], ratio[known])
    total = values.loc[known, ["residual_value", "expected_residual_value"]].sum()
    assert 0.8 < total.iloc[0] / total.iloc[1] < 1.25, "as a whole, nobody declines"


def test_a_date_that_history_has_not_made_is_named_with_the_next_command(
    scored: SimpleNamespace,
) -> None:
    version = scored.lake.version(MODEL)
    text = (
        r"clv_summary has no rows as of 2026-06-01; it has 2026-04-01.* history --as-of 2026-06-01"
    )
    for run in (stage.run_fit, stage.run_score):
        with pytest.raises(MissingInputError, match=text):
            run(scored.lake, CONFIG, date(2026, 6, 1))
    assert scored.lake.version(MODEL) == version


def summarised(lake: Lakehouse, first: date, *lags: int) -> None:
    """Summaries of one person who bought once, kept for these lags."""
    days = [dict(zip(DAY, ("p1", first, 1, 0, 10.0, 5.0, 0), strict=True))]
    found = summarise_purchases(PERSON_DAY.rows(lake.spark, days), as_of=AS_OF, lags_days=lags)
    lake.overwrite(PERSON_DAY, PERSON_DAY.rows(lake.spark, days))
    lake.overwrite(CLV_SUMMARY, found)


@pytest.mark.slow
def test_a_shop_younger_than_the_holdout_has_empty_tables_and_a_reason(lake: Lakehouse) -> None:
    summarised(lake, AS_OF - timedelta(days=182), *CONFIG.lags_days)
    with lake.writing("fit"):
        fitted = stage.run_fit(lake, CONFIG, AS_OF)
        scored = stage.run_score(lake, CONFIG, AS_OF)
        again = stage.run_fit(lake, CONFIG, AS_OF)

    (why,) = fitted.warnings
    assert "the first purchase is of 2025-10-01" in why
    assert "run again as of 2026-04-02 or later or set 'clv.holdout_days' below 182 and run" in why
    assert "nobody is valued" in scored.warnings[0]
    assert [lake.read(table).count() for table in (MODEL, BACKTEST, CUSTOMER_VALUE)] == [0, 0, 0]
    assert again.status == "unchanged"


@pytest.mark.slow
def test_a_fit_that_finds_nothing_takes_back_what_an_earlier_one_of_the_date_found(
    lake: Lakehouse,
) -> None:
    rows = [dict(zip(DAY, row, strict=True)) for row in purchases(150)]
    config = NBD
    with lake.writing("fit"):
        write_summary(lake, rows, AS_OF)
        stage.run_fit(lake, config, AS_OF)
        write_summary(lake, [bought(f"p{person}", 300) for person in range(20)], AS_OF)
        lake.log.forget_everything()
        stage.run_fit(lake, config, AS_OF)
        stage.run_score(lake, config, AS_OF)
        left = [lake.read(table).count() for table in (MODEL, CUSTOMER_VALUE)]
        summarised(lake, AS_OF - timedelta(days=182), *CONFIG.lags_days)
        lake.log.forget_everything()
        stage.run_fit(lake, config, AS_OF)
    assert left == [0, 0]
    assert lake.read(BACKTEST).count() == 0


def test_a_lag_that_is_not_kept_is_no_young_shop(lake: Lakehouse) -> None:
    summarised(lake, AS_OF - timedelta(days=183), 0)
    with lake.writing("fit"), pytest.raises(MissingInputError, match="no rows of lag_days 182"):
        stage.run_fit(lake, CONFIG, AS_OF)
    assert not lake.exists(MODEL)


def rows_of(lake: Lakehouse, as_of: date) -> dict[str, list[str]]:
    """Rows of the date, by table."""
    kept = (CUSTOMER_VALUE, MODEL, BACKTEST)
    of_date = f"as_of_date = DATE'{as_of}'"
    return {t.name: sorted(map(str, lake.read(t).where(of_date).collect())) for t in kept}


@pytest.mark.slow
def test_a_second_date_leaves_the_first_as_it_was(lake: Lakehouse) -> None:
    rows = [dict(zip(DAY, row, strict=True)) for row in purchases(150)]
    config = NBD
    before = {}
    with lake.writing("fit"):
        for day in (AS_OF, MAY):
            write_summary(lake, rows, day)
            stage.run_fit(lake, config, day)
            stage.run_score(lake, config, day)
            before[day] = rows_of(lake, day)
        versions = [lake.version(table) for table in (CUSTOMER_VALUE, MODEL, BACKTEST)]
        assert stage.run_fit(lake, config, MAY).status == "unchanged"
        assert stage.run_score(lake, config, MAY).status == "unchanged"
    assert [lake.version(table) for table in (CUSTOMER_VALUE, MODEL, BACKTEST)] == versions
    for day in (AS_OF, MAY):
        assert all(before[day].values())
        assert rows_of(lake, day) == before[day]
    first, second = (stage.read_champions(lake, CONFIG, day)[0] for day in (AS_OF, MAY))
    assert first != second
    assert stage.read_champions(lake, CONFIG, MAY - timedelta(days=1))[0] == first, (
        "older champions are kept"
    )


def test_a_model_that_cannot_be_fitted_is_kept_with_the_reason(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, summary: object) -> object:
        if name == "ParetoNBDModel":
            raise TrainingError("ParetoNBDModel could not be fitted: it runs off to a bound")
        return fit_transaction_model(name, summary)

    monkeypatch.setattr(candidates, "fit_transaction_model", refuse)
    rows = [dict(zip(DAY, row, strict=True)) for row in purchases(150)]
    write_summary(lake, rows, AS_OF)
    config = NBD.model_copy(update={"models": ["NBDModel", "ParetoNBDModel"]})
    with lake.writing("fit"):
        stage.run_fit(lake, config, AS_OF)
    rows = lake.read(BACKTEST).where("measure = 'fitted' AND role = 'candidate'").collect()
    found = {row["model"]: row for row in rows}
    assert {name: row["value"] for name, row in found.items()} == {
        "NBDModel": 1.0,
        "ParetoNBDModel": 0.0,
    }
    assert found["NBDModel"]["reason"] is None
    assert "runs off to a bound" in found["ParetoNBDModel"]["reason"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("returns", "why"),
    [
        ((), "0 for every customer; at least some repeat purchases are needed"),
        (("p0", "p1"), "or all spend the same; spend must vary"),
    ],
    ids=["nobody came back", "all spend the same"],
)
def test_where_no_model_can_be_fitted_the_run_says_why_and_goes_on(
    lake: Lakehouse, returns: tuple[str, ...], why: str
) -> None:
    rows = [bought(f"p{person}", 300 + person) for person in range(20)]
    rows += [bought(person, 100 - 10 * number) for number, person in enumerate(returns)]
    rows += [bought(person, 250 - 10 * number) for number, person in enumerate(returns)]
    write_summary(lake, rows, AS_OF)
    with lake.writing("fit"):
        fitted = stage.run_fit(lake, CONFIG, AS_OF)
        scored = stage.run_score(lake, CONFIG, AS_OF)
        again = stage.run_fit(lake, CONFIG, AS_OF)

    (said,) = fitted.warnings
    assert said.startswith("no model was fitted")
    assert why in said
    assert "Next step: run again when more people have come back to buy" in said
    assert "nobody is valued" in scored.warnings[0]
    assert [lake.read(table).count() for table in (MODEL, CUSTOMER_VALUE)] == [0, 0]
    left_out = lake.read(BACKTEST).where("measure = 'fitted' AND value = 0").collect()
    assert any(why in row["reason"] for row in left_out)
    assert again.status == "unchanged"


@pytest.mark.slow
def test_a_spend_model_of_another_value_prices_nothing(lake: Lakehouse) -> None:
    rows = [dict(zip(DAY, row, strict=True)) for row in purchases(150)]
    revenue, margin = NBD, NBD.model_copy(update={"value": "margin"})
    write_summary(lake, rows, AS_OF)
    with lake.writing("fit"):
        stage.run_fit(lake, revenue, AS_OF)
        with pytest.raises(
            MissingInputError, match=r"no champion for 'clv.value: margin'.*clvspark fit"
        ):
            stage.run_score(lake, margin, AS_OF)
        write_summary(lake, [bought(f"p{person}", 300) for person in range(20)], MAY)
        stage.run_fit(lake, margin, MAY)
        scored = stage.run_score(lake, margin, MAY)

    assert "nobody is valued" in scored.warnings[0]
    assert lake.read(CUSTOMER_VALUE).isEmpty()


def test_what_a_spend_model_does_not_see_or_assumes_wrongly_is_told(lake: Lakehouse) -> None:
    rows = [dict(zip(DAY, row, strict=True)) for row in purchases(150)]
    times = Counter(row["person_id"] for row in rows)
    worthless = set(sorted(times)[::5])
    for row in rows:  # the more often, the dearer; every fifth brings back more than it keeps
        person = row["person_id"]
        row["net_revenue"] = -5.0 if person in worthless else row["net_revenue"] * times[person]
    write_summary(lake, rows, AS_OF)
    config = NBD
    with lake.writing("fit"):
        report = stage.run_fit(lake, config, AS_OF)

    told, correlated = sorted(report.warnings)
    assert correlated.startswith(
        "GammaGammaModel: spend and frequency of repeat customers correlate by +0."
    )
    found = sum(times[person] > 1 for person in worthless)
    repeaters = sum(count > 1 for count in times.values())
    assert told.startswith(f"{found} of {repeaters} repeat buyers have brought nothing or a loss")
    assert "set 'clv.spend_model: NormalNormalModel', which knows losses" in told
    assert report.metrics["repeat buyers without positive spend"] == found


@pytest.mark.slow
def test_where_none_can_be_fitted_any_more_the_champion_of_an_earlier_date_values(
    lake: Lakehouse,
) -> None:
    rows = [dict(zip(DAY, row, strict=True)) for row in purchases(150)]
    config = NBD
    with lake.writing("fit"):
        write_summary(lake, rows, AS_OF)
        stage.run_fit(lake, config, AS_OF)
        write_summary(lake, [bought(f"p{person}", 300) for person in range(20)], MAY)
        fitted = stage.run_fit(lake, config, MAY)
        stage.run_score(lake, config, MAY)

    assert "the champion of an earlier date stays" in fitted.warnings[0]
    champion = stage.read_champions(lake, CONFIG, AS_OF)[0]
    values = lake.read(CUSTOMER_VALUE).where(f"as_of_date = DATE'{MAY}'")
    assert [row[0] for row in values.select("model_id").distinct().collect()] == [champion]
    assert values.count() == 20


@pytest.mark.slow
def test_the_champion_gets_its_alias_once_the_tables_have_it(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = NBD
    rows = [dict(zip(DAY, row, strict=True)) for row in purchases(150)]
    write_summary(lake, rows, AS_OF)

    def refuse(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    def champions() -> dict[str, str]:
        tracker = open_tracker(None, config.experiment, lake.storage.local_root)
        return {
            model.name: str(alias)
            for model in tracker._client.search_registered_models()
            for alias in model.aliases.values()
        }

    with lake.writing("fit"):
        with monkeypatch.context() as patched:
            patched.setattr(Run, "overwrite_all", refuse)
            with pytest.raises(OSError, match="full"):
                stage.run_fit(lake, config, AS_OF)
        assert champions() == {}
        stage.run_fit(lake, config, AS_OF)
    assert champions() == {"clvspark.NBDModel": "2", "clvspark.GammaGammaModel": "2"}


def bought(person: str, days_before: int) -> dict[str, object]:
    """One purchase of 10.00, so many days before the date."""
    day = (person, AS_OF - timedelta(days=days_before), 1, 0, 10.0, 5.0, 0)
    return dict(zip(DAY, day, strict=True))


def test_spend_is_condensed_for_the_driver_without_moving_the_estimates(
    spark: SparkSession,
) -> None:
    chance = np.random.default_rng(3)
    buyers = 30_000
    frequency = chance.integers(1, 6, buyers)
    spend = chance.gamma(6.0 * frequency, 15.0 / chance.gamma(3.7, 1.0, buyers)) / frequency
    exact = pd.DataFrame({"frequency": frequency, "monetary_value": spend})
    groups = condense_spend(spark.createDataFrame(exact)).toPandas()
    assert len(groups) < buyers / 2
    assert groups["weight"].sum() == buyers
    assert (groups["monetary_value"] * groups["weight"]).sum() == pytest.approx(spend.sum())
    fits = [GammaGammaModel(time_unit="week").fit(frame) for frame in (exact, groups)]
    assert fits[1].params_ == pytest.approx(fits[0].params_, rel=1e-5)
    assert fits[1].log_likelihood_ == pytest.approx(fits[0].log_likelihood_, abs=0.05)
