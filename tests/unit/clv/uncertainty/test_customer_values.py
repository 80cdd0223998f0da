"""Bounds of customers in a batch, the chance of the top decile, and doubt about identity."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.customers import PARETO, SPEND, simulate_customers

from clvspark.clv import GammaGammaModel, ParetoNBDModel
from clvspark.clv.models.errors import InvalidArgumentError
from clvspark.clv.uncertainty import (
    Linearised,
    OutcomeModel,
    ParameterDraws,
    ValueUncertainty,
    find_outcome_threshold,
    find_threshold,
    linearise,
    mix_outcomes,
    widen_interval,
)
from clvspark.clv.uncertainty.top_share import weighted_quantile

HISTORY = ["frequency", "recency", "T", "monetary_value"]


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    return simulate_customers("ParetoNBDModel", PARETO, n=3_000, seed=1)


@pytest.fixture(scope="module")
def models(customers: pd.DataFrame) -> tuple[ParetoNBDModel, GammaGammaModel]:
    spend = GammaGammaModel(time_unit="week").fit(customers)
    return ParetoNBDModel(time_unit="week").fit(customers), spend


@pytest.fixture(scope="module")
def uncertainty(
    models: tuple[ParetoNBDModel, GammaGammaModel], customers: pd.DataFrame
) -> ValueUncertainty:
    return ValueUncertainty(*models, horizon=52.0, annual_discount_rate=0.1, sample=customers)


def test_bounds_enclose_what_is_expected(
    uncertainty: ValueUncertainty,
    models: tuple[ParetoNBDModel, GammaGammaModel],
    customers: pd.DataFrame,
) -> None:
    found = uncertainty.describe(customers)
    transaction, spend = models
    expected = {
        "p_alive": transaction.expected_probability_alive(customers),
        "expected_purchases": transaction.expected_purchases(customers, future_t=52),
        "expected_spend": spend.expected_customer_spend(customers),
    }
    expected["residual_value"] = expected["expected_spend"] * (
        transaction.discounted_expected_residual_transactions(
            customers, annual_discount_rate=0.1, horizon=52
        )
    )
    for name, values in expected.items():
        assert (found[f"{name}_low"] <= values * (1 + 1e-12)).all()
        assert (values <= found[f"{name}_high"] * (1 + 1e-12)).all()
    assert np.isfinite(found).all().all()
    assert found.index.equals(customers.index)


def test_what_one_customer_does_is_less_certain_than_what_is_expected(
    uncertainty: ValueUncertainty, customers: pd.DataFrame
) -> None:
    found = uncertainty.describe(customers)
    outcome = found["value_high"] - found["value_low"]
    expectation = found["residual_value_high"] - found["residual_value_low"]
    likely = found["p_alive_low"] > 0.5
    assert (outcome[likely] > 2 * expectation[likely]).mean() > 0.95


def test_chances_of_the_top_average_to_its_share(
    uncertainty: ValueUncertainty, customers: pd.DataFrame
) -> None:
    found = uncertainty.describe(customers)
    assert found["p_top_expected"].mean() == pytest.approx(0.1, abs=0.01)
    assert found["p_top_outcome"].mean() == pytest.approx(0.1, abs=1e-6)


def test_chance_of_the_top_by_the_delta_method_is_that_of_draws(
    models: tuple[ParetoNBDModel, GammaGammaModel], customers: pd.DataFrame
) -> None:
    """For each draw the customers above the draw's own 90 % quantile, counted."""
    transaction, spend = models

    def count(model: ParetoNBDModel) -> np.ndarray:
        return np.asarray(model.expected_purchases(customers, future_t=52))

    def price(model: GammaGammaModel) -> np.ndarray:
        return np.asarray(model.expected_customer_spend(customers))

    value = linearise(transaction, count).times(linearise(spend, price))
    chance = find_threshold(value).probability_above(value)
    drawn = ParameterDraws.from_covariance(transaction, n_draws=400, seed=1).evaluate(count)
    drawn = drawn * ParameterDraws.from_covariance(spend, n_draws=400, seed=2).evaluate(price)
    thresholds = np.array([weighted_quantile(row, 0.9) for row in drawn])
    counted = (drawn > thresholds[:, None]).mean(axis=0)
    # Nearly everybody is surely in or out: what counts are those near the threshold.
    between = (counted > 0.02) & (counted < 0.98)
    assert between.sum() >= 5
    assert np.abs(chance - counted)[between].mean() < 0.06
    assert np.abs(chance - counted).max() < 0.25


def test_the_chance_to_end_in_the_top_tenth_comes_true(uncertainty: ValueUncertainty) -> None:
    others = simulate_customers("ParetoNBDModel", PARETO, n=20_000, seed=2, discount=0.00183)
    chance = uncertainty.describe(others)["p_top_outcome"]
    top = others["value"] > others["value"].quantile(0.9)
    for low, high in ((0.0, 0.05), (0.05, 0.2), (0.2, 0.5), (0.5, 1.0)):
        among = (chance >= low) & (chance < high)
        assert among.sum() > 200
        error = 4 * np.sqrt(chance[among].mean() / among.sum())
        assert top[among].mean() == pytest.approx(chance[among].mean(), abs=error + 0.01)


def test_equal_histories_have_equal_rows_in_whatever_batch_they_are(
    uncertainty: ValueUncertainty, customers: pd.DataFrame
) -> None:
    whole = uncertainty.describe(customers)
    mixed = customers.sample(frac=1, random_state=3)
    parts = [uncertainty.describe(mixed[at : at + 700]) for at in range(0, len(mixed), 700)]
    again = pd.concat(parts).loc[whole.index]
    pd.testing.assert_frame_equal(again, whole, check_exact=False, rtol=1e-8, atol=1e-9)


def test_threshold_of_weighted_histories_is_that_of_the_customers_they_stand_for() -> None:
    values = Linearised(np.array([1.0, 5.0, 9.0]), np.array([[0.1, 0.5, 0.9]]), np.eye(1) * 0.01)
    weight = np.array([7.0, 2.0, 1.0])
    one_by_one = Linearised(
        np.repeat(values.estimate, [7, 2, 1]),
        np.repeat(values.gradient, [7, 2, 1], axis=1),
        values.covariance,
    )
    threshold = find_threshold(values, share=0.2, weight=weight)
    everybody = find_threshold(one_by_one, share=0.2)
    assert threshold.estimate == everybody.estimate == 5.0
    np.testing.assert_allclose(threshold.gradient, [0.5])
    np.testing.assert_allclose(threshold.gradient, everybody.gradient)
    # All rise and fall together: who is above the threshold stays there.
    assert threshold.probability_above(values)[[0, 2]] == pytest.approx([0.0, 1.0])


def test_nothing_is_a_threshold_where_few_buy() -> None:
    gone = {"frequency": [9.0], "recency": [3.0], "T": [400.0], "monetary_value": [20.0]}
    spend = GammaGammaModel.from_params(SPEND, time_unit="week")
    transaction = ParetoNBDModel.from_params(PARETO, time_unit="week")
    outcomes = OutcomeModel(transaction, spend, horizon=4.0).predict(gone)
    assert find_outcome_threshold(outcomes) == 0.0
    with pytest.raises(InvalidArgumentError, match="share: must lie between 0 and 1"):
        find_outcome_threshold(outcomes, share=10)


def test_doubtful_records_mix_both_histories(
    models: tuple[ParetoNBDModel, GammaGammaModel],
) -> None:
    """Five purchases of which three may be another person's."""
    predict = OutcomeModel(*models, horizon=52.0).predict
    history = {"recency": [28.0], "T": [30.0], "monetary_value": [30.0]}
    as_is, without = (predict({"frequency": [float(x)], **history}) for x in (5, 2))
    high = [
        mix_outcomes(as_is, without, np.array([p]), level=0.9)[0] for p in (0.0, 0.01, 0.5, 1.0)
    ]
    assert high[0] == as_is.value(0.9)[0]
    assert high[3] == pytest.approx(without.value(0.9)[0], rel=1e-9)
    assert high[0] > high[1] > high[2] > high[3]
    half = 0.5 * (as_is.probability_above(high[2]) + without.probability_above(high[2]))
    assert half[0] == pytest.approx(0.1, abs=1e-6)


bounds = st.tuples(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1e4)).map(sorted)


@given(bounds, st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_doubt_widens_and_certainty_does_not(ends: list[float], one: float, other: float) -> None:
    low, estimate, high = (np.array([end]) for end in ends)
    less, more = sorted((one, other))
    inner = widen_interval(estimate, low, high, np.array([0.0]))
    middle = widen_interval(estimate, low, high, np.array([less * 2 / 3]))
    outer = widen_interval(estimate, low, high, np.array([more * 2 / 3]))
    assert (inner[0][0], inner[1][0]) == (low[0], high[0])
    slack = 1e-9 * (1 + high[0])
    assert 0.0 <= outer[0][0] <= middle[0][0] + slack
    assert middle[0][0] <= low[0] + slack
    assert outer[1][0] >= middle[1][0] - slack
    assert middle[1][0] >= high[0] - slack


def test_a_link_as_likely_wrong_as_right_is_a_share_of_known_spread() -> None:
    """The share is 1 or uniform, each with 1/2: variance 1/6 - 1/16."""
    widened = widen_interval(*(np.array([100.0]) for _ in range(3)), np.array([0.5]))
    reach = 1.2815515655 * 100 * np.sqrt(1 / 6 - 1 / 16)
    np.testing.assert_allclose(np.concatenate(widened), [100 - reach, 100 + reach])


def test_doubt_is_a_probability() -> None:
    one = np.ones(2)
    with pytest.raises(InvalidArgumentError, match="not a probability in 1 of 2 rows"):
        widen_interval(one, one, one, np.array([0.5, np.nan]))


def test_bootstrap_covariance_can_take_the_place_of_the_fit_s(
    models: tuple[ParetoNBDModel, GammaGammaModel], customers: pd.DataFrame
) -> None:
    options = {"horizon": 52.0, "annual_discount_rate": 0.1, "sample": customers[HISTORY]}
    wider = ValueUncertainty(
        *models, transaction_covariance=4 * models[0].log_covariance_, **options
    ).describe(customers[:50])
    plain = ValueUncertainty(*models, **options).describe(customers[:50])
    width, twice = (
        np.log(f["expected_purchases_high"] / f["expected_purchases_low"]) for f in (plain, wider)
    )
    np.testing.assert_allclose(twice, 2 * width, rtol=1e-3)
