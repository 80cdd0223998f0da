"""How well the intervals of a backtest held what came: their calibration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from clvspark.clv.baselines import PURCHASES, VALUE
from clvspark.clv.fit import DAYS_PER_UNIT, FoldModels
from clvspark.clv.intervals import LEVEL, draw_persons, priceable
from clvspark.clv.label_models import ModelsByLabel, PurchaseModel, label_columns_of
from clvspark.clv.metrics import interval_coverage, mean_interval_width, randomised_coverage
from clvspark.clv.models.summary import FloatArray
from clvspark.clv.models.transactions import TRIPLE, TransactionModel
from clvspark.clv.uncertainty.outcomes import (
    SPEND_DAYS,
    SpendModel,
    price_purchases,
    read_histories,
)
from clvspark.clv.uncertainty.parameters import tails
from clvspark.clv.uncertainty.purchases import FuturePurchases

JUDGED = 20_000
"""Persons of a fold whose intervals are judged, about; a share of 80 % of them has a standard error of 0.3 points."""

_ACTUAL = {PURCHASES: "purchases_after", VALUE: "value_after"}


class Distribution(Protocol):
    """What is predicted of many customers."""

    def quantile(self, level: float) -> FloatArray:
        """Of each customer."""

    def probability_below(self, value: FloatArray) -> FloatArray:
        """P(less than the value) of each customer."""

    def probability_above(self, value: FloatArray) -> FloatArray:
        """P(more than the value) of each customer."""


def collect_judged(
    cases: DataFrame, models: Mapping[int, FoldModels], *, customers: int
) -> dict[int, pd.DataFrame]:
    """Histories of some `JUDGED` persons at the origins of the folds, and what came after, by lag.

    In: rows of `join_windows` with the models' columns and labels, of so many customers in the largest fold. The
    persons are the same in all folds.
    """
    labels = label_columns_of(
        *(model for one in models.values() for model in one.transaction.values())
    )
    columns = (*TRIPLE, SPEND_DAYS, "monetary_value", *_ACTUAL.values(), *labels)
    drawn = draw_persons(cases, customers=customers, at_most=JUDGED)
    rows = drawn.select("lag_days", *columns).toPandas()
    return {int(str(lag)): part for lag, part in rows.groupby("lag_days")}


def measure_intervals(
    persons: pd.DataFrame, models: FoldModels, *, holdout_days: int
) -> dict[str, dict[str, float]]:
    """Coverage and mean width of the intervals that each transaction model of a fold gave for its holdout.

    In: rows of `collect_judged` of the fold. Out: by model ``interval_coverage``, which is `randomised_coverage`;
    ``interval_coverage_closed``, of intervals as they stand; ``interval_width``; those of value with the prefix
    ``value_``. Values are not discounted, as those of the backtest. Without a spend model there are none of value.
    """
    found = {}
    for name, model in models.transaction.items():
        judged = pd.concat(
            _judge(rows, one, models.spend, horizon=holdout_days / DAYS_PER_UNIT)
            for one, rows in _by_model(model, persons)
        )
        found[name] = {
            f"{'value_' if outcome == VALUE else ''}{measure}": value
            for outcome, rows in judged.groupby("outcome")
            for measure, value in _measure(rows).items()
        }
    return found


def _by_model(
    model: PurchaseModel, persons: pd.DataFrame
) -> Iterator[tuple[TransactionModel, pd.DataFrame]]:
    """Persons with the model that is theirs."""
    if not isinstance(model, ModelsByLabel):
        yield model, persons
        return
    for key, at in model.parts(persons):
        yield model.model_of(key), persons.iloc[at]


def _judge(
    persons: pd.DataFrame, model: TransactionModel, spend: SpendModel | None, *, horizon: float
) -> pd.DataFrame:
    """What came of each person and outcome, ends of its interval, P(less than what came) and P(at most it)."""
    columns = read_histories(persons, model.covariates)
    counts = FuturePurchases.of(model, columns, horizon=horizon, days=columns[SPEND_DAYS])
    predicted: dict[str, Distribution] = {PURCHASES: counts}
    if spend is not None:
        columns["monetary_value"] = priceable(persons, spend)["monetary_value"].to_numpy(float)
        predicted[VALUE] = price_purchases(counts, spend, columns)
    parts = []
    for outcome, one in predicted.items():
        actual = np.asarray(persons[_ACTUAL[outcome]], dtype=np.float64)
        low, high = (one.quantile(level) for level in tails(LEVEL))
        found = {
            "outcome": outcome,
            "actual": actual,
            "low": low,
            "high": high,
            "below": one.probability_below(actual),
            "upto": 1.0 - one.probability_above(actual),
        }
        parts.append(pd.DataFrame(found))
    return pd.concat(parts, ignore_index=True)


def _measure(rows: pd.DataFrame) -> dict[str, float]:
    return {
        "interval_coverage": randomised_coverage(rows["below"], rows["upto"], level=LEVEL),
        "interval_coverage_closed": interval_coverage(rows["actual"], rows["low"], rows["high"]),
        "interval_width": mean_interval_width(rows["low"], rows["high"]),
    }
