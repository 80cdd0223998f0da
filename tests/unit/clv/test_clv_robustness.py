"""Extreme customers, extreme parameters, tiny summaries: finite numbers or a typed error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clvspark.clv import (
    BetaGeoBetaBinomModel,
    BetaGeoModel,
    CondensedBetaGeoModel,
    GammaGammaModel,
    ModifiedBetaGeoModel,
    NBDModel,
    NormalNormalModel,
    ParetoNBDModel,
    ShiftedBetaGeoModel,
)
from clvspark.clv.models.errors import (
    ClvModelError,
    DegenerateDataError,
    InfiniteMeanError,
)

CONTINUOUS: list[Any] = [
    BetaGeoModel,
    ModifiedBetaGeoModel,
    ParetoNBDModel,
    NBDModel,
    CondensedBetaGeoModel,
]
EVERY_MODEL: list[Any] = [
    *CONTINUOUS,
    BetaGeoBetaBinomModel,
    ShiftedBetaGeoModel,
    GammaGammaModel,
    NormalNormalModel,
]
# Whole numbers, so that one customer is valid for every model.
ONE = {"frequency": [2], "recency": [5.0], "T": [9.0], "monetary_value": [20.0]}
ONE_MORE = {"log_intervals": [1.0]}
NEWBORN = {"frequency": [0, 0], "recency": [0.0, 0.0], "T": [0.0, 0.0], "monetary_value": [0, 0]}

EDGES = {
    "alpha equals beta": (ParetoNBDModel, {"r": 0.5, "alpha": 8.0, "s": 0.7, "beta": 8.0}),
    "s is one": (ParetoNBDModel, {"r": 0.5, "alpha": 8.0, "s": 1.0, "beta": 12.0}),
    "s is one, alpha equals beta": (
        ParetoNBDModel,
        {"r": 1.0, "alpha": 8.0, "s": 1.0, "beta": 8.0},
    ),
    "nobody dies": (ParetoNBDModel, {"r": 0.5, "alpha": 8.0, "s": 1e-6, "beta": 1e3}),
    "a is one": (BetaGeoModel, {"r": 0.3, "alpha": 5.0, "a": 1.0, "b": 2.0}),
    "a and b are one": (BetaGeoModel, {"r": 0.3, "alpha": 5.0, "a": 1.0, "b": 1.0}),
    "a + b is one": (ModifiedBetaGeoModel, {"r": 0.3, "alpha": 5.0, "a": 0.4, "b": 0.6}),
    "r equals a": (ModifiedBetaGeoModel, {"r": 0.8, "alpha": 5.0, "a": 0.8, "b": 2.0}),
    "hardly any dropout": (BetaGeoModel, {"r": 0.3, "alpha": 5.0, "a": 1e-5, "b": 50.0}),
    "nbd": (NBDModel, {"r": 0.3, "alpha": 5.0}),
}
EXTREME = pd.DataFrame(
    [
        (0, 0.0, 0.0),
        (0, 0.0, 1_000.0),
        (1, 1 / 7, 1 / 7),
        (1, 1 / 7, 1_000.0),
        (300, 99.9, 100.0),
        (300, 30.0, 100.0),
        (1_500, 1_499 / 7, 1_500 / 7),
        (5_000, 10.0, 700.0),
    ],
    columns=["frequency", "recency", "T"],
)


@pytest.mark.parametrize("edge", EDGES)
def test_extreme_customers_get_finite_answers_at_the_edges(edge: str) -> None:
    kind, params = EDGES[edge]
    model = kind.from_params(params, time_unit="week")
    alive = model.expected_probability_alive(EXTREME)
    assert alive.between(0.0, 1.0).all()
    near, far = (model.expected_purchases(EXTREME, future_t=t) for t in (26.0, 104.0))
    assert np.isfinite(far).all()
    assert ((near >= 0) & (near <= far * (1 + 1e-9))).all()
    within = model.discounted_expected_residual_transactions(
        EXTREME, annual_discount_rate=0.1, horizon=104.0
    )
    assert ((within >= 0) & (within <= far * (1 + 1e-8) + 1e-300)).all()
    forever = model.discounted_expected_residual_transactions(EXTREME, annual_discount_rate=0.1)
    assert np.isfinite(forever).all()
    assert (within <= forever * (1 + 1e-8) + 1e-300).all()


@pytest.mark.parametrize("edge", EDGES)
def test_nothing_jumps_at_the_edges(edge: str) -> None:
    kind, params = EDGES[edge]
    customer = EXTREME[1:6]
    at, beside = (
        kind.from_params(
            {name: value * factor for name, value in params.items()}, time_unit="week"
        ).expected_purchases(customer, future_t=52.0)
        for factor in (1.0, 1.0 + 1e-7)
    )
    np.testing.assert_allclose(beside, at, rtol=1e-4)


@pytest.mark.parametrize("q", [1.0 + 1e-9, 1.001, 1.0, 0.5])
def test_spend_of_hardly_finite_mean(q: float) -> None:
    model = GammaGammaModel.from_params({"p": 3.0, "q": q, "v": 10.0}, time_unit="day")
    repeaters = {"frequency": [1, 300], "monetary_value": [20.0, 30.0]}
    assert np.all(np.isfinite(model.expected_customer_spend(repeaters)))
    if q > 1.0:
        assert np.isfinite(model.expected_new_customer_spend())
    else:
        with pytest.raises(InfiniteMeanError):
            model.expected_new_customer_spend()


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_one_customer_is_refused_with_a_reason(model: Any) -> None:
    with pytest.raises(ClvModelError):
        model(time_unit="week").fit(ONE | ONE_MORE)


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_customers_of_today_are_refused_with_a_reason(model: Any) -> None:
    """T = 0 for all: nobody can have come back."""
    with pytest.raises(DegenerateDataError):
        model(time_unit="week").fit(NEWBORN | {"log_intervals": [0.0, 0.0]})


@pytest.mark.parametrize("model", [BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel])
def test_customers_of_today_beside_others_change_nothing(model: Any, cdnow: pd.DataFrame) -> None:
    """Who has had no time says nothing: the likelihood of the history is 1 under every model."""
    today = pd.DataFrame({"frequency": [0] * 40, "recency": [0.0] * 40, "T": [0.0] * 40})
    columns = list(today.columns)
    both = model(time_unit="week").fit(pd.concat([cdnow[columns], today]))
    alone = model(time_unit="week").fit(cdnow[columns])
    assert both.params_ == pytest.approx(alone.params_, rel=1e-4)
    assert np.isfinite(both.expected_purchases(today, future_t=52)).all()


@st.composite
def summaries(draw: st.DrawFn) -> pd.DataFrame:
    rows = []
    for _ in range(draw(st.integers(1, 8))):
        age = draw(st.integers(0, 60))
        recency = draw(st.integers(0, age))
        frequency = draw(st.integers(1, recency)) if recency else 0
        spend = draw(st.sampled_from([0.01, 5.0, 20.0, 1e6])) if frequency else 0.0
        rows.append((frequency, recency, age, spend, float(frequency)))
    return pd.DataFrame(
        rows, columns=["frequency", "recency", "T", "monetary_value", "log_intervals"]
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.sampled_from(EVERY_MODEL), summaries())
@settings(max_examples=80, deadline=None)
def test_a_tiny_summary_is_fitted_or_refused(model: Any, summary: pd.DataFrame) -> None:
    try:
        fitted = model(time_unit="week").fit(summary)
    except ClvModelError:
        return
    assert all(np.isfinite(value) for value in fitted.params_.values())
    assert all(np.isfinite(error) and error > 0 for error in fitted.standard_errors_.values())
    assert np.isfinite(fitted.log_likelihood_)


discrete = st.fixed_dictionaries(
    {name: st.floats(0.05, 20.0) for name in ("alpha", "beta", "gamma", "delta")}
)


@given(discrete, st.integers(0, 40), st.floats(0, 1), st.floats(0, 1), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_bg_bb_is_bounded_and_grows_with_the_horizon(  # type: ignore[no-untyped-def]
    params, age, last, often, ahead
) -> None:
    recency = round(last * age)
    history = {
        "frequency": [max(1, round(often * recency)) if recency else 0],
        "recency": [recency],
        "T": [age],
    }
    model = BetaGeoBetaBinomModel.from_params(params, time_unit="year")
    alive = model.expected_probability_alive(history)[0]
    near, far = (model.expected_purchases(history, future_t=t)[0] for t in (ahead, ahead + 3))
    discounted = model.discounted_expected_residual_transactions(
        history, annual_discount_rate=0.1, horizon=ahead
    )[0]
    assert 0.0 <= alive <= 1.0 + 1e-12
    assert 0.0 <= near <= far <= ahead + 3
    assert 0.0 <= discounted <= near * (1 + 1e-12)


@given(
    st.floats(0.1, 5), st.floats(0.5, 50), st.floats(0.1, 5), st.floats(0.1, 20),
    st.sampled_from([1, 2, 4]), st.integers(0, 60), st.floats(1, 100), st.floats(0.05, 1),
    st.floats(1, 60),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_regular_purchases_are_bounded_and_grow_with_the_horizon(  # type: ignore[no-untyped-def]
    r, alpha, a, b, k, x, age, part, horizon
) -> None:
    model = CondensedBetaGeoModel.from_params(
        {"r": r, "alpha": alpha, "a": a, "b": b}, time_unit="week", regularity=k
    )
    history = {"frequency": [x], "recency": [age * part if x else 0.0], "T": [age]}
    assert 0.0 <= model.expected_probability_alive(history)[0] <= 1.0 + 1e-12
    near, far = (model.expected_purchases(history, future_t=t)[0] for t in (horizon, 2 * horizon))
    discounted = model.discounted_expected_residual_transactions(
        history, annual_discount_rate=0.1, horizon=horizon
    )[0]
    assert 0.0 <= near <= far * (1 + 1e-9) + 1e-12
    assert 0.0 <= discounted <= near * (1 + 1e-6) + 1e-12


@given(st.floats(0.05, 20), st.floats(0.05, 20), st.integers(0, 30), st.integers(0, 10))
@settings(max_examples=40, deadline=None)
def test_renewals_are_probabilities_that_fall(  # type: ignore[no-untyped-def]
    alpha, beta, due, ahead
) -> None:
    model = ShiftedBetaGeoModel.from_params({"alpha": alpha, "beta": beta}, time_unit="year")
    history = {"recency": [due], "T": [due]}
    soon, later = (
        model.expected_probability_alive(history, future_t=t)[0] for t in (ahead, ahead + 1)
    )
    assert 0.0 <= later <= soon <= 1.0 + 1e-12
    low, high = (
        model.expected_residual_lifetime(history, annual_discount_rate=rate)[0]
        for rate in (0.2, 0.1)
    )
    assert 0.0 <= low <= high


SPLIT: list[tuple[Any, dict[str, Any]]] = [
    (BetaGeoModel, {}),
    (ModifiedBetaGeoModel, {}),
    (ParetoNBDModel, {}),
    (CondensedBetaGeoModel, {"regularity": 1}),
    (GammaGammaModel, {}),
    (NormalNormalModel, {}),
]


@pytest.mark.parametrize(("model", "settings"), SPLIT)
def test_permuted_and_split_rows_are_the_same_customers(
    model: Any, settings: dict[str, Any], cdnow: pd.DataFrame
) -> None:
    """A row of weight 1 is two rows of weight 3/8 and 5/8, in any order: exact in binary."""
    rows = cdnow.reset_index(drop=True)[:800]
    halves = pd.concat([rows.assign(weight=0.375), rows.assign(weight=0.625)])
    whole = model(time_unit="week", **settings).fit(rows)
    split = model(time_unit="week", **settings).fit(halves.sample(frac=1, random_state=2))
    assert split.to_dict() == whole.to_dict()
