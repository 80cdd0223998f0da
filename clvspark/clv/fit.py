"""Fit the transaction and spend models on counts of distinct purchase histories."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.models import (
    BetaGeoModel,
    CondensedBetaGeoModel,
    GammaGammaModel,
    ModifiedBetaGeoModel,
    NBDModel,
    ParetoNBDModel,
)
from clvspark.clv.models.base import MAX_GROUPS
from clvspark.clv.models.errors import ClvModelError
from clvspark.clv.models.transactions import TransactionModel
from clvspark.history.tables import CLV_SUMMARY
from clvspark.lakehouse.errors import TrainingError

TIME_UNIT = "week"
DAYS_PER_UNIT = 7.0
_CLASSES: dict[str, type[TransactionModel]] = {
    model.__name__: model
    for model in (
        BetaGeoModel,
        ModifiedBetaGeoModel,
        CondensedBetaGeoModel,
        ParetoNBDModel,
        NBDModel,
    )
}
TRANSACTION_MODELS: dict[str, Callable[..., TransactionModel]] = {
    **_CLASSES,
    "ModifiedCondensedBetaGeoModel": partial(CondensedBetaGeoModel, dropout_at_first_purchase=True),
}
"""What makes a model, by its name in ``clv.models``; MBG/CNBD-k is a setting of BG/CNBD-k."""
Value = Literal["revenue", "margin"]
SpendOf = Literal["repeat_purchases", "all_purchases"]
# Natural logarithm of the ratio by which two mean spends may differ and be fitted as one.
_SPEND_STEP = 0.001


@dataclass(frozen=True)
class ValueModels:
    """The transaction model that counts purchases and the spend model that prices them."""

    transaction: TransactionModel
    spend: GammaGammaModel


@dataclass(frozen=True)
class FoldModels:
    """Transaction models by name and the spend model, None where none could be fitted, of one fold."""

    transaction: Mapping[str, TransactionModel]
    spend: GammaGammaModel | None


def model_columns(
    summary: DataFrame, value: Value, spend_of: SpendOf = "repeat_purchases"
) -> DataFrame:
    """The summary with what the models read.

    ``recency``, ``T`` and ``log_intervals`` in weeks; ``historical_value`` of the value chosen; ``monetary_value``, the
    mean of ``spend_days`` purchase days: the repeat ones, or all. The logarithm of an interval in weeks is that in days
    less log 7, once for each repeat purchase day.
    """
    money, history = {
        "margin": ("monetary_margin", "historical_margin"),
        "revenue": ("monetary_value", "historical_revenue"),
    }[value]
    total = F.col(history).cast("double")
    in_weeks = F.col("log_intervals") - F.col("frequency") * F.log(F.lit(DAYS_PER_UNIT))
    purchases = F.col("frequency") + 1
    of_all = spend_of == "all_purchases"
    return summary.withColumns(
        {
            "recency": F.col("recency_days") / DAYS_PER_UNIT,
            "T": F.col("t_days") / DAYS_PER_UNIT,
            "spend_days": purchases if of_all else F.col("frequency"),
            "monetary_value": total / purchases if of_all else F.col(money),
            "log_intervals": in_weeks,
            "historical_value": total,
        }
    )


def collect_histories(summaries: DataFrame) -> dict[int, pd.DataFrame]:
    """Distinct purchase histories by lag, all that the likelihoods depend on; one job for all lags.

    In: history.clv_summary with `model_columns`. Out: ``frequency, recency, T, log_intervals, weight``, one row a
    history: `log_intervals` is the mean of its customers, as only the sum matters. TrainingError where there are more
    than the driver may hold.
    """
    # Summed as decimals, which come to the same in any order.
    total = F.sum(F.col("log_intervals").cast("decimal(38,12)")).cast("double")
    found = (
        summaries.groupBy("lag_days", "frequency", "recency", "T")
        .agg((total / F.count(F.lit(1))).alias("log_intervals"), F.count(F.lit(1)).alias("weight"))
        .limit(MAX_GROUPS + 1)
        .toPandas()
    )
    if len(found) > MAX_GROUPS:
        raise TrainingError(
            f"{CLV_SUMMARY.name}: more than {MAX_GROUPS:,} distinct purchase histories over all folds, which the "
            "driver may not hold. Next step: set 'clv.backtest.folds' lower."
        )
    rows = found.sort_values(["lag_days", "frequency", "recency", "T"], ignore_index=True)
    parts = rows.groupby("lag_days")
    return {int(str(lag)): part.drop(columns="lag_days") for lag, part in parts}


def fit_transaction_model(name: str, histories: pd.DataFrame | DataFrame) -> TransactionModel:
    """Fit one model on `collect_histories` or rows with `model_columns`; TrainingError says why it could not."""
    model: TransactionModel = _fitted(TRANSACTION_MODELS[name](time_unit=TIME_UNIT), histories)
    return model


def restore_transaction_model(document: Mapping[str, Any]) -> TransactionModel:
    """The model that a document of clv.model describes.

    Purchases of regularity 1 have no rhythm: then it is the plain model of the same parameters, whose formulas are
    closed, and which can say what one customer will do.
    """
    name = document["model"]
    if name == CondensedBetaGeoModel.__name__ and document["regularity"] == 1:
        is_modified = document["dropout_at_first_purchase"]
        name = (ModifiedBetaGeoModel if is_modified else BetaGeoModel).__name__
    return _CLASSES[name].from_dict({**document, "model": name})


def fit_spend_model(summary: DataFrame) -> GammaGammaModel:
    """Fit Gamma-Gamma on persons whose mean spend is known and positive.

    TrainingError where that cannot be done, or where the fitted spend has no mean (q <= 1), so that nobody who bought
    once could be valued.
    """
    known = summary.where("spend_days > 0 AND monetary_value > 0").select(
        F.col("spend_days").alias("frequency"), "monetary_value"
    )
    model: GammaGammaModel = _fitted(GammaGammaModel(time_unit=TIME_UNIT), condense_spend(known))
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


def _fitted(model: Any, frame: DataFrame | pd.DataFrame) -> Any:
    try:
        return model.fit(frame)
    except ClvModelError as error:
        raise TrainingError(f"{type(model).__name__} could not be fitted: {error}") from error
