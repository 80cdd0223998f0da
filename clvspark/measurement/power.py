"""What an experiment can find, told before anything is sent: the minimum detectable effect of a difference of means.

The formula is the usual one of two means (e.g. Cohen 1988, section 2.5), by the normal distribution: z of the level and
of the power, times the standard error of the difference. Money of customers is skewed, and the permutation test that
judges it finds a little less than the formula says where a holdout is small.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from math import sqrt
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.stats import norm

from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.inference import SIGNIFICANCE
from clvspark.measurement.outcomes import REALISED
from clvspark.measurement.plan import HoldoutPlan

ASSIGNED, MEMBERS = "assigned", "members"
FORESEEN, TOO_FEW, ALL_ALIKE = "foreseen", "too_few_persons", "all_alike_before"


def minimum_detectable_effect(
    standard_deviation: float,
    treatment_persons: float,
    holdout_persons: float,
    *,
    power: float,
    correlation: float = 0.0,
) -> float:
    """Difference of means that is found with the chance `power`, two-sided at `SIGNIFICANCE`.

    Parameters
    ----------
    standard_deviation : of the outcome of a person.
    correlation : of the outcome with the covariate of CUPED, which leaves 1 - rho^2 of the variance.
    """
    rest = standard_deviation * sqrt(1 - correlation**2)
    return _quantiles(power) * rest * sqrt(1 / treatment_persons + 1 / holdout_persons)


def _quantiles(power: float) -> float:
    return float(norm.ppf(1 - SIGNIFICANCE / 2) + norm.ppf(power))


def list_planned(people: DataFrame, members: DataFrame) -> DataFrame:
    """Who takes part, or would: ``audience_id, person_id, split_group``; the group of a mere member is NULL.

    In: rows of `follow_persons`; ``audience_id, person_id`` of the members. Members of an audience that is activated
    on the date are left out: of them only those count who could be told.
    """
    activated = people.select("audience_id").distinct()
    others = members.join(F.broadcast(activated), on="audience_id", how="left_anti")
    waiting = others.select(
        "audience_id", "person_id", F.lit(None).cast("string").alias("split_group")
    )
    return people.select(*waiting.columns).unionByName(waiting)


def sum_history(planned: DataFrame) -> DataFrame:
    """Exact sums of what people did in the window before: ``audience_id, outcome, persons, held, total, squares``.

    In: rows of `list_planned` with the outcomes of `gather_outcomes`. `held` is NULL where nobody is assigned yet.
    """
    ids = ("audience_id", "split_group")
    long = planned.select(*ids, *REALISED).unpivot(ids, REALISED, "outcome", "exact")
    exact = F.col("exact")
    return long.groupBy("audience_id", "outcome").agg(
        F.count(F.lit(1)).alias("persons"),
        F.sum((F.col("split_group") == "holdout").cast("int")).alias("held"),
        F.sum(exact).cast("double").alias("total"),
        F.sum(exact * exact).cast("double").alias("squares"),
    )


def power_rows(
    sums: Iterable[dict[str, Any]], config: MeasurementConfig, plan: HoldoutPlan, *, as_of: date
) -> list[dict[str, Any]]:
    """Rows of measurement.power, from those of `sum_history`.

    Groups are those assigned; of an audience that is not activated yet, its members shared out as planned.
    """
    found = []
    for row in sorted(sums, key=lambda row: (row["audience_id"], row["outcome"])):
        persons, held = int(row["persons"]), row["held"]
        basis = MEMBERS if held is None else ASSIGNED
        if held is None:
            held = round(persons * plan.share(row["audience_id"]))
        treated = persons - int(held)
        mean = row["total"] / persons
        spread = max(0.0, row["squares"] - persons * mean**2) / max(1, persons - 1)
        few = min(treated, held) < config.min_persons
        # Where nobody did anything before, that says nothing of what they may do now.
        status = TOO_FEW if few else FORESEEN if spread > 0 else ALL_ALIKE
        effect = (
            minimum_detectable_effect(sqrt(spread), treated, held, power=config.power)
            if status == FORESEEN
            else None
        )
        found.append(
            {
                "as_of_date": as_of,
                "audience_id": row["audience_id"],
                "outcome": row["outcome"],
                "basis": basis,
                "history_days": config.window_days,
                "treatment_persons": treated,
                "holdout_persons": int(held),
                "mean_before": mean,
                "standard_deviation_before": sqrt(spread),
                "power": config.power if status == FORESEEN else None,
                "minimum_detectable_effect": effect,
                "status": status,
            }
        )
    return found
