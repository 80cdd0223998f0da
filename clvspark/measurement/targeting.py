"""Whether a score finds those whom acting moves: the uplift curve, AUUC and the Qini coefficient.

Persons are taken from the highest score down, in steps. Within a step the groups were dealt by chance, so the
difference of their means is what acting brings a person there, less the cost of a contact. The curve adds these up
(Radcliffe 2007, "Using control groups to target on predicted lift"; Gutierrez and Gérardy 2017, "Causal inference and
uplift modelling"). All amounts are divided by the persons of the audience, so that audiences can be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from scipy.stats import norm

from clvspark.measurement.inference import SIGNIFICANCE
from clvspark.measurement.people import SCORE

MOST_STEPS, _FEWEST_STEPS = 10, 2
CURVE_SCHEMA = (
    "audience_id string, score string, step int, treatment_persons bigint, holdout_persons bigint, "
    "share_targeted double, lowest_score double, difference double, ci_low double, ci_high double, "
    "cumulative_gain double, auuc double, qini double, qini_ci_low double, qini_ci_high double"
)
_COLUMNS = [part.split()[0] for part in CURVE_SCHEMA.split(", ")]


def tabulate_scores(judged: DataFrame, scores: list[str]) -> DataFrame:
    """What persons of about the same score brought, by ``audience_id, score, value, split_group``.

    In: rows of `gather_outcomes` with the scores of `join_descriptions`. Out: ``persons, total, squares``. `value` is
    the score to three significant digits, so that there are a few thousand rows a score at most; sums of margin are
    exact. Persons without a score are left out.
    """
    ids = ("audience_id", "split_group", "margin")
    numbers = [F.col(f"{SCORE}{name}").cast("double").alias(name) for name in scores]
    long = judged.select(*ids, *numbers).unpivot(ids, tuple(scores), "score", "value")
    exact = F.col("margin")
    return (
        long.where("value IS NOT NULL")
        .groupBy(
            "audience_id", "score", _three_digits(F.col("value")).alias("value"), "split_group"
        )
        .agg(
            F.count(F.lit(1)).alias("persons"),
            F.sum(exact).cast("double").alias("total"),
            F.sum(exact * exact).cast("double").alias("squares"),
        )
    )


def _three_digits(value: Column) -> Column:
    unit = F.pow(F.lit(10.0), F.floor(F.log10(F.abs(value))) - 2)
    return F.when(value == 0, F.lit(0.0)).otherwise(F.round(value / unit) * unit)


def draw_curves(
    costs: dict[str, float], *, otherwise: float, min_persons: int
) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A function from rows of `tabulate_scores`, of one audience and score, to rows of `CURVE_SCHEMA`.

    Parameters
    ----------
    costs : of a contact, by audience; `otherwise` that of all others.
    min_persons : of each group in each step; no rows where not even two steps have so many.
    """

    def draw(rows: pd.DataFrame) -> pd.DataFrame:
        audience, score = str(rows["audience_id"].iloc[0]), str(rows["score"].iloc[0])
        steps = cut_steps(rows, min_persons)
        if len(steps) < _FEWEST_STEPS:
            return pd.DataFrame([], columns=_COLUMNS)
        curve = trace_curve(steps, cost=costs.get(audience, otherwise))
        return curve.assign(audience_id=audience, score=score)[_COLUMNS]

    return draw


def cut_steps(rows: pd.DataFrame, min_persons: int) -> pd.DataFrame:
    """Persons from the highest score down, in up to `MOST_STEPS` steps of about equal size.

    In: ``value, split_group, persons, total, squares``. Out: one row a step, ``lowest_score`` and ``persons``,
    ``total``, ``squares`` of each group, e.g. ``persons_holdout``. Persons of one score stay together: a ranking cannot
    tell them apart. A step is closed once both groups have `min_persons`; what is left over joins the last.
    """
    wide = (
        rows.pivot_table(
            index="value",
            columns="split_group",
            values=["persons", "total", "squares"],
            aggfunc="sum",
        )
        .reindex(
            columns=pd.MultiIndex.from_product(
                [["persons", "total", "squares"], ["treatment", "holdout"]]
            )
        )
        .fillna(0.0)
        .sort_index(ascending=False)
    )
    wide.columns = pd.Index(["_".join(name) for name in wide.columns])
    persons = wide["persons_treatment"] + wide["persons_holdout"]
    wanted = persons.sum() / MOST_STEPS
    step, begun, numbers = 0, np.zeros(3), []
    for all_of_score, treated, held in zip(
        persons, wide["persons_treatment"], wide["persons_holdout"], strict=True
    ):
        numbers.append(step)
        begun += (all_of_score, treated, held)
        if begun[0] >= wanted - 0.5 and min(begun[1:]) >= min_persons:
            step, begun = step + 1, np.zeros(3)
    # Those after the last step that was closed are too few for one of their own.
    settled = np.minimum(numbers, max(step - 1, 0))
    wide["lowest_score"] = wide.index
    sums = wide.drop(columns="lowest_score").groupby(settled).sum()
    sums["lowest_score"] = wide["lowest_score"].groupby(settled).min()
    return sums if step else sums.iloc[:0]


def trace_curve(steps: pd.DataFrame, *, cost: float) -> pd.DataFrame:
    """Uplift curve with AUUC and Qini coefficient from rows of `cut_steps`.

    With w_k the share of the persons in step k, f_k that of all steps to k, and d_k the difference of the means less
    the cost, the curve is G_k = G_(k-1) + w_k d_k, AUUC its area (trapezoids) and Qini the area between it and the
    straight line of targeting by chance, G_K f. Both are sums of d_k with weights known from the sizes, q_k = w_k (1 -
    f_k + w_k / 2 - 1/2) for Qini, so its variance is the sum of q_k^2 times that of d_k. Intervals are of the normal
    distribution.
    """
    n = {group: steps[f"persons_{group}"].to_numpy(float) for group in ("treatment", "holdout")}
    mean = {group: steps[f"total_{group}"].to_numpy(float) / n[group] for group in n}
    squares = {group: steps[f"squares_{group}"].to_numpy(float) for group in n}
    error = sum(np.maximum(squares[g] - n[g] * mean[g] ** 2, 0.0) / (n[g] - 1) / n[g] for g in n)
    share = (n["treatment"] + n["holdout"]) / sum(counts.sum() for counts in n.values())
    targeted = np.cumsum(share)
    difference = mean["treatment"] - mean["holdout"] - cost
    of_area = share * (1 - targeted + share / 2)
    of_qini = of_area - share / 2
    qini, half = float(of_qini @ difference), _half(float(of_qini**2 @ error))
    width = np.array([_half(float(one)) for one in error])
    return pd.DataFrame(
        {
            "step": np.arange(1, len(steps) + 1, dtype=np.int32),
            "treatment_persons": n["treatment"].astype(np.int64),
            "holdout_persons": n["holdout"].astype(np.int64),
            "share_targeted": targeted,
            "lowest_score": steps["lowest_score"].to_numpy(float),
            "difference": difference,
            "ci_low": difference - width,
            "ci_high": difference + width,
            "cumulative_gain": np.cumsum(share * difference),
            "auuc": float(of_area @ difference),
            "qini": qini,
            "qini_ci_low": qini - half,
            "qini_ci_high": qini + half,
        }
    )


def _half(variance: float) -> float:
    """Half the width of the interval of an estimate."""
    return float(norm.ppf(1 - SIGNIFICANCE / 2)) * sqrt(variance)
