"""How far a person's value is known: intervals, the chance of the top decile, and doubt about who the person is."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.config import ClvConfig
from clvspark.clv.fit import DAYS_PER_UNIT, ValueModels
from clvspark.clv.label_models import ModelsByLabel, label_columns_of
from clvspark.clv.label_uncertainty import UncertaintyByLabel
from clvspark.clv.models import GammaGammaModel
from clvspark.clv.models.errors import InfiniteMeanError
from clvspark.clv.uncertainty import ValueUncertainty, widen_interval
from clvspark.clv.uncertainty.outcomes import SPEND_DAYS, SpendModel

LEVEL = 0.8
TOP_SHARE = 0.1
BOUNDS = (
    *(f"{name}_{end}" for name in ("p_alive", "expected_purchases") for end in ("low", "high")),
    *(f"{name}_{end}" for name in ("residual_value", "outcome_value") for end in ("low", "high")),
    "outcome_purchases_low",
    "outcome_purchases_high",
    "p_top_decile",
)
"""Columns of clv.customer_value that `bound_values` fills."""

_CENT = 0.01
_SAMPLE = 20_000
_HISTORY = ["frequency", "recency", "T", SPEND_DAYS, "monetary_value"]
Uncertainty = ValueUncertainty | UncertaintyByLabel


def learn_uncertainty(now: DataFrame, models: ValueModels, config: ClvConfig) -> Uncertainty | None:
    """What bounds the values of everybody, the value of the top decile among it.

    In: summaries of one date with `model_columns` and the labels of the models. That value is taken from some 20,000
    persons, chosen by a digest of their ids. None where there is nobody, or where the mean spend is so close to
    infinite that it has no interval.
    """
    model, labels = models.transaction, label_columns_of(models.transaction)
    drawn = draw_persons(now, customers=now.count(), at_most=_SAMPLE)
    sample = drawn.select(*_HISTORY, *labels).toPandas()
    if sample.empty:
        return None
    spend = priceable(sample, models.spend)
    sample["monetary_value"] = spend["monetary_value"]
    ask: Callable[..., Uncertainty] = (
        partial(UncertaintyByLabel, model)
        if isinstance(model, ModelsByLabel)
        else partial(ValueUncertainty, model)
    )
    try:
        return ask(
            models.spend,
            horizon=config.horizon_days / DAYS_PER_UNIT,
            annual_discount_rate=config.annual_discount_rate,
            sample=sample,
            level=LEVEL,
            share=TOP_SHARE,
        )
    except InfiniteMeanError:
        return None


def draw_persons(persons: DataFrame, *, customers: int, at_most: int) -> DataFrame:
    """Rows of about `at_most` of so many customers, chosen by a digest of ``person_id``; all where they are fewer."""
    step = max(1, math.ceil(customers / at_most))
    return persons.where(F.pmod(F.xxhash64("person_id"), F.lit(step)) == 0)


def bound_values(
    batch: pd.DataFrame,
    residual_value: np.ndarray,
    known: Uncertainty | None,
    models: ValueModels,
) -> dict[str, np.ndarray]:
    """`BOUNDS` of each person of a batch; NaN (NULL) where nothing is known of them.

    In: columns of the history, labels of the models, and ``link_doubt``, which widens the intervals of value.
    """
    if known is None or batch.empty:
        return dict.fromkeys(BOUNDS, np.full(len(batch), np.nan))
    spent = priceable(batch, models.spend)["monetary_value"]
    columns = [*_HISTORY, *label_columns_of(models.transaction)]
    found = known.describe(batch[columns].assign(monetary_value=spent))
    doubt = batch["link_doubt"].to_numpy(float)
    bounds = {
        f"{name}_{end}": found[f"{name}_{end}"].to_numpy()
        for name in ("p_alive", "expected_purchases")
        for end in ("low", "high")
    }
    for name, value in (("residual_value", "residual_value"), ("outcome_value", "value")):
        low, high = (found[f"{value}_{end}"].to_numpy() for end in ("low", "high"))
        # What lies beyond an end is not its business: an interval may leave out the mean of a skewed outcome.
        middle = np.clip(residual_value, low, high)
        bounds[f"{name}_low"], bounds[f"{name}_high"] = widen_interval(
            middle, low, high, doubt, level=LEVEL
        )
    for end in ("low", "high"):
        bounds[f"outcome_purchases_{end}"] = found[f"purchases_{end}"].to_numpy()
    # A chance of one in a billion is none; its digits would depend on who is scored together.
    bounds["p_top_decile"] = np.round(found["p_top_outcome"].to_numpy(), 6)
    return bounds


def doubt_links(links: DataFrame) -> DataFrame:
    """``person_id, link_doubt``: how likely it is that the weakest link of a person is wrong.

    In: identity.person_link, current links only. A person of one record is not doubted.
    """
    weakest = F.min("probability")
    return links.groupBy("person_id").agg(
        F.greatest(F.lit(0.0), 1 - F.coalesce(weakest, F.lit(1.0))).alias("link_doubt")
    )


def priceable(batch: pd.DataFrame, model: SpendModel) -> pd.DataFrame:
    """Purchase days and mean of the spend that is known.

    Gamma-Gamma is for positive amounts, so to it less than a cent counts as a cent.
    """
    least = _CENT if isinstance(model, GammaGammaModel) else None
    spend = batch["monetary_value"].clip(lower=least).where(batch[SPEND_DAYS] > 0, 0.0)
    return pd.DataFrame({"frequency": batch[SPEND_DAYS], "monetary_value": spend})
