"""Score persons: P(alive), expected purchases, discounted residual value, the simple formula beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.clv.chunks import map_chunks
from clvspark.clv.config import ClvConfig, LifecycleConfig
from clvspark.clv.decline import chance_of_so_few, expect_residual_transactions
from clvspark.clv.fit import DAYS_PER_UNIT, ValueModels
from clvspark.clv.intervals import BOUNDS, Uncertainty, bound_values, priceable
from clvspark.clv.label_models import label_columns_of
from clvspark.clv.models.summary import distinct_rows
from clvspark.clv.models.units import DAYS_PER_YEAR
from clvspark.clv.tables import CUSTOMER_VALUE

DIGITS = 8
"""Significant digits of what is scored: cents up to a million."""

_KEYS = ["frequency", "recency", "T"]
_HISTORY = [*_KEYS, "spend_days", "monetary_value"]
_NUMBERS = (
    "p_alive",
    "expected_purchases",
    "expected_spend",
    "residual_value",
    "expected_residual_value",
    "chance_of_so_few",
    *BOUNDS,
)


def score_customers(
    now: DataFrame,
    then: DataFrame,
    doubts: DataFrame,
    models: ValueModels,
    *,
    config: ClvConfig,
    model_id: str,
    known: Uncertainty | None,
) -> DataFrame:
    """Value of every person of history.clv_summary on one date.

    In: summaries of the date with `model_columns` and the labels of the models, all that was known and what was known
    `decline_days` before; rows of `doubt_links`; what `learn_uncertainty` found. Out: clv.customer_value.
    """
    names = (*_NUMBERS, "link_doubt")
    labels = label_columns_of(models.transaction)
    before = then.select("person_id", *(F.col(name).alias(_then(name)) for name in _HISTORY))
    doubt = F.coalesce("link_doubt", F.lit(0.0)).alias("link_doubt")
    both = (
        now.select("person_id", *_HISTORY, *labels)
        .join(before, on="person_id", how="left")
        .join(doubts, on="person_id", how="left")
        .select("person_id", *_HISTORY, *(_then(name) for name in _HISTORY), *labels, doubt)
    )
    scored = map_chunks(
        both, lambda batch: score_batch(batch, models, config, known), names, key="person_id"
    )
    historical = F.col(
        "historical_margin" if config.value == "margin" else "historical_revenue"
    ).cast("double")
    facts = now.select(
        "person_id",
        "as_of_date",
        "t_days",
        (F.col("frequency") + 1).alias("_purchases"),
        historical.alias("historical_value"),
    )
    expected = F.col("expected_residual_value")
    columns = {
        "value_to_expected": F.when(expected > 0, F.col("residual_value") / expected),
        "clv": F.col("historical_value") + F.col("residual_value"),
        "simple_clv": simple_value(relationship_years=config.simple_relationship_years),
        "lifecycle_stage": lifecycle_stage(config.lifecycle),
        "horizon_days": F.lit(config.horizon_days),
        "model_id": F.lit(model_id),
    }
    valued = scored.join(facts, on="person_id", how="inner").withColumns(columns)
    return valued.select(*CUSTOMER_VALUE.names)


def score_batch(
    batch: pd.DataFrame,
    models: ValueModels,
    config: ClvConfig,
    known: Uncertainty | None = None,
) -> pd.DataFrame:
    """Score one batch, row by row; equal histories are scored once, and alike in whatever batch they are."""
    valued = value_histories(
        batch,
        models,
        horizon=config.horizon_days / DAYS_PER_UNIT,
        annual_discount_rate=config.annual_discount_rate,
    )
    expected, chance = _compare(batch, models, config)
    found = {
        **valued,
        "expected_residual_value": expected,
        "chance_of_so_few": chance,
        **bound_values(batch, valued["residual_value"], known, models),
    }
    settled = {name: round_to_digits(found[name]) for name in _NUMBERS}
    return pd.DataFrame({**settled, "link_doubt": batch["link_doubt"]})


def value_histories(
    batch: pd.DataFrame, models: ValueModels, *, horizon: float, annual_discount_rate: float
) -> dict[str, np.ndarray]:
    """``p_alive, expected_purchases, expected_spend, residual_value`` of histories; equal ones are worked out once.

    In: ``frequency, recency, T, spend_days, monetary_value`` and the labels of the models; the horizon in the unit of
    the transaction model.
    """
    model = models.transaction
    histories, at = distinct_histories(batch, label_columns_of(model))
    discounted = model.discounted_expected_residual_transactions(
        histories, annual_discount_rate=annual_discount_rate, horizon=horizon
    )
    spend = np.asarray(models.spend.expected_customer_spend(priceable(batch, models.spend)))
    alive = np.clip(np.asarray(model.expected_probability_alive(histories)), 0.0, 1.0)
    purchases = np.asarray(model.expected_purchases(histories, future_t=horizon))
    return {
        "p_alive": alive[at],
        "expected_purchases": purchases[at],
        "expected_spend": spend,
        "residual_value": np.asarray(discounted)[at] * spend,
    }


def distinct_histories(
    batch: pd.DataFrame, labels: Sequence[str] = ()
) -> tuple[pd.DataFrame, np.ndarray]:
    """Distinct purchase histories, of customers told apart by labels, and where each row of the batch is among them."""
    keys = [*batch[_KEYS].to_numpy(float).T]
    if labels:
        keys.append(batch.groupby([*labels], dropna=False).ngroup().to_numpy(float))
    first, position = distinct_rows(*keys)
    return batch[[*_KEYS, *labels]].iloc[first].reset_index(drop=True), position


def round_to_digits(values: np.ndarray, digits: int = DIGITS) -> np.ndarray:
    """Values rounded to significant digits.

    The last bits of a sum depend on which rows are summed beside it. Equal histories must be equal, or the order of
    persons within a decile would depend on how they are spread over the machines.
    """
    with np.errstate(divide="ignore"):
        place = np.floor(np.log10(np.abs(values)))
    # What is smaller than a scale can say is nothing.
    scale = 10.0 ** (digits - 1 - np.clip(np.where(np.isfinite(place), place, 0.0), -290, None))
    return np.round(values * scale) / scale


def _then(name: str) -> str:
    return f"then_{name}"


def _compare(
    batch: pd.DataFrame, models: ValueModels, config: ClvConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Residual value expected by now, and the chance of so few purchases since; NaN (NULL) for who is too new."""
    expected, chance = np.full(len(batch), np.nan), np.full(len(batch), np.nan)
    known = batch[_then("frequency")].notna().to_numpy()
    if known.any():
        labels = label_columns_of(models.transaction)
        columns = [*(_then(name) for name in _HISTORY), *labels]
        then = batch.loc[known, columns].set_axis([*_HISTORY, *labels], axis=1)
        histories, at = distinct_histories(then, labels)
        purchases = expect_residual_transactions(models.transaction, histories, config)[at]
        spend = np.asarray(models.spend.expected_customer_spend(priceable(then, models.spend)))
        bought = (batch.loc[known, "frequency"] - then["frequency"]).to_numpy(float)
        expected[known] = purchases * spend
        chance[known] = chance_of_so_few(models.transaction, then, bought, config)
    return expected, chance


def simple_value(*, relationship_years: float) -> Column:
    """Average purchase value x purchases a year x relationship length in years, from past facts alone.

    A history shorter than a year counts as a year, so that one purchase yesterday is not 365 a year.
    """
    purchases = F.col("_purchases")
    years = F.greatest(F.col("t_days") / DAYS_PER_YEAR, F.lit(1.0))
    return F.col("historical_value") / purchases * (purchases / years) * relationship_years


def lifecycle_stage(bounds: LifecycleConfig) -> Column:
    """Stage of the relationship by age, P(alive) and purchases."""
    rules: list[tuple[Column, str]] = [
        (F.col("t_days") < bounds.new_within_days, "new"),
        (F.col("p_alive") < bounds.lapsed_below, "lapsed"),
        (F.col("p_alive") < bounds.slipping_below, "slipping"),
        (F.col("_purchases") >= bounds.core_from_purchases, "core"),
    ]
    otherwise = F.lit("growing")
    return reduce(
        lambda rest, rule: F.when(rule[0], rule[1]).otherwise(rest), reversed(rules), otherwise
    )
