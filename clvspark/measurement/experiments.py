"""Treatment against holdout: what can be judged, the difference with its interval, the check of the group sizes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.inference import (
    SIGNIFICANCE,
    Group,
    adjust_p_values,
    compare_means,
)
from clvspark.measurement.outcomes import OUTCOMES
from clvspark.measurement.tables import EXPERIMENT

Rows = list[dict[str, Any]]

_MEASURES = ("treatment_mean", "holdout_mean", "difference", "ci_low", "ci_high", "p_value")
COMPARISON_SCHEMA = ", ".join(
    ["audience_id string", "outcome string", *(f"{name} double" for name in _MEASURES)]
)


def open_experiments(
    sizes: Iterable[dict[str, Any]], config: MeasurementConfig, *, as_of: date, days_observed: int
) -> Rows:
    """One row an audience and outcome, not judged yet, as measurement.experiment.

    In: ``audience_id, split_group, persons``. The status says whether it can be judged: the window must have been
    observed to its end, and both groups must be large enough.
    """
    groups: dict[str, dict[str, int]] = {}
    for row in sizes:
        groups.setdefault(row["audience_id"], {})[row["split_group"]] = int(row["persons"])
    opened = []
    for audience, persons in sorted(groups.items()):
        treated, held = persons.get("treatment", 0), persons.get("holdout", 0)
        few = min(treated, held) < config.min_persons
        early = days_observed < config.window_days
        ratio = binomtest(held, treated + held, config.holdout_percent / 100).pvalue
        facts = {
            "as_of_date": as_of,
            "audience_id": audience,
            "status": "not_yet_observed" if early else "too_few_persons" if few else "measured",
            "window_days": config.window_days,
            "days_observed": days_observed,
            "treatment_persons": treated,
            "holdout_persons": held,
            "sample_ratio_p_value": float(ratio),
        }
        unknown = dict.fromkeys(EXPERIMENT.names)
        opened += [{**unknown, **facts, "outcome": outcome} for outcome in OUTCOMES]
    return opened


def compare_groups(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Compare both groups of one audience by one outcome; one row of COMPARISON_SCHEMA.

    In: rows of `tabulate_outcomes`, in any order.
    """
    audience, outcome = outcomes["audience_id"].iloc[0], outcomes["outcome"].iloc[0]
    values, position = np.unique(outcomes["value"].to_numpy(), return_inverse=True)
    treatment, holdout = (
        _sum_up(outcomes, position, values.size, name) for name in ("treatment", "holdout")
    )
    found = compare_means(values, treatment, holdout, seed=f"{audience}|{outcome}")
    measures = (treatment.mean, holdout.mean, found.difference, found.ci_low, found.ci_high)
    row = (audience, outcome, *measures, found.p_value)
    return pd.DataFrame([row], columns=["audience_id", "outcome", *_MEASURES])


def judge_experiments(opened: Rows, comparisons: Iterable[dict[str, Any]]) -> Rows:
    """Fill in what was measured, with p-values corrected over the audiences of each outcome."""
    found = {(row["audience_id"], row["outcome"]): row for row in comparisons}
    judged = {
        (row["audience_id"], row["outcome"]): {
            **row,
            **{
                name: _finite(found[row["audience_id"], row["outcome"]][name]) for name in _MEASURES
            },
        }
        for row in opened
        if row["status"] == "measured"
    }
    for outcome in OUTCOMES:
        family = [row for row in judged.values() if row["outcome"] == outcome]
        adjusted = adjust_p_values([row["p_value"] for row in family])
        for row, p_value in zip(family, adjusted, strict=True):
            row |= {"p_value_adjusted": p_value, "is_significant": p_value <= SIGNIFICANCE}
    return [judged.get((row["audience_id"], row["outcome"]), row) for row in opened]


def incremental_values(experiments: Rows) -> Rows:
    """Rows of measurement.incremental_value: margin differences times the persons assigned to treatment."""
    kept = ("as_of_date", "audience_id", "status", "treatment_persons", "holdout_persons")
    judged = ("p_value", "p_value_adjusted", "is_significant")
    scaled = {"incremental_margin": "difference", "ci_low": "ci_low", "ci_high": "ci_high"}
    return [
        {
            **{name: row[name] for name in (*kept, *judged)},
            **{
                name: None if row[of] is None else row[of] * row["treatment_persons"]
                for name, of in scaled.items()
            },
        }
        for row in experiments
        if row["outcome"] == "margin"
    ]


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _sum_up(outcomes: pd.DataFrame, position: np.ndarray, distinct: int, name: str) -> Group:
    """Counts by distinct value, exact mean and sample variance; sums do not depend on the order of rows."""
    mine = (outcomes["split_group"] == name).to_numpy()
    counts, total, squares = np.zeros(distinct, np.int64), np.zeros(distinct), np.zeros(distinct)
    for sums, column in ((counts, "persons"), (total, "total"), (squares, "squares")):
        sums[position[mine]] = outcomes[column].to_numpy()[mine]
    persons, mean = int(counts.sum()), float(total.sum() / counts.sum())
    variance = max(0.0, float(squares.sum()) - persons * mean**2) / (persons - 1)
    return Group(counts, mean, variance)
