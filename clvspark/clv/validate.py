"""Judge a fitted model on the holdout: purchases predicted against purchases made."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from clvspark.clv.fit import TransactionModel


def join_holdout(calibration: DataFrame, end: DataFrame) -> DataFrame:
    """Calibration summaries with ``actual``: purchase days between the two dates.

    In: history.clv_summary as of the end of the calibration and of the holdout. Persons first seen in the
    holdout are left out: no model fitted before could have known them.
    """
    later = end.select("person_id", F.col("frequency").alias("_later"))
    joined = calibration.join(later, on="person_id", how="inner")
    return joined.withColumn("actual", (F.col("_later") - F.col("frequency")).cast("double"))


def backtest_model(
    model: TransactionModel, holdout: DataFrame, *, holdout_weeks: float
) -> dict[str, float]:
    """Measures of one model on the holdout.

    In: rows of `join_holdout` with the model's columns. Out: customers, predicted and actual purchases,
    ``total_error`` (absolute share of the actual), ``mae`` and ``rmse`` a customer, ``top_decile_share`` (share
    of the actual purchases made by the tenth of the customers with the highest prediction). Shares of the actual are
    left out where nobody bought.
    """

    def predict(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            batch["predicted"] = model.expected_purchases(batch, future_t=holdout_weeks)
            yield batch

    columns = holdout.select("person_id", "frequency", "recency", "T", "actual")
    predicted = columns.mapInPandas(
        predict,
        "person_id string, frequency int, recency double, T double, actual double, predicted double",
    ).localCheckpoint()
    error = F.col("predicted") - F.col("actual")
    found = (
        predicted.agg(
            F.count(F.lit(1)).alias("customers"),
            F.sum("predicted").alias("predicted_purchases"),
            F.sum("actual").alias("actual_purchases"),
            F.avg(F.abs(error)).alias("mae"),
            F.sqrt(F.avg(error * error)).alias("rmse"),
            F.percentile_approx("predicted", 0.9, 100_000).alias("_bar"),
        )
        .collect()[0]
        .asDict()
    )
    measures = {
        name: float(value or 0) for name, value in found.items() if not name.startswith("_")
    }
    actual = measures["actual_purchases"]
    top = _actual_of_top(predicted, int(measures["customers"]) // 10, found["_bar"])
    if actual:
        measures["total_error"] = abs(measures["predicted_purchases"] / actual - 1)
        measures["top_decile_share"] = top / actual
    return measures


def _actual_of_top(predicted: DataFrame, count: int, bar: float) -> float:
    """Actual purchases of the `count` highest predictions, ties by person; only rows near the bar are ranked."""
    near = predicted.where(F.col("predicted") >= F.lit(bar) * 0.999)
    order = Window.orderBy(F.desc("predicted"), "person_id")
    top = near.withColumn("_rank", F.row_number().over(order)).where(F.col("_rank") <= count)
    return float(top.agg(F.sum("actual")).first()[0] or 0)  # type: ignore[index]
