"""The challenger on the folds of the others: trained on the holdout before each, judged on the same one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.baselines import PURCHASES, VALUE
from clvspark.clv.challenger.features import build_features
from clvspark.clv.challenger.stages import Stages
from clvspark.clv.challenger.two_part import NAME, train_two_part
from clvspark.clv.config import ClvConfig
from clvspark.clv.folds import Fold, count_windows
from clvspark.lakehouse.errors import TrainingError
from clvspark.lakehouse.side_by_side import by_key


def build_examples(
    days: DataFrame,
    orders: DataFrame,
    interactions: DataFrame,
    answers: DataFrame,
    *,
    folds: Sequence[Fold],
    config: ClvConfig,
    categories: DataFrame | None = None,
    stages: Stages | None = None,
) -> DataFrame:
    """Persons at the origin of each fold and a holdout before it: features, and what came in the holdout after.

    In: as `build_features`. Out: ``person_id, features_on``, `FEATURES`, ``purchases_after, value_after``.
    What came after the earlier date ended before the origin, so a fold learns nothing of its own holdout.
    """
    holdout = timedelta(days=config.holdout_days)
    dates = [date for fold in folds for date in (fold.origin, fold.origin - holdout)]
    features = build_features(
        days,
        orders,
        interactions,
        answers,
        dates=dates,
        value=config.value,
        categories=categories,
        stages=stages,
    )
    windows = count_windows(
        days, orders, origins=dates, window_days=config.holdout_days, value=config.value
    ).withColumnRenamed("origin", "features_on")
    after = ["purchases_after", "value_after"]
    labels = windows.select("person_id", "features_on", *after)
    joined = features.join(labels, on=["person_id", "features_on"], how="left")
    return joined.fillna(0.0, subset=after)


def predict_by_features(
    examples: DataFrame, folds: Sequence[Fold], config: ClvConfig
) -> tuple[DataFrame | None, dict[Fold, str]]:
    """Predictions for the holdouts, None where there are none; and why a fold has no challenger.

    In: rows of `build_examples`. Out: columns of `validate.PREDICTIONS`.
    """
    reasons: dict[Fold, str] = {}
    holdout = timedelta(days=config.holdout_days)

    def predict(fold: Fold) -> DataFrame | None:
        known = examples.where(F.col("features_on") == F.lit(fold.origin - holdout))
        try:
            model = train_two_part(known, config.challenger)
        except TrainingError as error:
            reasons[fold] = str(error)
            return None
        judged = examples.where(F.col("features_on") == F.lit(fold.origin))
        return _in_rows(model.predict(judged), fold)

    found = [part for part in by_key(predict, folds).values() if part is not None]
    return (reduce(DataFrame.unionByName, found) if found else None), reasons


def _in_rows(predicted: DataFrame, fold: Fold) -> DataFrame:
    """One row a person and outcome."""
    outcomes = F.explode(
        F.array(
            *(
                F.struct(
                    F.lit(outcome).alias("outcome"),
                    F.col(f"predicted_{outcome}").alias("predicted"),
                    F.col(f"{outcome}_after").alias("actual"),
                )
                for outcome in (PURCHASES, VALUE)
            )
        )
    ).alias("_one")
    rows = predicted.select(outcomes)
    return rows.select(F.lit(fold.lag_days).alias("lag_days"), F.lit(NAME).alias("model"), "_one.*")
