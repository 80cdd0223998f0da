"""Treatment against holdout: what can be judged, the difference with its interval, the check of the group sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.cuped import Slope
from clvspark.measurement.inference import (
    SIGNIFICANCE,
    Group,
    adjust_p_values,
    compare_means,
)
from clvspark.measurement.outcomes import COUNTS, OUTCOMES, PREDICTED
from clvspark.measurement.plan import HoldoutPlan
from clvspark.measurement.tables import EXPERIMENT

Rows = list[dict[str, Any]]

PLAIN, CUPED = "plain", "cuped"
MISMATCH = 0.001
"""Below this p-value the groups are taken to be of other sizes than planned (Kohavi, Tang and Xu 2020, chapter 21)."""
_MEASURES = ("treatment_mean", "holdout_mean", "difference", "ci_low", "ci_high", "p_value")
_OF_CUPED = ("difference", "ci_low", "ci_high", "p_value")


def comparison_schema(*keys: str) -> str:
    """Columns of what `compare_groups` returns."""
    return ", ".join(
        [*(f"{name} string" for name in keys), *(f"{name} double" for name in _MEASURES)]
    )


def open_experiments(
    sizes: Iterable[dict[str, Any]],
    config: MeasurementConfig,
    plan: HoldoutPlan,
    *,
    as_of: date,
    days_observed: int,
    is_valued: bool = True,
) -> Rows:
    """One row an audience and outcome, not judged yet, as measurement.experiment.

    In: ``audience_id, split_group, persons``. The status says whether it can be judged: the window must have been
    observed to its end, both groups must be large enough, and for the predicted value a model must have been fitted
    before the assignment (`is_valued`).
    """
    groups: dict[str, dict[str, int]] = {}
    for row in sizes:
        groups.setdefault(row["audience_id"], {})[row["split_group"]] = int(row["persons"])
    opened = []
    for audience, persons in sorted(groups.items()):
        treated, held = persons.get("treatment", 0), persons.get("holdout", 0)
        few = min(treated, held) < config.min_persons
        early = days_observed < config.window_days
        ratio = binomtest(held, treated + held, plan.share(audience)).pvalue
        status = "not_yet_observed" if early else "too_few_persons" if few else "measured"
        facts = {
            "as_of_date": as_of,
            "audience_id": audience,
            "status": status,
            "window_days": config.window_days,
            "days_observed": days_observed,
            "treatment_persons": treated,
            "holdout_persons": held,
            "sample_ratio_p_value": float(ratio),
        }
        unknown = dict.fromkeys(EXPERIMENT.names)
        rows = [{**unknown, **facts, "outcome": outcome} for outcome in OUTCOMES]
        if status == "measured" and not is_valued:
            rows[OUTCOMES.index(PREDICTED)]["status"] = "not_valued"
        opened += rows
    return opened


def list_mismatches(opened: Rows) -> list[str]:
    """Audiences whose groups are of other sizes than planned, so that no difference of theirs can be trusted."""
    found = {row["audience_id"] for row in opened if row["sample_ratio_p_value"] < MISMATCH}
    return sorted(found)


def compare_groups(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Compare both groups by one outcome; one row: the keys and `_MEASURES`.

    In: rows of `tabulate_outcomes` of one key, in any order. Whatever is no group and no count is a key.
    """
    keys = [name for name in outcomes.columns if name not in {"split_group", "value", *COUNTS}]
    key = tuple(outcomes[name].iloc[0] for name in keys)
    values, position = np.unique(outcomes["value"].to_numpy(), return_inverse=True)
    treatment, holdout = (
        _sum_up(outcomes, position, values.size, name) for name in ("treatment", "holdout")
    )
    found = compare_means(values, treatment, holdout, seed="|".join(map(str, key)))
    measures = (treatment.mean, holdout.mean, found.difference, found.ci_low, found.ci_high)
    return pd.DataFrame([(*key, *measures, found.p_value)], columns=[*keys, *_MEASURES])


def judge_experiments(
    opened: Rows,
    comparisons: Iterable[dict[str, Any]],
    slopes: Mapping[tuple[str, str], Slope] | None = None,
) -> Rows:
    """Fill in what was measured, with p-values corrected over the audiences of each outcome.

    In: rows of `compare_groups` by both methods; slopes of CUPED. The verdict is of the plain difference, as was said
    before anybody looked; CUPED's stands beside it.
    """
    found = {(row["method"], row["audience_id"], row["outcome"]): row for row in comparisons}
    judged = {
        (row["audience_id"], row["outcome"]): {**row, **_measured(row, found, slopes or {})}
        for row in opened
        if row["status"] == "measured"
    }
    for outcome in OUTCOMES:
        correct_family([row for row in judged.values() if row["outcome"] == outcome])
    return [judged.get((row["audience_id"], row["outcome"]), row) for row in opened]


def correct_family(rows: Rows) -> None:
    """Add to rows that are judged together their corrected p-value and whether they are significant."""
    adjusted = adjust_p_values([row["p_value"] for row in rows])
    for row, p_value in zip(rows, adjusted, strict=True):
        row |= {"p_value_adjusted": p_value, "is_significant": p_value <= SIGNIFICANCE}


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


def read_measures(comparison: Mapping[str, Any]) -> dict[str, float | None]:
    """The measures of a row of `compare_groups`; a bound that is infinite is unknown."""
    return {name: _finite(comparison[name]) for name in _MEASURES}


def _measured(
    row: dict[str, Any],
    found: Mapping[tuple[str, str, str], Mapping[str, Any]],
    slopes: Mapping[tuple[str, str], Slope],
) -> dict[str, float | None]:
    key = row["audience_id"], row["outcome"]
    measures = read_measures(found[PLAIN, *key])
    slope = slopes.get(key)
    if slope is None:
        return measures
    adjusted = read_measures(found[CUPED, *key])
    beside = {f"cuped_{name}": adjusted[name] for name in _OF_CUPED}
    return {
        **measures,
        **beside,
        "cuped_theta": slope.theta,
        "cuped_correlation": slope.correlation,
    }


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
