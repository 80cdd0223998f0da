"""Customers simulated from known parameters, with what they did after the cut-off."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

PARETO = {"r": 0.55, "alpha": 10.6, "s": 0.61, "beta": 11.7}
BETA_GEO = {"r": 0.5, "alpha": 5.0, "a": 0.8, "b": 2.5}
SPEND = {"p": 6.25, "q": 3.74, "v": 15.4}
SIGNED_SPEND = {"mu": 6.0, "tau": 9.0, "sigma": 12.0}


def simulate_customers(
    name: str,
    params: Mapping[str, float],
    *,
    n: int,
    seed: int,
    horizon: float = 52.0,
    discount: float = 0.0,
    regularity: int = 1,
    spend: Mapping[str, float] = SPEND,
) -> pd.DataFrame:
    """History up to T (20 to 80 weeks), and purchases and discounted value in the horizon after it.

    `name` of the process: ParetoNBDModel, BetaGeoModel or ModifiedBetaGeoModel, of which each
    `regularity`-th event is a purchase; `discount` is continuous, per week. Spend is Gamma-Gamma
    with SPEND, or Normal-Normal with SIGNED_SPEND.
    """
    rng = np.random.default_rng(seed)
    age = rng.uniform(20.0, 80.0, n)
    rate = rng.gamma(params["r"], 1.0 / params["alpha"], n)
    end, dropout = np.full(n, np.inf), np.zeros(n)
    if name == "ParetoNBDModel":
        end = rng.exponential(1.0 / rng.gamma(params["s"], 1.0 / params["beta"], n))
    else:
        dropout = rng.beta(params["a"], params["b"], n)
    is_signed = "mu" in spend
    if is_signed:
        mean = rng.normal(spend["mu"], spend["tau"], n)
    else:
        nu = rng.gamma(spend["q"], 1.0 / spend["v"], n)
    active = np.ones(n, dtype=bool)
    if name == "ModifiedBetaGeoModel":
        active = rng.random(n) > dropout
    frequency, recency, log_intervals, spent, later, value = (np.zeros(n) for _ in range(6))
    clock = np.zeros(n)
    while active.any():
        gap = rng.exponential(1.0 / rate, (regularity, n)).sum(axis=0)
        clock = clock + gap
        active &= clock <= np.minimum(end, age + horizon)
        past, future = active & (clock <= age), active & (clock > age)
        amount = rng.normal(mean, spend["sigma"]) if is_signed else rng.gamma(spend["p"], 1.0 / nu)
        frequency[past] += 1
        recency[past] = clock[past]
        log_intervals[past] += np.log(gap[past])
        spent[past] += amount[past]
        later[future] += 1
        value[future] += (amount * np.exp(-discount * (clock - age)))[future]
        active &= rng.random(n) > dropout
    return pd.DataFrame(
        {
            "frequency": frequency,
            "recency": recency,
            "T": age,
            "log_intervals": log_intervals,
            "monetary_value": spent / np.maximum(frequency, 1.0),
            "purchases": later,
            "value": value,
        }
    )
