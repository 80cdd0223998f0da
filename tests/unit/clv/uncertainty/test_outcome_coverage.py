"""Do 80 % intervals of what customers will do hold 80 % of what they did?

On customers simulated from the model that is fitted, for every model of purchases and of spend. The place of the
actual value in its predicted distribution is uniform, drawn at random within a jump, as at 0, where many customers are:
only so can an interval hold exactly 80 %. As they stand the intervals hold more, because they contain all of the jump.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log1p
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.customers import BETA_GEO, PARETO, SIGNED_SPEND, SPEND, simulate_customers

from clvspark.clv import (
    BetaGeoModel,
    CondensedBetaGeoModel,
    GammaGammaModel,
    ModifiedBetaGeoModel,
    NBDModel,
    NormalNormalModel,
    ParetoNBDModel,
)
from clvspark.clv.metrics import randomised_coverage
from clvspark.clv.models.transactions import TransactionModel
from clvspark.clv.models.units import TimeUnit
from clvspark.clv.uncertainty import OutcomeModel, Outcomes

RATE = 0.1
DISCOUNT = log1p(RATE) / TimeUnit.WEEK.periods_per_year
REGULAR = {"r": 0.9, "alpha": 3.0, "a": 0.5, "b": 3.0}


@dataclass(frozen=True)
class Truth:
    """Parameters, the process that customers are simulated from, and the model that is fitted to them."""

    model: type[TransactionModel]
    params: dict[str, float]
    process: str
    settings: dict[str, Any] = field(default_factory=dict)

    def simulate(self, n: int, seed: int, spend: dict[str, float]) -> pd.DataFrame:
        return simulate_customers(
            self.process,
            self.params,
            n=n,
            seed=seed,
            discount=DISCOUNT,
            regularity=self.settings.get("regularity", 1),
            spend=spend,
        )

    def fit(self, past: pd.DataFrame) -> TransactionModel:
        return self.model(time_unit="week", **self.settings).fit(past)


TRUTHS = {
    "pareto": Truth(ParetoNBDModel, PARETO, "ParetoNBDModel"),
    "beta_geo": Truth(BetaGeoModel, BETA_GEO, "BetaGeoModel"),
    "modified_beta_geo": Truth(ModifiedBetaGeoModel, BETA_GEO, "ModifiedBetaGeoModel"),
    # Who has next to no chance to leave.
    "nbd": Truth(NBDModel, {"r": 0.5, "alpha": 5.0, "a": 1e-9, "b": 1.0}, "BetaGeoModel"),
    "cnbd_2": Truth(CondensedBetaGeoModel, REGULAR, "BetaGeoModel", {"regularity": 2}),
    "modified_cnbd_3": Truth(
        CondensedBetaGeoModel,
        REGULAR,
        "ModifiedBetaGeoModel",
        {"regularity": 3, "dropout_at_first_purchase": True},
    ),
}
SPENDS = {
    "gamma_gamma": (GammaGammaModel, SPEND),
    "normal_normal": (NormalNormalModel, SIGNED_SPEND),
}


def fit_and_predict(truth: str, spend: str, n: int, seed: int) -> tuple[Outcomes, pd.DataFrame]:
    """Estimated from some customers, predicted for others."""
    one, (kind, params) = TRUTHS[truth], SPENDS[spend]
    past, customers = (one.simulate(n, at, params) for at in (seed, seed + 1_000))
    outcomes = OutcomeModel(
        one.fit(past), kind().fit(past), horizon=52.0, annual_discount_rate=RATE
    )
    return outcomes.predict(customers), customers


def places(below: np.ndarray, upto: np.ndarray, seed: int = 1) -> np.ndarray:
    return below + np.random.default_rng(seed).random(len(below)) * (upto - below)


def assert_uniform(place: np.ndarray) -> None:
    inside = float(np.mean((place >= 0.1) & (place <= 0.9)))
    shares = np.histogram(place, bins=10, range=(0.0, 1.0))[0] / len(place)
    print(inside, shares)
    assert 0.78 < inside < 0.82
    np.testing.assert_allclose(shares, 0.1, atol=0.02)


@pytest.mark.parametrize("spend", SPENDS)
@pytest.mark.parametrize("truth", TRUTHS)
def test_eighty_percent_intervals_hold_eighty_percent_of_outcomes(truth: str, spend: str) -> None:
    outcomes, customers = fit_and_predict(truth, spend, 5_000, 7)
    value, purchases = customers["value"].to_numpy(), customers["purchases"].to_numpy()
    counts, totals = outcomes.counts, outcomes.totals
    assert_uniform(places(totals.probability_below(value), 1.0 - totals.probability_above(value)))
    assert_uniform(
        places(counts.probability_below(purchases), 1.0 - counts.probability_above(purchases))
    )
    for actual, low, high in (
        (value, outcomes.value(0.1), outcomes.value(0.9)),
        (purchases, outcomes.purchases(0.1), outcomes.purchases(0.9)),
    ):
        assert np.all(low <= high)
        assert np.mean((low <= actual) & (actual <= high)) > 0.79


@pytest.mark.parametrize("truth", ["pareto", "beta_geo", "modified_beta_geo", "modified_cnbd_3"])
def test_outcomes_of_frequent_buyers_are_held_as_they_stand(truth: str) -> None:
    """Where a year without a purchase is unlikely there is no jump, and nothing is randomised."""
    one = TRUTHS[truth]
    customers = one.simulate(100_000, 3, SPEND).query("frequency > 12")
    names = one.model.parameter_names
    model = one.model.from_params(
        {name: one.params[name] for name in names}, time_unit="week", **one.settings
    )
    spend = GammaGammaModel.from_params(SPEND, time_unit="week")
    outcomes = OutcomeModel(model, spend, horizon=52.0, annual_discount_rate=RATE).predict(
        customers
    )
    busy = outcomes.probability_above(0.0) > 0.9
    value = customers["value"].to_numpy()
    inside = (outcomes.value(0.1) <= value) & (value <= outcomes.value(0.9))
    print(truth, busy.sum(), inside[busy].mean())
    assert busy.sum() > 300
    assert 0.75 < inside[busy].mean() < 0.85


@pytest.mark.parametrize("truth", ["pareto", "modified_beta_geo"])
def test_few_customers_suffice(truth: str) -> None:
    """Distributions take the parameters for known: fitted to 500 customers, that is no matter."""
    one = TRUTHS[truth]
    others = one.simulate(2_000, 999, SPEND)
    value, held = others["value"].to_numpy(), []
    for seed in range(8):
        past = one.simulate(500, seed, SPEND)
        models = one.fit(past), GammaGammaModel().fit(past)
        outcomes = OutcomeModel(*models, horizon=52.0, annual_discount_rate=RATE).predict(others)
        below, above = outcomes.totals.probability_below(value), outcomes.probability_above(value)
        held.append(randomised_coverage(below, 1.0 - above))
    print(truth, held)
    assert 0.77 < np.mean(held) < 0.83
