"""Experiments on simulated customers whose true effect is known: what the intervals promise, they keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from clvspark.measurement import inference
from clvspark.measurement.cuped import Slope, find_slopes
from clvspark.measurement.experiments import compare_groups

Outcomes = NDArray[np.float64]
SEEDS = range(100)
PERSONS, HOLDOUT = 3_000, 0.1
CENT = 0.01
# What acting does: of those who would have bought nothing, so many buy now.
PERSUADED = 0.3


@dataclass(frozen=True)
class Customers:
    """One experiment: who is held out, margin in the window, and the value predicted before it."""

    held: NDArray[np.bool_]
    margin: Outcomes
    value_before: Outcomes
    true_effect: float


def simulate(seed: int, *, persuaded: float) -> Customers:
    """Purchases are Poisson with gamma rates, margins lognormal: two in three bring nothing, a few much.

    The predicted value is what a model would say that knows the rate but not the future, with an error of its own. The
    true effect is the mean over exactly these persons of what acting changes, by both of their potential outcomes.
    """
    random = np.random.default_rng(seed)
    rate = random.gamma(0.4, 1.5, PERSONS)
    spend = random.lognormal(3.0, 0.4, PERSONS)
    untreated = (
        np.array([random.lognormal(0.0, 0.6, n).sum() for n in random.poisson(rate)]) * spend
    )
    comes = (untreated == 0) & (random.random(PERSONS) < persuaded)
    treated = np.where(comes, random.lognormal(0.0, 0.6, PERSONS) * spend, untreated)
    held = random.random(PERSONS) < HOLDOUT
    before = 4 * rate * spend * random.lognormal(0.0, 0.3, PERSONS)
    margin = np.round(np.where(held, untreated, treated) / CENT) * CENT
    effect = float((treated - untreated).mean())
    return Customers(held, margin, np.round(before, 2), effect)


def tabulate(customers: Customers, outcome: Outcomes, method: str) -> pd.DataFrame:
    """Rows of `tabulate_outcomes`, as Spark makes them."""
    with np.errstate(divide="ignore"):
        unit = 10.0 ** (np.floor(np.log10(np.abs(outcome))) - 1)
    value = np.where(outcome == 0, 0.0, np.round(outcome / np.where(unit > 0, unit, 1)) * unit)
    rows = pd.DataFrame(
        {
            "audience_id": "all",
            "outcome": "margin",
            "method": method,
            "split_group": np.where(customers.held, "holdout", "treatment"),
            "value": value,
            "persons": 1,
            "total": outcome,
            "squares": outcome**2,
        }
    )
    return rows.groupby(list(rows.columns[:5]), as_index=False).sum()


def slope_of(customers: Customers) -> Slope:
    """The slope from the sums of `sum_products`."""
    x, y = customers.value_before, customers.margin
    sums = {"persons": x.size, "x": x.sum(), "y": y.sum(), "xx": x @ x, "xy": x @ y, "yy": y @ y}
    return find_slopes([{"audience_id": "all", "outcome": "margin", **sums}])["all", "margin"]


@dataclass(frozen=True)
class Judged:
    """Interval and verdict of one experiment by one method."""

    low: float
    high: float
    p_value: float

    def covers(self, effect: float) -> bool:
        """Whether the interval holds the true effect."""
        return self.low <= effect <= self.high


def judge(customers: Customers) -> tuple[Judged, Judged]:
    """What the plain difference and CUPED say."""
    slope = slope_of(customers)
    rest = customers.margin - slope.theta * (customers.value_before - slope.mean_before)

    def compared() -> Iterator[Judged]:
        for method, outcome in (("plain", customers.margin), ("cuped", rest)):
            (row,) = compare_groups(tabulate(customers, outcome, method)).to_dict("records")
            yield Judged(row["ci_low"], row["ci_high"], row["p_value"])

    plain, cuped = compared()
    return plain, cuped


@pytest.fixture(scope="module", autouse=True)
def fewer_reshuffles() -> Iterator[None]:
    """More of them only tell how far below the level a p-value lies, which no test here asks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "MORE_RESHUFFLES", inference.RESHUFFLES)
        yield


@pytest.fixture(scope="module")
def with_effect() -> list[tuple[Customers, Judged, Judged]]:
    drawn = [simulate(seed, persuaded=PERSUADED) for seed in SEEDS]
    return [(customers, *judge(customers)) for customers in drawn]


@pytest.fixture(scope="module")
def without_effect() -> list[tuple[Judged, Judged]]:
    return [judge(simulate(1_000 + seed, persuaded=0.0)) for seed in SEEDS]


def test_margins_are_as_skewed_and_as_often_zero_as_those_of_customers() -> None:
    margin = simulate(0, persuaded=0.0).margin
    assert 0.6 < np.mean(margin == 0) < 0.8
    assert pd.Series(margin).skew() > 3


@pytest.mark.slow
def test_intervals_hold_the_true_effect_in_92_of_100_experiments(
    with_effect: list[tuple[Customers, Judged, Judged]],
) -> None:
    plain = sum(one.covers(customers.true_effect) for customers, one, _ in with_effect)
    cuped = sum(one.covers(customers.true_effect) for customers, _, one in with_effect)
    assert plain >= 92
    assert cuped >= 92


@pytest.mark.slow
def test_without_effect_at_most_8_of_100_experiments_are_significant(
    without_effect: list[tuple[Judged, Judged]],
) -> None:
    assert sum(plain.p_value <= 0.05 for plain, _ in without_effect) <= 8
    assert sum(cuped.p_value <= 0.05 for _, cuped in without_effect) <= 8


def test_the_interval_of_cuped_is_narrower_and_it_finds_more(
    with_effect: list[tuple[Customers, Judged, Judged]],
) -> None:
    narrower = [cuped.high - cuped.low < plain.high - plain.low for _, plain, cuped in with_effect]
    assert sum(narrower) >= 98
    found, found_by_cuped = (
        sum(one.p_value <= 0.05 for one in judged)
        for judged in zip(*((plain, cuped) for _, plain, cuped in with_effect), strict=True)
    )
    assert found_by_cuped > found + 10
