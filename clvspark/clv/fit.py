"""Fit the transaction models on counts of distinct purchase histories."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.covariate_models import CovariateModels
from clvspark.clv.label_models import PurchaseModel
from clvspark.clv.models import (
    BetaGeoModel,
    CondensedBetaGeoModel,
    ModifiedBetaGeoModel,
    NBDModel,
    ParetoNBDModel,
)
from clvspark.clv.models.base import MAX_GROUPS
from clvspark.clv.models.covariate_model import CovariateModel
from clvspark.clv.models.errors import ClvModelError
from clvspark.clv.models.memoryless import MemorylessModel
from clvspark.clv.models.transactions import TransactionModel
from clvspark.clv.segment_models import SegmentModels
from clvspark.clv.uncertainty.outcomes import SpendModel
from clvspark.history.tables import CLV_SUMMARY
from clvspark.lakehouse.errors import TrainingError

TIME_UNIT = "week"
DAYS_PER_UNIT = 7.0
TRANSACTION_CLASSES: dict[str, type[TransactionModel]] = {
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
    **TRANSACTION_CLASSES,
    "ModifiedCondensedBetaGeoModel": partial(CondensedBetaGeoModel, dropout_at_first_purchase=True),
}
"""What makes a model, by its name in ``clv.models``; MBG/CNBD-k is a setting of BG/CNBD-k."""
Value = Literal["revenue", "margin"]
SpendOf = Literal["repeat_purchases", "all_purchases"]


@dataclass(frozen=True)
class ValueModels:
    """The transaction model that counts purchases and the spend model that prices them."""

    transaction: PurchaseModel
    spend: SpendModel


@dataclass(frozen=True)
class FoldModels:
    """Transaction models by name and the spend model, None where none could be fitted, of one fold."""

    transaction: Mapping[str, PurchaseModel]
    spend: SpendModel | None


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


def collect_histories(summaries: DataFrame, labels: Sequence[str] = ()) -> dict[int, pd.DataFrame]:
    """Distinct purchase histories by lag, all that the likelihoods depend on; one job for all lags.

    In: history.clv_summary with `model_columns`, and columns by which customers are told apart. Out: ``frequency,
    recency, T``, the labels, ``log_intervals, weight``, one row a history: `log_intervals` is the mean of its
    customers, as only the sum matters. TrainingError where there are more than the driver may hold.
    """
    keys = ["lag_days", "frequency", "recency", "T", *labels]
    # Summed as decimals, which come to the same in any order.
    total = F.sum(F.col("log_intervals").cast("decimal(38,12)")).cast("double")
    found = (
        summaries.groupBy(*keys)
        .agg((total / F.count(F.lit(1))).alias("log_intervals"), F.count(F.lit(1)).alias("weight"))
        .limit(MAX_GROUPS + 1)
        .toPandas()
    )
    if len(found) > MAX_GROUPS:
        raise TrainingError(
            f"{CLV_SUMMARY.name}: more than {MAX_GROUPS:,} distinct purchase histories over all folds, which the "
            "driver may not hold. Next step: set 'clv.backtest.folds' lower, or name fewer 'clv.covariates'."
        )
    rows = found.sort_values(keys, ignore_index=True)
    parts = rows.groupby("lag_days")
    return {int(str(lag)): part.drop(columns="lag_days") for lag, part in parts}


def fit_transaction_model(name: str, histories: pd.DataFrame | DataFrame) -> TransactionModel:
    """Fit one model on `collect_histories` or rows with `model_columns`; TrainingError says why it could not."""
    model = TRANSACTION_MODELS[name](time_unit=TIME_UNIT)
    try:
        return model.fit(histories)
    except ClvModelError as error:
        raise TrainingError(f"{type(model).__name__} could not be fitted: {error}") from error


def restore_transaction_model(document: Mapping[str, Any]) -> PurchaseModel:
    """The model that a document of clv.model describes, with covariates or by segment where it says so.

    Purchases of regularity 1 have no rhythm: then it is the plain model of the same parameters, whose formulas are
    closed.
    """
    name = document["model"]
    if name == CondensedBetaGeoModel.__name__ and document["regularity"] == 1:
        is_modified = document["dropout_at_first_purchase"]
        name = (ModifiedBetaGeoModel if is_modified else BetaGeoModel).__name__
    kind = TRANSACTION_CLASSES[name]
    if "segments" in document and issubclass(kind, MemorylessModel):
        return SegmentModels.from_dict(document, kind)
    if "levels" in document and issubclass(kind, CovariateModel):
        return CovariateModels.from_dict(document, kind)
    return kind.from_dict({**document, "model": name})
