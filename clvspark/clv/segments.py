"""One model for each segment (country, channel, cohort), the small ones pooled towards the whole.

Two passes over the distinct histories of each segment, in parallel on the executors: every segment is fitted alone;
how the estimates differ gives a prior; every segment is fitted again under it (empirical Bayes, see `models.pooling`).
A large segment keeps its own estimate, a small one is drawn towards the mean, and one without information takes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from clvspark.clv.models.errors import (
    ClvModelError,
    DegenerateDataError,
    InvalidArgumentError,
    InvalidSummaryError,
    TooManyGroupsError,
)
from clvspark.clv.models.memoryless import MemorylessModel
from clvspark.clv.models.pooling import NormalPrior, estimate_prior
from clvspark.clv.models.spark_frames import append_prediction, is_spark_frame
from clvspark.clv.models.summary import WEIGHT

MIN_SEGMENTS = 3
"""Segments that must have been fitted alone before it is estimated how segments differ."""

_RESULT = "customers double, status string, reason string, document string"

Segment = tuple[str | None, ...]


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
        _require_columns(summary.columns, [*names, *self.segment_columns])
        values = predict(_with_labels(summary, self.segment_columns).reset_index(drop=True))
        return pd.Series(values, index=summary.index, name=output)


_ESTIMATES = ("params", "standard_errors", "log_covariance", "log_likelihood")


def fit_by_segment(
    summary: Any,
    *,
    segment_columns: Sequence[str],
    model: MemorylessModel,
    min_customers: int = 200,
    max_segments: int = 10_000,
) -> SegmentModels:
    """Fit `model`, an instance that need not be fitted, to every segment of a summary.

    In: a Spark or pandas frame with the columns of the model, optionally `weight`, and the segment columns. A segment
    of fewer than `min_customers` is not fitted alone. Fewer than three segments fitted alone do not say how segments
    differ; then they keep their own estimates, and the others take those of the whole.

    Raises `TooManyGroupsError` for more than `max_segments` segments, and what `fit` raises where not even the whole
    can be fitted.
    """
    _check_segment_columns(segment_columns, model)
    rows = _Rows(summary, tuple(segment_columns), model, max_segments)
    try:
        alone = rows.fit_each(partial(_fit_alone, model=model, min_customers=min_customers))
        _refuse_invalid(alone)
        if not alone:
            raise DegenerateDataError(
                "summary: has no customers, so there is no segment to fit; check the filter that made it"
            )
        fitted = [fit for fit in alone if fit.status is FitStatus.FITTED]
        if len(fitted) < MIN_SEGMENTS:
            return _without_prior(alone, rows, model)
        estimates = np.array([fit.model.unconstrained() for fit in fitted])
        prior = estimate_prior(estimates, np.array([fit.model.log_covariance_ for fit in fitted]))
        reasons = {fit.segment: fit.reason for fit in alone}
        pooled = rows.fit_each(partial(_fit_pooled, model=model, prior=prior, reasons=reasons))
    finally:
        rows.release()
    whole = model.with_unconstrained(prior.mean)
    return SegmentModels(rows.segment_columns, _by_segment(pooled), whole, prior)


def _without_prior(alone: list[SegmentFit], rows: _Rows, model: MemorylessModel) -> SegmentModels:
    """Segments that were fitted keep their estimates, the others take those of the whole."""
    if len(alone) == 1 and alone[0].status is FitStatus.FITTED:
        return SegmentModels(rows.segment_columns, _by_segment(alone), alone[0].model, None)
    whole = type(model)(**model.settings()).fit(rows.condensed)
    fits = [
        fit
        if fit.status is FitStatus.FITTED
        else SegmentFit(fit.segment, whole, fit.status, fit.reason, fit.customers)
        for fit in alone
    ]
    return SegmentModels(rows.segment_columns, _by_segment(fits), whole, None)


def _refuse_invalid(alone: list[SegmentFit]) -> None:
    """Raise for rows that contradict their definition; errors of executors have lost their type."""
    prefix = f"{InvalidSummaryError.__name__}: "
    invalid = [fit.reason.removeprefix(prefix) for fit in alone if fit.reason.startswith(prefix)]
    if invalid:
        raise InvalidSummaryError(
            f"in {len(invalid)} of {len(alone)} segments, e.g.: {min(invalid)}"
        )


def _by_segment(fits: list[SegmentFit]) -> dict[Segment, SegmentFit]:
    ordered = sorted(
        fits, key=lambda fit: tuple((label is not None, label or "") for label in fit.segment)
    )
    return {fit.segment: fit for fit in ordered}


def _fit_alone(
    segment: Segment, rows: pd.DataFrame, *, model: MemorylessModel, min_customers: int
) -> SegmentFit:
    """The segment's own maximum likelihood, or why there is none (then with an unfitted model)."""
    own, customers = type(model)(**model.settings()), float(rows[WEIGHT].sum())
    try:
        own.check_summary(rows)
        if customers < min_customers:
            reason = f"fewer than {min_customers} customers"
            return SegmentFit(segment, own, FitStatus.PRIOR_ONLY, reason, customers)
        own.fit(rows)
    except ClvModelError as error:
        return SegmentFit(
            segment, own, FitStatus.PRIOR_ONLY, f"{type(error).__name__}: {error}", customers
        )
    return SegmentFit(segment, own, FitStatus.FITTED, "", customers)


def _fit_pooled(
    segment: Segment,
    rows: pd.DataFrame,
    *,
    model: MemorylessModel,
    prior: NormalPrior,
    reasons: dict[Segment, str],
) -> SegmentFit:
    """The mode of the segment's posterior; `reasons` say why segments could not be fitted alone."""
    own, customers = type(model)(**model.settings()), float(rows[WEIGHT].sum())
    reason = reasons[segment]
    status = FitStatus.POOLED if reason else FitStatus.FITTED
    try:
        own.fit_with_prior(rows, prior)
    except ClvModelError as error:
        own = model.with_unconstrained(prior.mean)
        status, reason = FitStatus.PRIOR_ONLY, f"{type(error).__name__}: {error}"
    return SegmentFit(segment, own, status, reason, customers)


class _Rows:
    """Distinct rows of each segment, in Spark or in pandas, and the way to fit them one by one."""

    def __init__(
        self,
        summary: Any,
        segment_columns: tuple[str, ...],
        model: MemorylessModel,
        max_segments: int,
    ) -> None:
        self.segment_columns = segment_columns
        self._model = model
        self._on_spark = is_spark_frame(summary)
        names = model.summary_columns
        _require_columns(summary.columns, [*names, *segment_columns])
        if self._on_spark:
            self.condensed = _condense_on_spark(summary, names, segment_columns).persist()
            segments = (
                self.condensed.select(*segment_columns).distinct().limit(max_segments + 1).count()
            )
        else:
            self.condensed = _condense_in_pandas(summary, names, segment_columns)
            segments = len(self.condensed[[*segment_columns]].drop_duplicates())
        if segments > max_segments:
            self.release()
            raise TooManyGroupsError(
                f"summary: more than {max_segments} segments by {', '.join(segment_columns)}; each has a model that "
                "every executor holds; choose coarser segments, or raise max_segments"
            )

    def fit_each(self, fit: Callable[[Segment, pd.DataFrame], SegmentFit]) -> list[SegmentFit]:
        """Apply `fit(segment, rows)` to every segment."""
        columns = [*self.segment_columns]
        if not self._on_spark:
            groups = self.condensed.groupby(columns, dropna=False, sort=False)
            return [fit(_segment(rows, columns), rows) for _, rows in groups]

        def fit_one(rows: pd.DataFrame) -> pd.DataFrame:
            found = fit(_segment(rows, columns), rows)
            known = found.model.is_fitted
            document = json.dumps(found.model.to_dict()) if known else None
            row = (*found.segment, found.customers, found.status.value, found.reason, document)
            return pd.DataFrame([row], columns=[*columns, *_RESULT_NAMES])

        schema = ", ".join([*(f"`{name}` string" for name in columns), _RESULT])
        found = self.condensed.groupBy(*columns).applyInPandas(fit_one, schema).collect()
        return [self._read(tuple(row)) for row in found]

    def release(self) -> None:
        """Give back what Spark keeps of the rows."""
        if self._on_spark:
            self.condensed.unpersist()

    def _read(self, row: tuple[Any, ...]) -> SegmentFit:
        segment, (customers, status, reason, document) = (
            row[: -len(_RESULT_NAMES)],
            row[-len(_RESULT_NAMES) :],
        )
        kind = type(self._model)
        model = kind.from_dict(json.loads(document)) if document else kind(**self._model.settings())
        return SegmentFit(segment, model, FitStatus(status), reason, customers)


_RESULT_NAMES = tuple(part.split()[0] for part in _RESULT.split(", "))


def _condense_on_spark(summary: Any, names: Sequence[str], segment_columns: Sequence[str]) -> Any:
    from pyspark.sql import functions as F

    weight = F.col(WEIGHT).cast("double") if WEIGHT in summary.columns else F.lit(1.0)
    rows = summary.select(
        *(F.col(name).cast("string").alias(name) for name in segment_columns),
        *(F.col(name).cast("double").alias(name) for name in names),
        weight.alias(WEIGHT),
    )
    return rows.groupBy(*segment_columns, *names).agg(F.sum(WEIGHT).alias(WEIGHT))


def _condense_in_pandas(
    summary: pd.DataFrame, names: Sequence[str], segment_columns: Sequence[str]
) -> pd.DataFrame:
    weight = summary.get(WEIGHT, 1.0)
    rows = _with_labels(summary, segment_columns)[[*segment_columns, *names]].assign(
        **{WEIGHT: weight}
    )
    keys = [*segment_columns, *names]
    return rows.groupby(keys, dropna=False, as_index=False, sort=False)[WEIGHT].sum()


def _with_labels(summary: pd.DataFrame, segment_columns: Sequence[str]) -> pd.DataFrame:
    """The frame with segment columns as text or None."""
    texts = {
        name: summary[name]
        .astype(object)
        .map(str, na_action="ignore")
        .where(summary[name].notna(), None)
        for name in segment_columns
    }
    return summary.assign(**texts)


def _segment(rows: pd.DataFrame, columns: Sequence[str]) -> Segment:
    labels = rows[[*columns]].iloc[0]
    return tuple(None if pd.isna(label) else str(label) for label in labels)


def _ask(method: str, **arguments: Any) -> Callable[..., Any]:
    def ask(model: MemorylessModel, rows: pd.DataFrame) -> Any:
        return getattr(model, method)(rows, **arguments)

    return ask


def _check_segment_columns(segment_columns: Sequence[str], model: MemorylessModel) -> None:
    reserved = {*model.summary_columns, WEIGHT, *_RESULT_NAMES}
    distinct = set(segment_columns)
    valid = not isinstance(segment_columns, str) and 0 < len(distinct) == len(segment_columns)
    if not valid or distinct & reserved:
        raise InvalidArgumentError(
            f"segment_columns: must be one or more different columns, none of them {', '.join(sorted(reserved))}"
        )


def _require_columns(columns: Any, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in columns]
    if missing:
        raise InvalidSummaryError(
            f"summary: column(s) {', '.join(missing)} missing; a summary by segment has {', '.join(names)}; rename or "
            "add the columns"
        )
