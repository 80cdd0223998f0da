"""What a model said about the holdout, and what happened."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from clvspark.clv import metrics


@dataclass(frozen=True)
class Holdout:
    """Measures of `clvspark.clv.metrics` on the holdout.

    `of` is what was predicted: ``purchases`` of each customer, or the ``spend`` per purchase day of those who came
    back. Customers first seen in the holdout are left out: no model could have known them.
    """

    of: str
    customers: float
    measures: Mapping[str, float]
    deciles: list[metrics.Decile]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: what is not defined is None."""
        measures = {name: _json_number(value) for name, value in self.measures.items()}
        totals = {f"{kind}_{self.of}": measures.pop(f"{kind}_total") for kind in _KINDS}
        deciles = [
            {name: _json_number(value) for name, value in asdict(one).items()}
            | {"customers": round(one.customers)}
            for one in self.deciles
        ]
        return {
            "customers": round(self.customers),
            **totals,
            **measures,
            "decile_table": deciles,
        }


_KINDS = ("predicted", "actual")


def judge(of: str, actual: ArrayLike, predicted: ArrayLike, weight: ArrayLike) -> Holdout:
    """Measure predictions of customers, who stand for `weight` of their like."""
    return Holdout(
        of,
        float(np.sum(weight)),
        metrics.measure_predictions(actual, predicted, weight),
        metrics.decile_table(actual, predicted, weight),
    )


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None
