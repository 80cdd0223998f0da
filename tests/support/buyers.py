"""Customers drawn from the models, with known parameters and coefficients."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd


def customers_who_die(truth: Mapping[str, float], *, n: int, seed: int) -> pd.DataFrame:
    """Pareto/NBD with covariates `web` (an indicator) and `age` (a standard normal)."""
    rng = np.random.default_rng(seed)
    known = covariates(n, rng)
    observed = rng.uniform(20.0, 80.0, n)
    alpha = truth["alpha"] * np.exp(-moved(truth, "purchase_coefficient_alpha", known))
    beta = truth["beta"] * np.exp(-moved(truth, "dropout_coefficient_beta", known))
    rate, death = rng.gamma(truth["r"], 1 / alpha), rng.gamma(truth["s"], 1 / beta)
    active = np.minimum(rng.exponential(1.0 / np.maximum(death, 1e-12)), observed)
    frequency = rng.poisson(rate * active)
    latest = active * rng.random(n) ** (1.0 / np.maximum(frequency, 1))
    recency = np.where(frequency > 0, latest, 0.0)
    return known.assign(frequency=frequency, recency=recency, T=observed)


def customers_who_drop_out(
    truth: Mapping[str, float], *, n: int, seed: int, initial_chances: int = 0
) -> pd.DataFrame:
    """BG/NBD, or MBG/NBD with one initial chance to leave, with the same covariates."""
    rng = np.random.default_rng(seed)
    known = covariates(n, rng)
    observed = rng.uniform(20.0, 80.0, n)
    alpha = truth["alpha"] * np.exp(-moved(truth, "purchase_coefficient_alpha", known))
    a = truth["a"] * np.exp(moved(truth, "dropout_coefficient_a", known))
    b = truth["b"] * np.exp(moved(truth, "dropout_coefficient_b", known))
    rate, dropout = np.maximum(rng.gamma(truth["r"], 1 / alpha), 1e-12), rng.beta(a, b)
    active = (rng.random(n) > dropout) | (initial_chances == 0)
    frequency, recency, clock = np.zeros(n), np.zeros(n), np.zeros(n)
    while active.any():
        clock = clock + rng.exponential(1 / rate)
        active &= clock <= observed
        frequency[active] += 1
        recency[active] = clock[active]
        active &= rng.random(n) > dropout
    return known.assign(frequency=frequency, recency=recency, T=observed)


def covariates(n: int, rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame({"web": rng.integers(0, 2, n).astype(float), "age": rng.normal(size=n)})


def moved(truth: Mapping[str, float], prefix: str, known: pd.DataFrame) -> np.ndarray:
    """coefficients . z"""
    parts = [truth.get(f"{prefix}_{name}", 0.0) * known[name].to_numpy() for name in known]
    return np.sum(parts, axis=0)
