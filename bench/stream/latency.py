"""What the accounts of micro-batches say of latency, lag and steps."""

from __future__ import annotations

import json
from statistics import fmean, quantiles
from typing import Any


def describe(batches: list[dict[str, Any]]) -> dict[str, Any]:
    """Latency, lag and steps of micro-batches; what one took arrived evenly between its first and its last event."""
    latencies: list[float] = []
    lags: list[float] = []
    steps: dict[str, list[float]] = {}
    for batch in batches:
        first, last = (batch[f"{end}_arrival_at"].timestamp() for end in ("first", "last"))
        seconds = round(last - first) + 1
        arrivals = [first + (last - first) * n / max(seconds - 1, 1) for n in range(seconds)]
        latencies += [batch["decided_at"].timestamp() - arrival for arrival in arrivals]
        lags.append(batch["started_at"].timestamp() - first)
        for name, took in json.loads(batch["seconds"]).items():
            steps.setdefault(name, []).append(took)
    marks = quantiles(latencies, n=100, method="inclusive")
    third = max(len(lags) // 3, 1)
    return {
        "batches": len(batches),
        "latency_p50_seconds": round(marks[49], 2),
        "latency_p95_seconds": round(marks[94], 2),
        "lag_seconds_first_third": round(fmean(lags[:third]), 2),
        "lag_seconds_last_third": round(fmean(lags[-third:]), 2),
        "step_seconds": {name: round(fmean(took), 2) for name, took in steps.items()},
    }
