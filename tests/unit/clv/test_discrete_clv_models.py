"""BG/BB (purchases at opportunities) and sBG (renewals), against the published cases."""

from __future__ import annotations

import json
from importlib.metadata import distribution

import numpy as np
import pandas as pd
import pytest
from scipy.special import comb

from clvspark.clv import BetaGeoBetaBinomModel, ShiftedBetaGeoModel
from clvspark.clv.models.errors import (
    DegenerateDataError,
    InvalidArgumentError,
    InvalidSummaryError,
)

HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491]
BGBB = {"alpha": 1.20352, "beta": 0.74972, "gamma": 0.65672, "delta": 2.78344}


@pytest.fixture(scope="module")
def donations() -> pd.DataFrame:
    """11,104 donors: did they give in each of the six years after their first gift?"""
    path = distribution("Lifetimes").locate_file("lifetimes/datasets/donations.csv")
    return pd.read_csv(str(path)).rename(columns={"periods": "T", "weights": "weight"})


@pytest.fixture(scope="module")
def donors(donations: pd.DataFrame) -> BetaGeoBetaBinomModel:
    return BetaGeoBetaBinomModel(time_unit="year").fit(donations)


@pytest.fixture(scope="module")
def high_end() -> pd.DataFrame:
    cancelled = -np.diff(HIGH_END)
    return pd.DataFrame(
        {
            "recency": [*range(7), 7],
            "T": [7] * 8,
            "weight": [*cancelled, HIGH_END[-1]],
        }
    )


@pytest.fixture(scope="module")
def subscribers(high_end: pd.DataFrame) -> ShiftedBetaGeoModel:
    return ShiftedBetaGeoModel(time_unit="year").fit(high_end)


def test_published_estimates_of_donations(donors: BetaGeoBetaBinomModel) -> None:
    assert donors.n_customers_ == 11_104
    assert donors.params_ == pytest.approx(BGBB, rel=1e-5)
    assert donors.log_likelihood_ == pytest.approx(-33225.581, abs=5e-4)
    assert donors.expected_purchases_new_customer(t=10) == pytest.approx(3.179805, rel=2e-5)


def test_published_estimates_of_high_end_subscribers(subscribers: ShiftedBetaGeoModel) -> None:
    assert subscribers.n_customers_ == 1000
    assert subscribers.params_ == pytest.approx({"alpha": 0.66809, "beta": 3.80610}, abs=6e-6)
    assert subscribers.log_likelihood_ == pytest.approx(-1611.158, abs=5e-4)
    assert subscribers.expected_survival(t=12) == pytest.approx(0.3780, abs=5e-5)


@pytest.mark.parametrize("model", [BetaGeoBetaBinomModel, ShiftedBetaGeoModel])
def test_gradients_agree_with_finite_differences(model, donations, high_end) -> None:  # type: ignore[no-untyped-def]
    summary = donations if model is BetaGeoBetaBinomModel else high_end
    fitted = model(time_unit="year")
    groups = fitted._read_groups(summary, 1000)
    theta = np.array([0.9, 1.4, 0.6, 2.0])[: len(fitted.parameter_names)]
    _, gradient = fitted._log_likelihood_and_gradient(theta, groups)
    for i, row in enumerate(gradient):
        step = np.eye(len(theta))[i] * 1e-5
        ahead, _ = fitted._log_likelihood_and_gradient(theta + step, groups)
        behind, _ = fitted._log_likelihood_and_gradient(theta - step, groups)
        np.testing.assert_allclose(row, (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-8)


def test_histories_have_total_probability_one() -> None:
    """Every 0/1 history of four opportunities, weighted by how many share (x, t_x)."""
    model = BetaGeoBetaBinomModel.from_params(BGBB, time_unit="year")
    histories = [[(h >> i) & 1 for i in range(4)] for h in range(16)]
    summary = {
        "frequency": [sum(h) for h in histories],
        "recency": [max((i + 1 for i, used in enumerate(h) if used), default=0) for h in histories],
        "T": [4] * 16,
    }
    groups = model._read_groups(summary, 100)
    log_probability, _ = model._log_likelihood_and_gradient(model._theta(), groups)
    assert groups.weight @ np.exp(log_probability) == pytest.approx(1.0, abs=1e-12)


def test_count_distribution_and_forecast_agree(donors: BetaGeoBetaBinomModel) -> None:
    n = np.arange(9)
    pmf = donors.probability_of_n_purchases(n=n, t=8)
    assert pmf.sum() == pytest.approx(1.0, abs=1e-12)
    assert pmf @ n == pytest.approx(donors.expected_purchases_new_customer(t=8), rel=1e-12)
    assert donors.probability_of_n_purchases(n=[9], t=8).tolist() == [0.0]


def test_forecast_of_the_fitted_donors_continues_the_population(
    donors: BetaGeoBetaBinomModel, donations: pd.DataFrame
) -> None:
    """Weighted by the model's own histories, E[Y] must equal E[X(6 + 4)] - E[X(6)]."""
    groups = donors._read_groups(donations, 100)
    log_probability, _ = donors._log_likelihood_and_gradient(donors._theta(), groups)
    # Histories that share (x, t_x): choose the x - 1 earlier purchases before t_x.
    x, t_x = groups["frequency"], groups["recency"]
    shares = np.where(x > 0, comb(t_x - 1, x - 1), 1.0) * np.exp(log_probability)
    future = donors.expected_purchases(groups.columns, future_t=4)
    gained = donors.expected_purchases_new_customer(t=10) - donors.expected_purchases_new_customer(
        t=6
    )
    assert shares.sum() == pytest.approx(1.0, abs=1e-10)
    assert shares @ future == pytest.approx(gained, rel=1e-10)


def test_probability_alive_falls_with_time_ahead(donors: BetaGeoBetaBinomModel) -> None:
    giver = {"frequency": [6, 3, 0], "recency": [6, 4, 0], "T": [6, 6, 6]}
    now = donors.expected_probability_alive(giver)
    later = donors.expected_probability_alive(giver, future_t=1)
    assert now[0] == 1.0  # gave at the last opportunity, so was alive at it
    assert np.all(later < now)
    assert now[1] > now[2]


def test_residual_transactions_are_the_discounted_sum_of_yearly_forecasts(
    donors: BetaGeoBetaBinomModel,
) -> None:
    giver = {"frequency": [4], "recency": [5], "T": [6]}
    forecast = [donors.expected_purchases(giver, future_t=t)[0] for t in range(401)]
    expected = np.diff(forecast) @ 1.1 ** -np.arange(1.0, 401.0)
    for horizon in (None, 400):
        value = donors.discounted_expected_residual_transactions(
            giver, annual_discount_rate=0.1, horizon=horizon
        )
        assert value[0] == pytest.approx(expected, rel=1e-10)


def test_a_rate_a_year_and_its_logarithm_a_period_discount_the_same(
    donors: BetaGeoBetaBinomModel, subscribers: ShiftedBetaGeoModel
) -> None:
    giver = {"frequency": [4], "recency": [5], "T": [6]}
    for ask in (
        lambda **rate: donors.discounted_expected_residual_transactions(giver, **rate),
        lambda **rate: subscribers.expected_residual_lifetime({"recency": [3], "T": [3]}, **rate),
    ):
        by_period = ask(discount_rate_per_unit=np.log(1.1))
        assert by_period == pytest.approx(ask(annual_discount_rate=0.1), rel=1e-12)


def test_opportunities_are_whole(donors: BetaGeoBetaBinomModel) -> None:
    giver = {"frequency": [4], "recency": [5], "T": [6]}
    with pytest.raises(InvalidArgumentError, match="future_t: must be a whole number"):
        donors.expected_purchases(giver, future_t=1.5)
    with pytest.raises(InvalidSummaryError, match="recency: is not whole"):
        donors.expected_purchases(giver | {"recency": [4.5]}, future_t=1)
    with pytest.raises(InvalidSummaryError, match="frequency: exceeds recency"):
        donors.expected_purchases(giver | {"recency": [3]}, future_t=1)


def test_survival_is_the_product_of_retention_rates(subscribers: ShiftedBetaGeoModel) -> None:
    rates = subscribers.expected_retention_rate(t=np.arange(1, 13))
    assert np.all(np.diff(rates) > 0)  # those likely to cancel leave first
    np.testing.assert_allclose(np.cumprod(rates), subscribers.expected_survival(t=np.arange(1, 13)))


def test_residual_lifetime_is_the_discounted_sum_of_survival(
    subscribers: ShiftedBetaGeoModel,
) -> None:
    customers = pd.DataFrame({"recency": [0, 3, 2], "T": [0, 3, 3]})
    value = subscribers.expected_residual_lifetime(customers, annual_discount_rate=0.1)
    ahead = np.arange(1, 500)
    for row, made in enumerate((0, 3)):
        survival = subscribers.expected_survival(t=made + ahead)
        relative = survival / subscribers.expected_survival(t=made)
        assert value[row] == pytest.approx(relative @ 1.1**-ahead, rel=1e-9)
    assert value[2] == 0.0  # has cancelled
    alive = subscribers.expected_probability_alive(customers, future_t=1)
    expected = [*subscribers.expected_retention_rate(t=[1, 4]), 0.0]
    assert alive.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("recency", [[3, 3], [0, 0]])
def test_renewals_without_contrast(recency: list[int]) -> None:
    with pytest.raises(DegenerateDataError, match="nobody cancelled, or nobody ever renewed"):
        ShiftedBetaGeoModel(time_unit="year").fit({"recency": recency, "T": [3, 3]})


def test_renewals_are_checked(subscribers: ShiftedBetaGeoModel) -> None:
    with pytest.raises(InvalidSummaryError, match="recency: exceeds T"):
        subscribers.expected_probability_alive({"recency": [4], "T": [3]})
    with pytest.raises(InvalidArgumentError, match="whole numbers of renewals >= 1"):
        subscribers.expected_retention_rate(t=0)
    with pytest.raises(InvalidArgumentError, match="must be > 0"):
        subscribers.expected_residual_lifetime({"recency": [3], "T": [3]}, annual_discount_rate=0.0)


@pytest.mark.parametrize("name", ["donors", "subscribers"])
def test_round_trip(name: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(name)
    text = json.dumps(model.to_dict(), allow_nan=False)
    assert type(model).from_dict(json.loads(text)).to_dict() == model.to_dict()
