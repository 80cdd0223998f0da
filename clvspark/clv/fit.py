"""Fit the transaction and spend models on counts of distinct purchase histories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.models import (
    BetaGeoModel,
    GammaGammaModel,
    ModifiedBetaGeoModel,
    NBDModel,
    ParetoNBDModel,
)
from clvspark.clv.models.errors import ClvModelError
from clvspark.lakehouse.errors import TrainingError

TransactionModel = BetaGeoModel | ModifiedBetaGeoModel | ParetoNBDModel | NBDModel
TRANSACTION_MODELS: dict[str, type[TransactionModel]] = {
    model.__name__: model
    for model in (BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel, NBDModel)
}
TIME_UNIT = "week"
DAYS_PER_UNIT = 7.0
Value = Literal["revenue", "margin"]
# Natural logarithm of the ratio by which two mean spends may differ and be fitted as one.
_SPEND_STEP = 0.001


@dataclass(frozen=True)
class ValueModels:
    """The transaction model that counts purchases and the spend model that prices them."""

    transaction: TransactionModel
    spend: GammaGammaModel


def model_columns(summary: DataFrame, value: Value) -> DataFrame:
    """`frequency`, `recency` and `T` in weeks, `monetary_value` in the value chosen, beside the summary's columns."""
    money = "monetary_margin" if value == "margin" else "monetary_value"
    return summary.withColumns(
        {
            "recency": F.col("recency_days") / DAYS_PER_UNIT,
            "T": F.col("t_days") / DAYS_PER_UNIT,
            "monetary_value": F.col(money),
        }
    )


def fit_transaction_model(name: str, summary: DataFrame) -> TransactionModel:
    """Fit one model on history.clv_summary with `model_columns`; TrainingError says why it could not."""
    return _fitted(
        TRANSACTION_MODELS[name](time_unit=TIME_UNIT), summary.select("frequency", "recency", "T")
    )


def fit_spend_model(summary: DataFrame) -> GammaGammaModel:
    """Fit Gamma-Gamma on repeat buyers whose mean spend is positive.

    TrainingError where that cannot be done, or where the fitted spend has no mean (q <= 1), so that nobody who bought
    once could be valued.
    """
    repeaters = summary.where("frequency > 0 AND monetary_value > 0")
    model: GammaGammaModel = _fitted(
        GammaGammaModel(time_unit=TIME_UNIT), condense_spend(repeaters)
    )
    if model.params_["q"] <= 1:
        raise TrainingError(
            f"GammaGammaModel says that the mean spend is infinite (q = {model.params_['q']:.3g}, must exceed 1): few "
            "amounts are far above all others; look at the highest net_revenue of history.order"
        )
    return model


def condense_spend(repeaters: DataFrame) -> DataFrame:
    """Buyers of one frequency whose mean spends lie within a thousandth: ``frequency, monetary_value, weight``.

    Nearly every mean is different from all others, and distinct ones go to the driver. Each group has its own exact
    mean, so what is lost is the curvature of the likelihood within a thousandth, about 1e-7 of it.
    """
    step = F.floor(F.log("monetary_value") / F.lit(_SPEND_STEP))
    # Summed as decimals, which come to the same in any order.
    mean = F.sum(F.col("monetary_value").cast("decimal(38,12)")).cast("double") / F.count(F.lit(1))
    grouped = repeaters.groupBy("frequency", step.alias("_step")).agg(
        mean.alias("monetary_value"), F.count(F.lit(1)).alias("weight")
    )
    return grouped.drop("_step")


def _fitted(model: Any, frame: DataFrame) -> Any:
    try:
        return model.fit(frame)
    except ClvModelError as error:
        raise TrainingError(f"{type(model).__name__} could not be fitted: {error}") from error
