"""Judge predictions on holdouts: purchases and value predicted against what came."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.clv.baselines import BASELINES, PURCHASES, VALUE, Predicted
from clvspark.clv.fit import DAYS_PER_UNIT, FoldModels
from clvspark.clv.intervals import priceable
from clvspark.clv.label_models import label_columns_of
from clvspark.clv.metrics import decile_table, measure_predictions
from clvspark.clv.models.transactions import TRIPLE
from clvspark.clv.score import distinct_histories

PREDICTIONS = "lag_days int, model string, outcome string, predicted double, actual double"
"""Columns of predictions: one row a person, fold, model and outcome."""

# Natural logarithm of the ratio within which predictions, and amounts, are one to the measures.
_STEP = 0.01
# What is smaller is nothing.
_LEAST = 1e-4
_COLUMNS = (
    *("lag_days", *TRIPLE, "spend_days", "monetary_value", "t_days", "historical_value"),
    *("purchases_before", "value_before", "purchases_after", "value_after"),
)


def predict_holdouts(
    cases: DataFrame, models: Mapping[int, FoldModels], *, holdout_days: int
) -> DataFrame:
    """What the models of each fold and the baselines predicted for its holdout: `PREDICTIONS`.

    In: rows of `join_windows` with the models' columns and ``historical_value``. A fold without a spend model
    has no value by the transaction models.
    """

    def predict(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for lag, persons in batch.groupby("lag_days"):
                yield from _predict_fold(persons, models[int(str(lag))], holdout_days)

    labels = label_columns_of(
        *(model for one in models.values() for model in one.transaction.values())
    )
    return cases.select(*_COLUMNS, *labels).mapInPandas(predict, PREDICTIONS)


def _predict_fold(
    persons: pd.DataFrame, models: FoldModels, holdout_days: int
) -> Iterator[pd.DataFrame]:
    """Long rows of one fold, model after model."""
    actual = {PURCHASES: persons["purchases_after"], VALUE: persons["value_after"]}
    for name, predicted in _predict_all(persons, models, holdout_days):
        for outcome, values in predicted.items():
            yield pd.DataFrame(
                {
                    "lag_days": persons["lag_days"],
                    "model": name,
                    "outcome": outcome,
                    "predicted": values,
                    "actual": actual[outcome],
                }
            )


def _predict_all(
    persons: pd.DataFrame, models: FoldModels, holdout_days: int
) -> Iterator[tuple[str, Predicted]]:
    histories, at = distinct_histories(persons, label_columns_of(*models.transaction.values()))
    spend = None
    if models.spend is not None:
        spend = np.asarray(models.spend.expected_customer_spend(priceable(persons, models.spend)))
    for name, model in models.transaction.items():
        future = model.expected_purchases(histories, future_t=holdout_days / DAYS_PER_UNIT)
        purchases = np.asarray(future)[at]
        yield name, {PURCHASES: purchases} | ({} if spend is None else {VALUE: purchases * spend})
    for name, baseline in BASELINES.items():
        yield name, baseline(persons, holdout_days)


def condense_predictions(predictions: DataFrame, *, is_exact: bool) -> DataFrame:
    """Customers with like predictions and like outcomes: the columns of `PREDICTIONS` and ``weight``.

    Exact: those with equal ones. Otherwise those within a hundredth, with their mean: then the rows that go to the
    driver are bounded by the range of the amounts, not by the number of customers.
    """
    cells = [
        (F.col(name) if is_exact else _cell(name)).alias(f"_{name}")
        for name in ("predicted", "actual")
    ]
    mean = [
        # Summed as decimals, which come to the same in any order.
        (F.sum(F.col(name).cast("decimal(38,12)")).cast("double") / F.count(F.lit(1))).alias(name)
        for name in ("predicted", "actual")
    ]
    if is_exact:
        mean = [F.first(name).alias(name) for name in ("predicted", "actual")]
    groups = predictions.groupBy("lag_days", "model", "outcome", *cells)
    found = groups.agg(*mean, F.count(F.lit(1)).alias("weight"))
    return found.select("lag_days", "model", "outcome", "predicted", "actual", "weight")


def _cell(name: str) -> Column:
    """Sign and hundredth of a logarithm."""
    size = F.floor(F.log(F.greatest(F.abs(F.col(name)), F.lit(_LEAST))) / F.lit(_STEP))
    return F.struct(F.signum(name), size)


def measure_outcome(groups: pd.DataFrame, outcome: str) -> dict[str, float]:
    """Measures of one model in one fold, those that are not defined left out.

    In: rows of `condense_predictions` of one outcome. Out: as `measure_predictions` names them; those of value with
    the prefix ``value_``. ``total_error`` is the bias without its sign.
    """
    given = (groups["actual"], groups["predicted"], groups["weight"])
    found = measure_predictions(*given)
    totals = {f"{when}_{outcome}": found.pop(f"{when}_total") for when in ("predicted", "actual")}
    measures = {**found, "total_error": abs(found["bias"])}
    prefix = "value_" if outcome == VALUE else ""
    named = {**totals, **{f"{prefix}{name}": value for name, value in measures.items()}}
    if outcome == PURCHASES:
        named["customers"] = float(groups["weight"].sum())
    return {name: value for name, value in named.items() if math.isfinite(value)}


def list_deciles(groups: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of `decile_table`; a share that is not defined is None."""
    deciles = decile_table(groups["actual"], groups["predicted"], groups["weight"])
    rows = [asdict(one) for one in deciles]
    for row in rows:
        row["customers"] = round(row["customers"])
        if not math.isfinite(row["cumulative_share"]):
            row["cumulative_share"] = None
    return rows
