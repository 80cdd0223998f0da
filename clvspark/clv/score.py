"""Score persons: P(alive), expected purchases, discounted residual value, the simple formula beside it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.clv.config import ClvConfig, LifecycleConfig
from clvspark.clv.fit import DAYS_PER_UNIT, ValueModels
from clvspark.clv.tables import CUSTOMER_VALUE

DAYS_PER_YEAR = 365.25
_CENT = 0.01
_KEYS = ["frequency", "recency", "T"]


def score_customers(
    summary: DataFrame, models: ValueModels, *, config: ClvConfig, model_id: str
) -> DataFrame:
    """Value of every person of history.clv_summary, on each of its dates.

    In: summaries with the columns of `model_columns`. Out: clv.customer_value.
    """
    numbers = ("p_alive", "expected_purchases", "expected_spend", "residual_value")
    schema = "person_id string, as_of_date date, " + ", ".join(f"{name} double" for name in numbers)

    def score(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            yield score_batch(batch, models, config)

    needed = ["person_id", "as_of_date", *_KEYS, "monetary_value"]
    scored = summary.select(*needed).mapInPandas(score, schema)
    historical = F.col(
        "historical_margin" if config.value == "margin" else "historical_revenue"
    ).cast("double")
    facts = summary.select(
        "person_id",
        "as_of_date",
        "t_days",
        (F.col("frequency") + 1).alias("_purchases"),
        historical.alias("historical_value"),
    )
    both = scored.join(facts, on=["person_id", "as_of_date"], how="inner")
    columns = {
        "clv": F.col("historical_value") + F.col("residual_value"),
        "simple_clv": simple_value(relationship_years=config.simple_relationship_years),
        "lifecycle_stage": lifecycle_stage(config.lifecycle),
        "horizon_days": F.lit(config.horizon_days),
        "model_id": F.lit(model_id),
    }
    return both.withColumns(columns).select(*CUSTOMER_VALUE.names)


def score_batch(batch: pd.DataFrame, models: ValueModels, config: ClvConfig) -> pd.DataFrame:
    """Score one batch; equal histories are scored once."""
    unique, position = np.unique(batch[_KEYS].to_numpy(float), axis=0, return_inverse=True)
    histories, at = pd.DataFrame(unique, columns=_KEYS), position.ravel()
    model, horizon = models.transaction, config.horizon_days / DAYS_PER_UNIT
    discounted = model.discounted_expected_residual_transactions(
        histories, annual_discount_rate=config.annual_discount_rate, horizon=horizon
    )
    spend = np.asarray(models.spend.expected_customer_spend(_priceable(batch)))
    return pd.DataFrame(
        {
            "person_id": batch["person_id"],
            "as_of_date": batch["as_of_date"],
            "p_alive": np.clip(np.asarray(model.expected_probability_alive(histories)), 0.0, 1.0)[
                at
            ],
            "expected_purchases": np.asarray(model.expected_purchases(histories, future_t=horizon))[
                at
            ],
            "expected_spend": spend,
            "residual_value": np.asarray(discounted)[at] * spend,
        }
    )


def _priceable(batch: pd.DataFrame) -> pd.DataFrame:
    """Frequency and spend; the spend model is for positive amounts, so less than a cent counts as a cent."""
    spend = batch["monetary_value"].clip(lower=_CENT).where(batch["frequency"] > 0, 0.0)
    return pd.DataFrame({"frequency": batch["frequency"], "monetary_value": spend})


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
