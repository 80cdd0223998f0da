"""Intervals of a backtest: what the models of a fold gave, against what came."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.customers import BETA_GEO, SPEND, simulate_customers

from clvspark.clv.calibration import measure_intervals
from clvspark.clv.fit import TRANSACTION_MODELS, FoldModels
from clvspark.clv.metrics import interval_coverage
from clvspark.clv.models import BetaGeoModel, GammaGammaModel
from clvspark.clv.models.memoryless import MemorylessModel
from clvspark.clv.models.transactions import TransactionModel
from clvspark.clv.segment_models import FitStatus, SegmentFit, SegmentModels
from clvspark.clv.uncertainty import OutcomeModel

TRUE_SPEND = GammaGammaModel.from_params(SPEND, time_unit="week")
MEASURES = {"interval_coverage", "interval_coverage_closed", "interval_width"}


def persons_of(regularity: int, n: int = 6_000, seed: int = 5) -> pd.DataFrame:
    """Histories of MBG/CNBD-k and a holdout of 26 weeks, as `collect_judged` has them."""
    customers = simulate_customers(
        "ModifiedBetaGeoModel", BETA_GEO, n=n, seed=seed, horizon=26.0, regularity=regularity
    )
    return customers.assign(
        spend_days=customers["frequency"],
        purchases_after=customers["purchases"],
        value_after=customers["value"],
    )


def model_of(name: str, params: dict[str, float] = BETA_GEO, **settings: int) -> TransactionModel:
    kind = type(TRANSACTION_MODELS[name](time_unit="week"))
    modified = {"dropout_at_first_purchase": True} if settings else {}
    return kind.from_params(params, time_unit="week", **settings, **modified)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("ModifiedBetaGeoModel", {}), ("ModifiedCondensedBetaGeoModel", {"regularity": 2})],
)
def test_the_true_model_holds_four_of_five(name: str, settings: dict[str, int]) -> None:
    persons = persons_of(settings.get("regularity", 1))
    models = FoldModels({name: model_of(name, **settings)}, TRUE_SPEND)
    (found,) = measure_intervals(persons, models, holdout_days=182).values()
    for prefix in ("", "value_"):
        assert found[f"{prefix}interval_coverage"] == pytest.approx(0.8, abs=0.015)
        assert found[f"{prefix}interval_coverage_closed"] > 0.85, "most buy nothing: a jump at 0"
    assert set(found) == MEASURES | {f"value_{name}" for name in MEASURES}


def test_a_model_that_is_too_sure_holds_less() -> None:
    """Of the same mean rate, but with customers who hardly differ."""
    alike = {**BETA_GEO, "r": 50.0, "alpha": 500.0}
    models = FoldModels(
        {
            "BetaGeoModel": model_of("BetaGeoModel", alike),
            "ModifiedBetaGeoModel": model_of("ModifiedBetaGeoModel"),
        },
        TRUE_SPEND,
    )
    found = measure_intervals(persons_of(1), models, holdout_days=182)
    wrong, right = found["BetaGeoModel"], found["ModifiedBetaGeoModel"]
    assert wrong["interval_coverage"] < right["interval_coverage"] - 0.1


def test_intervals_as_they_stand_are_those_of_the_outcome_model_without_discount() -> None:
    persons = persons_of(1, n=300).assign(
        spend_days=lambda frame: frame["frequency"] + 1, monetary_value=30.0
    )
    model = BetaGeoModel.from_params(BETA_GEO, time_unit="week")
    (found,) = measure_intervals(
        persons, FoldModels({"BetaGeoModel": model}, TRUE_SPEND), holdout_days=182
    ).values()
    outcomes = OutcomeModel(model, TRUE_SPEND, horizon=26.0).predict(persons)
    low, high = outcomes.value(0.1), outcomes.value(0.9)
    expected = interval_coverage(persons["value_after"], low, high)
    assert found["value_interval_coverage_closed"] == expected
    assert found["value_interval_width"] == pytest.approx(np.mean(high - low))


def test_without_a_spend_model_purchases_alone_are_judged() -> None:
    models = FoldModels({"BetaGeoModel": model_of("BetaGeoModel")}, None)
    found = measure_intervals(persons_of(1, n=200), models, holdout_days=182)
    assert set(found["BetaGeoModel"]) == MEASURES


def test_the_order_of_persons_does_not_change_a_digit() -> None:
    persons = persons_of(1, n=500)
    models = FoldModels({"BetaGeoModel": model_of("BetaGeoModel")}, TRUE_SPEND)
    mixed = persons.sample(frac=1, random_state=2)
    assert measure_intervals(mixed, models, holdout_days=182) == measure_intervals(
        persons, models, holdout_days=182
    )


def test_persons_of_each_segment_are_judged_by_the_model_of_theirs() -> None:
    """Of two segments with one model the measures are those of the model for everybody."""
    persons = persons_of(1, n=600).assign(country=["AT", "DE"] * 300)
    plain = model_of("ModifiedBetaGeoModel")
    assert isinstance(plain, MemorylessModel)
    fits = {
        (country,): SegmentFit((country,), plain, FitStatus.FITTED, "", 300.0)
        for country in ("AT", "DE")
    }
    other = plain.with_unconstrained(plain.unconstrained() + np.array([2.0, 0.0, 0.0, 0.0]))
    one = SegmentModels(("country",), fits, plain, None)
    two = SegmentModels(("country",), {("AT",): fits["AT",]}, other, None)
    models = FoldModels({"A": plain, "B": one, "C": two}, TRUE_SPEND)
    found = measure_intervals(persons, models, holdout_days=182)
    assert found["A"] == pytest.approx(found["B"])
    assert found["A"]["interval_coverage"] > found["C"]["interval_coverage"] + 0.02
