"""Register fitted CLV models in MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from clvspark.lakehouse.tracking import Tracker


def register_fit(
    tracker: Tracker,
    name: str,
    document: dict[str, Any],
    measures: dict[str, float],
    *,
    as_of: date,
    plots: Mapping[str, dict[str, Any]],
) -> str:
    """Log one fitted model with its measures and plots, register a version, return the version."""
    return tracker.register(
        name,
        run_name=f"{name} {as_of}",
        params={"model": name, "as_of_date": str(as_of), "time_unit": document["time_unit"]},
        metrics={
            **document["params"],
            "log_likelihood": document["log_likelihood"],
            **measures,
        },
        documents={"model.json": document, **plots},
    )
