"""The models of segments, and the document that keeps them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np
import pandas as pd

from clvspark.clv.label_models import Labels, ModelsByLabel
from clvspark.clv.models.base import finite_or_none, float_or_nan
from clvspark.clv.models.memoryless import MemorylessModel
from clvspark.clv.models.pooling import NormalPrior

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

    segment: Labels
    model: MemorylessModel
    status: FitStatus
    reason: str
    customers: float


@dataclass(frozen=True)
class SegmentModels(ModelsByLabel):
    """A model for each segment, and the one of the whole for segments that were not seen.

    See `ModelsByLabel` for predictions. `total_log_likelihood` is that of all segments, NaN where nobody has worked
    it out.
    """

    segment_columns: tuple[str, ...]
    fits: dict[Labels, SegmentFit]
    whole: MemorylessModel
    prior: NormalPrior | None
    total_log_likelihood: float = math.nan

    @property
    def label_columns(self) -> tuple[str, ...]:
        """See `ModelsByLabel.label_columns`."""
        return self.segment_columns

    @property
    def typical(self) -> MemorylessModel:
        """See `ModelsByLabel.typical`: the whole's."""
        return self.whole

    @property
    def customers_by_labels(self) -> dict[Labels, float]:
        """See `ModelsByLabel.customers_by_labels`."""
        return {segment: fit.customers for segment, fit in self.fits.items()}

    @property
    def log_likelihood_(self) -> float:
        """See `ModelsByLabel.log_likelihood_`."""
        return self.total_log_likelihood

    @property
    def n_parameters(self) -> int:
        """See `ModelsByLabel.n_parameters`; of all segments."""
        return len(self.whole.params_) * len(self.fits)

    def key_of(self, labels: Labels) -> Labels:
        """The segment; none for one that was not seen."""
        return labels if labels in self.fits else ()

    def model_of(self, labels: Labels) -> MemorylessModel:
        """The model of a segment; of one that was not seen, the whole's."""
        fit = self.fits.get(labels)
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

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values, enough to score: those of the whole's model, with the segments beside them."""
        segments = [
            {
                "segment": list(fit.segment),
                "status": fit.status.value,
                "reason": fit.reason,
                "customers": fit.customers,
                "document": fit.model.to_dict(),
            }
            for fit in self.fits.values()
        ]
        prior = self.prior and {
            "mean": self.prior.mean.tolist(),
            "covariance": self.prior.covariance.tolist(),
        }
        return self.whole.to_dict() | {
            "log_likelihood": finite_or_none(self.log_likelihood_),
            "n_customers": sum(self.customers_by_labels.values()),
            "segment_columns": list(self.segment_columns),
            "segments": segments,
            "prior": prior,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], kind: type[MemorylessModel]) -> Self:
        """Rebuild from `to_dict` the models, which are of `kind`."""
        fits = [
            SegmentFit(
                tuple(one["segment"]),
                kind.from_dict(one["document"]),
                FitStatus(one["status"]),
                one["reason"],
                one["customers"],
            )
            for one in document["segments"]
        ]
        prior = document["prior"]
        return cls(
            tuple(document["segment_columns"]),
            {fit.segment: fit for fit in fits},
            kind.from_dict(document),
            prior and NormalPrior(np.array(prior["mean"]), np.array(prior["covariance"])),
            float_or_nan(document["log_likelihood"]),
        )
