"""Rows of the tables that the report page reads."""

from __future__ import annotations

from typing import Any


def experiment(audience: str, low: float, high: float, outcome: str = "margin") -> dict[str, Any]:
    """One row of measurement.experiment with the interval given; significant if it leaves out 0."""
    significant = low > 0 or high < 0
    return {
        "audience_id": audience,
        "outcome": outcome,
        "status": "measured",
        "window_days": 91,
        "days_observed": 91,
        "treatment_persons": 900,
        "holdout_persons": 100,
        "treatment_mean": 3.0,
        "holdout_mean": 2.0,
        "difference": (low + high) / 2,
        "ci_low": low,
        "ci_high": high,
        "p_value": 0.01 if significant else 0.3,
        "p_value_adjusted": 0.02 if significant else 0.6,
        "is_significant": significant,
        "sample_ratio_p_value": 0.9,
    }


def worth(row: dict[str, Any]) -> dict[str, Any]:
    """The row of measurement.incremental_value that follows from one of measurement.experiment."""
    kept = (
        "audience_id",
        "status",
        "treatment_persons",
        "holdout_persons",
        "p_value",
        "p_value_adjusted",
        "is_significant",
    )
    scaled = {"incremental_margin": "difference", "ci_low": "ci_low", "ci_high": "ci_high"}
    amounts = {name: None if row[of] is None else 900 * row[of] for name, of in scaled.items()}
    return {**{name: row[name] for name in kept}, **amounts}
