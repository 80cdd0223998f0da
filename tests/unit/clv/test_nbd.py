"""The NBD model against SciPy, and against BG/NBD whose limit it is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import nbinom

from clvspark.clv.models import BetaGeoModel, NBDModel

R, ALPHA = 1.6, 1.4


@pytest.fixture(scope="module")
def panel() -> dict[str, np.ndarray]:
    """Customers who never leave, bought at known rates."""
    rng = np.random.default_rng(5)
    age = rng.uniform(30, 52, 4000)
    x = rng.poisson(rng.gamma(R, 1 / ALPHA, 4000) * age).astype(float)
    recency = np.where(x > 0, age * rng.beta(np.maximum(x, 1), 1), 0.0)
    return {"frequency": x, "recency": recency, "T": age}


def test_known_rates_are_found_again(panel: dict[str, np.ndarray]) -> None:
    model = NBDModel(time_unit="week").fit(panel)

    for name, truth in (("r", R), ("alpha", ALPHA)):
        assert abs(model.params_[name] - truth) < 3 * model.standard_errors_[name]


def test_counts_are_negative_binomial() -> None:
    model = NBDModel.from_params({"r": R, "alpha": ALPHA}, time_unit="week")
    n = np.arange(40)

    pmf = model.probability_of_n_purchases(n=n, t=7.0)
    assert pmf == pytest.approx(nbinom.pmf(n, R, ALPHA / (ALPHA + 7.0)))
    assert model.expected_purchases_new_customer(t=7.0) == pytest.approx(7.0 * R / ALPHA)


def test_it_is_the_limit_of_bg_nbd(panel: dict[str, np.ndarray]) -> None:
    nbd = NBDModel.from_params({"r": R, "alpha": ALPHA}, time_unit="week")
    loyal = {"r": R, "alpha": ALPHA, "a": 1e-9, "b": 10.0}
    bg = BetaGeoModel.from_params(loyal, time_unit="week")
    some = {name: values[:50] for name, values in panel.items()}

    assert nbd.log_likelihood(panel) == pytest.approx(bg.log_likelihood(panel), rel=1e-6)
    for ask in (
        lambda model: model.expected_probability_alive(some),
        lambda model: model.expected_purchases(some, future_t=26),
        lambda model: model.discounted_expected_residual_transactions(
            some, annual_discount_rate=0.1, horizon=52
        ),
    ):
        assert ask(nbd) == pytest.approx(ask(bg), rel=1e-4)
