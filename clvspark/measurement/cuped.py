"""CUPED: of an outcome, what the value before the assignment explains is taken off, which narrows the interval.

Deng, Xu, Kohavi and Walker (2013), "Improving the sensitivity of online controlled experiments by utilizing
pre-experiment data": the mean of Y - theta (X - E[X]) (equation 3) is that of Y; its variance is least for theta =
Cov(Y, X) / Var(X) (4), where it is Var(Y) (1 - rho^2) (5); and the difference of two such means needs no E[X] (7). X is
the value predicted before the assignment, which acting cannot have changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.measurement.people import BEFORE

SLOPES = "audience_id string, outcome string, theta double, mean_before double"


@dataclass(frozen=True)
class Slope:
    """How an outcome follows the value before, over both groups of an audience."""

    theta: float
    mean_before: float
    correlation: float


def sum_products(outcomes: DataFrame) -> DataFrame:
    """Exact sums that slopes follow from, by audience and outcome: ``persons, x, y, xx, xy, yy``.

    In: rows of `list_outcomes`. Both groups together: reshuffling them changes no sum, so the permutation test of
    what is left stays exact where acting had no effect.
    """
    x, y = F.col(BEFORE), F.col("exact")
    sums = {"x": x, "y": y, "xx": x * x, "xy": x * y, "yy": y * y}
    return outcomes.groupBy("audience_id", "outcome").agg(
        F.count(F.lit(1)).alias("persons"),
        *(F.sum(product).cast("double").alias(name) for name, product in sums.items()),
    )


def find_slopes(sums: Iterable[dict[str, Any]]) -> dict[tuple[str, str], Slope]:
    """Slopes by audience and outcome, without those where the value before tells nothing.

    In: rows of `sum_products`. Either side without any spread explains nothing.
    """
    found = {}
    for row in sums:
        persons = row["persons"]
        mean = row["x"] / persons
        xx, xy, yy = (
            row[both] / persons - row[one] * row[other] / persons**2
            for both, one, other in (("xx", "x", "x"), ("xy", "x", "y"), ("yy", "y", "y"))
        )
        if xx > 0 and yy > 0:
            key = row["audience_id"], row["outcome"]
            found[key] = Slope(xy / xx, mean, max(-1.0, min(1.0, xy / sqrt(xx * yy))))
    return found


def adjust_outcomes(outcomes: DataFrame, slopes: DataFrame) -> DataFrame:
    """Outcomes less what the value before explains of them; those without a slope are left out.

    In: rows of `list_outcomes`; rows of `SLOPES`. Rounded to a hundredth of a cent, so that sums are exact.
    """
    explained = F.col("theta") * (F.col(BEFORE).cast("double") - F.col("mean_before"))
    rest = (F.col("exact").cast("double") - explained).cast("decimal(18,4)")
    joined = outcomes.join(F.broadcast(slopes), on=["audience_id", "outcome"], how="inner")
    return joined.withColumn("exact", rest).select(*outcomes.columns)
