"""lifetimes and PyMC-Marketing, in an environment of their own: fit by maximum (a posteriori) likelihood, then score.

python bench/clv/peer_engine.py {lifetimes,pymc} --customers DIR --models NAME ...

Seconds do not hold what is imported, read or compiled: a few customers are fitted first.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

WEEKS, MONTHS, ANNUAL_DISCOUNT_RATE = 52, 12, 0.1
MONTHLY_DISCOUNT_RATE = (1 + ANNUAL_DISCOUNT_RATE) ** (1 / 12) - 1
WARM_UP_CUSTOMERS = 100_000
Timed = dict[str, Any]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What the work gives, and its seconds."""
    start = time.monotonic()
    found = work()
    return found, time.monotonic() - start


def run_lifetimes(customers: pd.DataFrame, name: str) -> Timed:
    """Fit one model and Gamma-Gamma; score purchases, P(alive) and lifetime value."""
    from lifetimes import BetaGeoFitter, GammaGammaFitter, ParetoNBDFitter

    history = (customers["frequency"], customers["recency"], customers["T"])
    fitter = {"bg_nbd": BetaGeoFitter, "pareto_nbd": ParetoNBDFitter}[name]()
    _, fit_seconds = timed(lambda: fitter.fit(*history))
    repeat = customers[customers["frequency"] > 0]
    spend = GammaGammaFitter()
    spend.fit(repeat["frequency"], repeat["monetary_value"])

    def score() -> None:
        fitter.conditional_expected_number_of_purchases_up_to_time(WEEKS, *history)
        fitter.conditional_probability_alive(*history)
        spend.customer_lifetime_value(
            fitter,
            *history,
            customers["monetary_value"],
            time=MONTHS,
            discount_rate=MONTHLY_DISCOUNT_RATE,
            freq="W",
        )

    _, score_seconds = timed(score)
    params = {key: float(value) for key, value in fitter.params_.items()}
    return {"fit_seconds": fit_seconds, "score_seconds": score_seconds, "params": params}


def run_pymc(customers: pd.DataFrame, name: str) -> Timed:
    """The same with PyMC-Marketing's maximum a posteriori under its default priors."""
    from pymc_marketing import clv

    kind = {"bg_nbd": clv.BetaGeoModel, "pareto_nbd": clv.ParetoNBDModel}[name]
    # Building the model is part of it: what a user waits for.
    model, fit_seconds = timed(lambda: _fit_map(kind(customers)))
    spend = _fit_map(clv.GammaGammaModel(customers[customers["frequency"] > 0]))

    def score() -> None:
        model.expected_purchases(customers, future_t=WEEKS)
        model.expected_probability_alive(customers)
        spend.expected_customer_lifetime_value(
            model,
            customers,
            future_t=MONTHS,
            discount_rate=MONTHLY_DISCOUNT_RATE,
            time_unit="W",
        )

    _, score_seconds = timed(score)
    # One chain of one draw.
    params = {key: model.fit_result[key].item() for key in model.fit_result.data_vars}
    return {"fit_seconds": fit_seconds, "score_seconds": score_seconds, "params": params}


def _fit_map(model: Any) -> Any:
    model.fit(method="map", progressbar=False)
    return model


ENGINES = {"lifetimes": run_lifetimes, "pymc": run_pymc}


def main() -> None:
    """Print what was measured as JSON on the last line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("--customers", type=Path, required=True)
    parser.add_argument("--models", nargs="+", required=True)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    customers = pd.read_parquet(given.customers)
    run = ENGINES[given.engine]
    found = {}
    for name in given.models:
        run(customers.head(WARM_UP_CUSTOMERS), name)
        found[name] = run(customers, name)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
