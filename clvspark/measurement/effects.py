"""The report of an activation: people, and what acting on them brought, each with its interval."""

from __future__ import annotations

from typing import Any

from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.experiments import Rows

# Effect: outcome that it is of, whether it is of all in treatment together, and whether it has come true.
_EFFECTS = (
    ("extra_visits", "visits", True, "realised"),
    ("extra_purchases", "purchases", True, "realised"),
    ("extra_revenue", "revenue", True, "realised"),
    ("extra_margin", "margin", True, "realised"),
    ("extra_margin_net_of_cost", "margin", True, "realised"),
    ("extra_clv_per_person", "residual_value", False, "predicted"),
)
PEOPLE, NET = "people", "extra_margin_net_of_cost"
_BOUNDS = ("value", "ci_low", "ci_high")


def list_effects(experiments: Rows, config: MeasurementConfig) -> Rows:
    """Rows of measurement.effect, one an audience and effect. In: rows of `judge_experiments`.

    What acting brought is the difference a person, times the persons in treatment; the predicted value stays one
    person's, as it has not come true. A contact costs what the configuration says, whether or not it was answered.
    What could not be measured has its status and no numbers; how many people were in treatment is known all the same.
    """
    by_audience: dict[str, dict[str, dict[str, Any]]] = {}
    for row in experiments:
        by_audience.setdefault(row["audience_id"], {})[row["outcome"]] = row
    found = []
    for audience, outcomes in sorted(by_audience.items()):
        first = next(iter(outcomes.values()))
        persons = first["treatment_persons"]
        base = {"as_of_date": first["as_of_date"], "audience_id": audience}
        unknown = {f"{prefix}{name}": None for prefix in ("", "cuped_") for name in _BOUNDS}
        people = {"effect": PEOPLE, "kind": "count", "status": "measured", "value": float(persons)}
        found.append({**base, **unknown, **people})
        for effect, outcome, in_all, kind in _EFFECTS:
            row = outcomes[outcome]
            cost = float(config.cost_of(audience)) * persons if effect == NET else 0.0
            times = persons if in_all else 1
            numbers = {
                f"{prefix}{name}": _scale(row[f"{prefix}{of}"], times, cost)
                for prefix in ("", "cuped_")
                for name, of in zip(_BOUNDS, ("difference", "ci_low", "ci_high"), strict=True)
            }
            found.append(
                {**base, "effect": effect, "kind": kind, "status": row["status"], **numbers}
            )
    return found


def _scale(value: float | None, times: int, less: float) -> float | None:
    return None if value is None else value * times - less
