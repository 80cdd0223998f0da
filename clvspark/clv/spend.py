"""Fit the model of spend, on as few rows as its likelihood asks for."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.models import GammaGammaModel, NormalNormalModel
from clvspark.clv.models.errors import ClvModelError, InfiniteMeanError, InfiniteMeanWarning
from clvspark.clv.uncertainty import SpendModel
from clvspark.lakehouse.errors import TrainingError

SPEND_MODELS: dict[str, type[SpendModel]] = {
    model.__name__: model for model in (GammaGammaModel, NormalNormalModel)
}
"""Models of spend by their name in ``clv.spend_model``."""
# Natural logarithm of the ratio by which two mean spends may differ and be fitted as one.
_SPEND_STEP = 0.001
# A millionth of the currency, so that squares have twelve digits after the point and enough before it.
_AMOUNT = "decimal(18,6)"
# More digits than sums of squares of money have.
_EXACT = Context(prec=76)


def fit_spend_model(summary: DataFrame, name: str, *, time_unit: str) -> SpendModel:
    """Fit one of `SPEND_MODELS` on persons whose mean spend is known; Gamma-Gamma on those where it is positive.

    TrainingError where that cannot be done, or where the data do not rule out that spend has no mean (q <= 1 of
    Gamma-Gamma), so that nobody who bought once could be valued.
    """
    known = summary.where("spend_days > 0").select(
        F.col("spend_days").alias("frequency"), "monetary_value"
    )
    model = SPEND_MODELS[name](time_unit=time_unit)
    try:
        with warnings.catch_warnings():
            # It becomes the error below.
            warnings.simplefilter("ignore", InfiniteMeanWarning)
            model.fit(_CONDENSERS[name](known))
        if isinstance(model, GammaGammaModel):
            model.require_known_mean()
    except InfiniteMeanError as error:
        raise TrainingError(
            f"{name} could not be fitted: {error}; amounts are net_revenue of history.order"
        ) from error
    except ClvModelError as error:
        raise TrainingError(f"{name} could not be fitted: {error}") from error
    return model


def restore_spend_model(document: Mapping[str, Any]) -> SpendModel:
    """The model that a document of clv.model describes."""
    return SPEND_MODELS[document["model"]].from_dict(document)


def condense_spend(repeaters: DataFrame) -> DataFrame:
    """Buyers of one frequency whose mean spends lie within a thousandth: ``frequency, monetary_value, weight``.

    Of positive amounts alone. Nearly every mean is different from all others, and distinct ones go to the driver. Each
    group has its own exact mean, so what is lost is the curvature of the likelihood within a thousandth, about 1e-7 of
    it.
    """
    step = F.floor(F.log("monetary_value") / F.lit(_SPEND_STEP))
    # Summed as decimals, which come to the same in any order.
    mean = F.sum(F.col("monetary_value").cast("decimal(38,12)")).cast("double") / F.count(F.lit(1))
    positive = repeaters.where("monetary_value > 0")
    grouped = positive.groupBy("frequency", step.alias("_step")).agg(
        mean.alias("monetary_value"), F.count(F.lit(1)).alias("weight")
    )
    return grouped.drop("_step")


def condense_signed_spend(repeaters: DataFrame) -> pd.DataFrame:
    """Two rows a frequency that stand for all buyers of it: ``frequency, monetary_value, weight``.

    Exact for means of either sign that are normal at each frequency: their likelihood knows of n means their sum and
    that of their squares alone, and n/2 times mean - s.d. and n/2 times mean + s.d. have the same ones. Other rows go
    to the driver only by the number of different frequencies.
    """
    amount = F.col("monetary_value").cast(_AMOUNT)
    found = repeaters.groupBy("frequency").agg(
        # Summed as decimals, which come to the same in any order.
        F.sum(amount).alias("total"),
        F.sum(amount * amount).alias("squares"),
        F.count(F.lit(1)).alias("buyers"),
    )
    rows = [
        (row["frequency"], mean + side * spread, row["buyers"] / 2.0)
        for row in found.orderBy("frequency").collect()
        for mean, spread in [_moments(row["total"], row["squares"], row["buyers"])]
        for side in (-1.0, 1.0)
    ]
    return pd.DataFrame(rows, columns=["frequency", "monetary_value", "weight"])


_CONDENSERS: dict[str, Callable[[DataFrame], DataFrame | pd.DataFrame]] = {
    GammaGammaModel.__name__: condense_spend,
    NormalNormalModel.__name__: condense_signed_spend,
}


def _moments(total: Decimal, squares: Decimal, count: int) -> tuple[float, float]:
    """Mean and standard deviation of so many amounts, without losing digits where they are far from zero."""
    mean = _EXACT.divide(total, Decimal(count))
    variance = _EXACT.subtract(_EXACT.divide(squares, Decimal(count)), _EXACT.multiply(mean, mean))
    return float(mean), math.sqrt(max(float(variance), 0.0))
