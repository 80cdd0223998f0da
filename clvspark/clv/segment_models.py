"""The models of segments, and predictions that ask each customer's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from clvspark.clv.models.errors import InvalidSummaryError
from clvspark.clv.models.memoryless import MemorylessModel
from clvspark.clv.models.pooling import NormalPrior
from clvspark.clv.models.spark_frames import append_prediction, is_spark_frame

Segment = tuple[str | None, ...]

_ESTIMATES = ("params", "standard_errors", "log_covariance", "log_likelihood")


class FitStatus(StrEnum):
    """Where the parameters of a segment come from."""

    FITTED = "fitted"
    """Its customers suffice to fit it alone; under a prior, if one could be estimated."""
    POOLED = "pooled"
    """It could not be fitted alone: the prior decides what its customers leave open."""
    PRIOR_ONLY = "prior_only"
    """Its parameters are those of the whole."""


@dataclass(frozen=True)
class SegmentFit:
    """The model of one segment, and how it came about."""

    segment: Segment
    model: MemorylessModel
    status: FitStatus
    reason: str
    customers: float


@dataclass(frozen=True)
class SegmentModels:
    """A model for each segment, and the one of the whole for segments that were not seen.

    Predictions have the names, arguments and results of those of the models; the summary has the segment columns
    besides. Segments are compared as text, NULL being one of them.
    """

    segment_columns: tuple[str, ...]
    fits: dict[Segment, SegmentFit]
    whole: MemorylessModel
    prior: NormalPrior | None

    def model_of(self, segment: Segment) -> MemorylessModel:
        """The model of a segment; of one that was not seen, the whole's."""
        fit = self.fits.get(segment)
        return self.whole if fit is None else fit.model

    def to_frame(self) -> pd.DataFrame:
        """One row a segment: its columns, status, reason, customers, and the estimates of its model."""
        rows = [
            dict(zip(self.segment_columns, fit.segment, strict=True))
            | {"status": fit.status.value, "reason": fit.reason, "customers": fit.customers}
            | {name: fit.model.to_dict()[name] for name in _ESTIMATES}
            for fit in self.fits.values()
        ]
        return pd.DataFrame(rows)

    def expected_probability_alive(self, summary: Any) -> Any:
        """See `TransactionModel.expected_probability_alive`."""
        return self._predict(summary, "p_alive", _ask("expected_probability_alive"))

    def expected_purchases(self, summary: Any, *, future_t: float) -> Any:
        """See `TransactionModel.expected_purchases`."""
        return self._predict(
            summary, "expected_purchases", _ask("expected_purchases", future_t=future_t)
        )

    def discounted_expected_residual_transactions(
        self, summary: Any, *, annual_discount_rate: float, horizon: float | None = None
    ) -> Any:
        """See `TransactionModel.discounted_expected_residual_transactions`."""
        ask = _ask(
            "discounted_expected_residual_transactions",
            annual_discount_rate=annual_discount_rate,
            horizon=horizon,
        )
        return self._predict(summary, "discounted_expected_transactions", ask)

    def _predict(self, summary: Any, output: str, ask: Callable[..., Any]) -> Any:
        # Asked of nobody: wrong arguments fail here, not on an executor.
        names = self.whole.summary_columns
        ask(self.whole, pd.DataFrame({name: np.empty(0) for name in names}))

        def predict(columns: Any) -> np.ndarray:
            rows = pd.DataFrame({name: columns[name] for name in names})
            labels = zip(*(columns[name] for name in self.segment_columns), strict=True)
            segments = pd.Series(list(labels), index=rows.index, dtype=object)
            result = pd.Series(np.nan, index=rows.index)
            for segment, members in rows.groupby(segments, sort=False):
                result.loc[members.index] = np.asarray(ask(self.model_of(segment), members))
            return result.to_numpy()

        if is_spark_frame(summary):
            return append_prediction(summary, names, output, predict, labels=self.segment_columns)
        require_segment_columns(summary.columns, [*names, *self.segment_columns])
        values = predict(with_labels(summary, self.segment_columns).reset_index(drop=True))
        return pd.Series(values, index=summary.index, name=output)


def _ask(method: str, **arguments: Any) -> Callable[..., Any]:
    def ask(model: MemorylessModel, rows: pd.DataFrame) -> Any:
        return getattr(model, method)(rows, **arguments)

    return ask


def with_labels(summary: pd.DataFrame, segment_columns: Sequence[str]) -> pd.DataFrame:
    """The frame with segment columns as text or None."""
    texts = {
        name: summary[name]
        .astype(object)
        .map(str, na_action="ignore")
        .where(summary[name].notna(), None)
        for name in segment_columns
    }
    return summary.assign(**texts)


def require_segment_columns(columns: Any, names: Sequence[str]) -> None:
    """Raise `InvalidSummaryError` that names the columns a summary by segment lacks."""
    missing = [name for name in names if name not in columns]
    if missing:
        raise InvalidSummaryError(
            f"summary: column(s) {', '.join(missing)} missing; a summary by segment has {', '.join(names)}; rename or "
            "add the columns"
        )
