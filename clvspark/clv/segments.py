"""One model for each segment (country, channel, cohort), the small ones pooled towards the whole.

Two passes over the distinct histories of each segment, in parallel on the executors: every segment is fitted alone;
how the estimates differ gives a prior; every segment is fitted again under it (empirical Bayes, see `models.pooling`).
A large segment keeps its own estimate, a small one is drawn towards the mean, and one without information takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from clvspark.clv.label_models import Labels
from clvspark.clv.models.errors import (
    ClvModelError,
    DegenerateDataError,
    InvalidArgumentError,
    InvalidSummaryError,
)
from clvspark.clv.models.memoryless import MemorylessModel
from clvspark.clv.models.pooling import NormalPrior, estimate_prior
from clvspark.clv.models.summary import WEIGHT
from clvspark.clv.segment_models import FitStatus, SegmentFit, SegmentModels
from clvspark.clv.segment_rows import RESULT_NAMES, SegmentRows

MIN_SEGMENTS = 3
"""Segments that must have been fitted alone before it is estimated how segments differ."""


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
    rows = SegmentRows(summary, tuple(segment_columns), model, max_segments)
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
    # How segments differ is how far one that was not seen may lie from the mean.
    whole = model.with_unconstrained(prior.mean, covariance=prior.covariance)
    return SegmentModels(rows.segment_columns, _by_segment(pooled), whole, prior)


def _without_prior(
    alone: list[SegmentFit], rows: SegmentRows, model: MemorylessModel
) -> SegmentModels:
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


def _by_segment(fits: list[SegmentFit]) -> dict[Labels, SegmentFit]:
    ordered = sorted(
        fits, key=lambda fit: tuple((label is not None, label or "") for label in fit.segment)
    )
    return {fit.segment: fit for fit in ordered}


def _fit_alone(
    segment: Labels, rows: pd.DataFrame, *, model: MemorylessModel, min_customers: int
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
    segment: Labels,
    rows: pd.DataFrame,
    *,
    model: MemorylessModel,
    prior: NormalPrior,
    reasons: dict[Labels, str],
) -> SegmentFit:
    """The mode of the segment's posterior; `reasons` say why segments could not be fitted alone."""
    own, customers = type(model)(**model.settings()), float(rows[WEIGHT].sum())
    reason = reasons[segment]
    status = FitStatus.POOLED if reason else FitStatus.FITTED
    try:
        own.fit_with_prior(rows, prior)
    except ClvModelError as error:
        own = model.with_unconstrained(prior.mean, covariance=prior.covariance)
        status, reason = FitStatus.PRIOR_ONLY, f"{type(error).__name__}: {error}"
    return SegmentFit(segment, own, status, reason, customers)


def _check_segment_columns(segment_columns: Sequence[str], model: MemorylessModel) -> None:
    reserved = {*model.summary_columns, WEIGHT, *RESULT_NAMES}
    distinct = set(segment_columns)
    valid = not isinstance(segment_columns, str) and 0 < len(distinct) == len(segment_columns)
    if not valid or distinct & reserved:
        raise InvalidArgumentError(
            f"segment_columns: must be one or more different columns, none of them {', '.join(sorted(reserved))}"
        )
