"""Treatment against holdout: difference of means with its interval, and the check of the group sizes."""

from __future__ import annotations

from datetime import date, timedelta
from math import sqrt
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.stats import binomtest, t

from clvspark.measurement.config import MeasurementConfig

OUTCOMES = ("margin", "revenue", "purchases")


def sum_outcomes(people: DataFrame, days: DataFrame, *, as_of: date, window_days: int) -> DataFrame:
    """Count, mean and variance of each outcome by audience and group.

    In: ``audience_id, person_id, split_group`` of everyone who qualified, treated or held out (intention to
    treat); history.person_day. Out: ``audience_id, split_group, outcome, n, mean, variance``: a few rows.
    """
    end = as_of + timedelta(days=window_days)
    window = days.where((F.col("day") >= F.lit(as_of)) & (F.col("day") < F.lit(end)))
    sums = window.groupBy("person_id").agg(
        F.sum("margin").cast("double").alias("margin"),
        F.sum("net_revenue").cast("double").alias("revenue"),
        F.sum("orders").cast("double").alias("purchases"),
    )
    judged = people.join(sums, on="person_id", how="left").fillna(0.0, subset=list(OUTCOMES))
    long = judged.unpivot(["audience_id", "split_group"], list(OUTCOMES), "outcome", "value")
    return long.groupBy("audience_id", "split_group", "outcome").agg(
        F.count(F.lit(1)).alias("n"),
        F.avg("value").alias("mean"),
        F.coalesce(F.var_samp("value"), F.lit(0.0)).alias("variance"),
    )


def compare_groups(
    sums: list[dict[str, Any]], config: MeasurementConfig, *, as_of: date
) -> list[dict[str, Any]]:
    """Rows of measurement.experiment from `sum_outcomes`; audiences with too small a group are left out."""
    groups: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in sums:
        groups.setdefault((row["audience_id"], row["outcome"]), {})[row["split_group"]] = row
    return [
        _compare(audience, outcome, both["treatment"], both["holdout"], config, as_of)
        for (audience, outcome), both in sorted(groups.items())
        if len(both) > 1 and min(both["treatment"]["n"], both["holdout"]["n"]) >= config.min_persons
    ]


def _compare(
    audience: str,
    outcome: str,
    treated: dict[str, Any],
    held: dict[str, Any],
    config: MeasurementConfig,
    as_of: date,
) -> dict[str, Any]:
    difference = treated["mean"] - held["mean"]
    margin = welch_margin(treated["variance"], treated["n"], held["variance"], held["n"])
    total = treated["n"] + held["n"]
    ratio = binomtest(int(held["n"]), int(total), config.holdout_percent / 100).pvalue
    return {
        "as_of_date": as_of,
        "audience_id": audience,
        "outcome": outcome,
        "window_days": config.window_days,
        "treatment_persons": int(treated["n"]),
        "holdout_persons": int(held["n"]),
        "treatment_mean": treated["mean"],
        "holdout_mean": held["mean"],
        "difference": difference,
        "ci_low": difference - margin,
        "ci_high": difference + margin,
        "sample_ratio_p_value": float(ratio),
    }


def welch_margin(var_a: float, n_a: int, var_b: float, n_b: int, *, level: float = 0.95) -> float:
    """Half width of Welch's interval for a difference of means (Welch 1947; Satterthwaite's degrees of freedom)."""
    a, b = var_a / n_a, var_b / n_b
    if a + b == 0:
        return 0.0
    freedom = (a + b) ** 2 / (a**2 / (n_a - 1) + b**2 / (n_b - 1))
    return float(t.ppf((1 + level) / 2, freedom)) * sqrt(a + b)


def incremental_values(experiments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of measurement.incremental_value: margin differences times the persons treated."""
    return [
        {
            "as_of_date": row["as_of_date"],
            "audience_id": row["audience_id"],
            "treated_persons": row["treatment_persons"],
            "realised_margin": row["difference"] * row["treatment_persons"],
            "ci_low": row["ci_low"] * row["treatment_persons"],
            "ci_high": row["ci_high"] * row["treatment_persons"],
            "is_significant": row["ci_low"] > 0 or row["ci_high"] < 0,
        }
        for row in experiments
        if row["outcome"] == "margin"
    ]
