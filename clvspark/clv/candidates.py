"""Fit the candidates: the plain models, those with covariates, and the best family by segment."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd
from pyspark.sql import DataFrame

from clvspark.clv import covariate_models
from clvspark.clv.config import ClvConfig, SegmentsConfig
from clvspark.clv.covariate_models import CovariateModels
from clvspark.clv.fit import (
    TIME_UNIT,
    TRANSACTION_CLASSES,
    TRANSACTION_MODELS,
    FoldModels,
    fit_transaction_model,
)
from clvspark.clv.label_models import PurchaseModel, drop_labels
from clvspark.clv.models.covariate_model import CovariateModel
from clvspark.clv.models.errors import ClvModelError, SpendFrequencyCorrelationWarning
from clvspark.clv.models.memoryless import MemorylessModel
from clvspark.clv.models.transactions import TRIPLE
from clvspark.clv.segment_models import SegmentModels
from clvspark.clv.segments import fit_by_segment
from clvspark.clv.spend import fit_spend_model
from clvspark.lakehouse.errors import TrainingError

_WITH_COVARIATES: dict[str, type[CovariateModel]] = {
    name: kind for name, kind in TRANSACTION_CLASSES.items() if issubclass(kind, CovariateModel)
}
_BY_SEGMENT: dict[str, type[MemorylessModel]] = {
    name: kind for name, kind in TRANSACTION_CLASSES.items() if issubclass(kind, MemorylessModel)
}


def with_covariates(name: str) -> str:
    """Name of a model of ``clv.models`` that is fitted with covariates."""
    return f"{name}WithCovariates"


def by_segment(name: str) -> str:
    """Name of a model of ``clv.models`` that is fitted by segment."""
    return f"{name}BySegment"


CANDIDATES = frozenset(
    {*TRANSACTION_MODELS, *map(with_covariates, _WITH_COVARIATES), *map(by_segment, _BY_SEGMENT)}
)
"""Names of all transaction models that may be fitted."""


@dataclass(frozen=True)
class FittedCandidates:
    """Models fitted to the same customers, why others could not be by name, and what fitted ones warn of."""

    models: FoldModels
    refused: dict[str, str]
    warnings: list[str]


def fit_candidates(
    config: ClvConfig, histories: pd.DataFrame, summaries: DataFrame
) -> FittedCandidates:
    """Fit every model of ``clv.models``, those that can be also with ``clv.covariates``, and the spend model.

    In: `collect_histories` with ``clv.labels``, and the rows with `model_columns` that they are of.
    """
    plain = drop_labels(histories, config.labels) if config.labels else histories
    fits: dict[str, Callable[[], PurchaseModel]] = {
        name: partial(fit_transaction_model, name, plain) for name in config.models
    }
    if config.covariates:
        fits |= {
            with_covariates(name): partial(fit_covariates, name, histories, config.covariates)
            for name in config.models
            if name in _WITH_COVARIATES
        }
    transaction, spend = {}, None
    refused: dict[str, str] = {}
    for name, fit in fits.items():
        try:
            transaction[name] = fit()
        except TrainingError as error:
            refused[name] = str(error)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SpendFrequencyCorrelationWarning)
        try:
            spend = fit_spend_model(summaries, config.spend_model, time_unit=TIME_UNIT)
        except TrainingError as error:
            refused[config.spend_model] = str(error)
    said = [
        f"{config.spend_model}: {one.message}"
        for one in caught
        if one.category is SpendFrequencyCorrelationWarning
    ]
    return FittedCandidates(FoldModels(transaction, spend), refused, said)


def takes_segments(name: str) -> bool:
    """Whether a model of ``clv.models`` can be fitted by segment."""
    return name in _BY_SEGMENT


def fit_covariates(
    name: str, histories: pd.DataFrame, covariates: Sequence[str]
) -> CovariateModels:
    """Fit a model with covariates on `collect_histories` with these labels; TrainingError says why it could not."""
    try:
        return covariate_models.fit_with_covariates(
            histories, columns=covariates, kind=_WITH_COVARIATES[name], time_unit=TIME_UNIT
        )
    except ClvModelError as error:
        raise TrainingError(f"{with_covariates(name)} could not be fitted: {error}") from error


def fit_segments(
    name: str, summaries: DataFrame, histories: pd.DataFrame, segments: SegmentsConfig
) -> SegmentModels:
    """Fit a model by segment, in one distributed job; TrainingError says why it could not.

    In: rows with `model_columns` and the labels, and `collect_histories` of the same, for their likelihood.
    """
    model = _BY_SEGMENT[name](time_unit=TIME_UNIT)
    try:
        found = fit_by_segment(
            summaries.select(*TRIPLE, *segments.by),
            segment_columns=segments.by,
            model=model,
            min_customers=segments.min_customers,
            max_segments=segments.max_segments,
        )
    except ClvModelError as error:
        raise TrainingError(f"{by_segment(name)} could not be fitted: {error}") from error
    return replace(found, total_log_likelihood=found.log_likelihood(histories))
