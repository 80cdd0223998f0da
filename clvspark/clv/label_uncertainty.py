"""How uncertain everybody's value is where customers of different labels have models of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from clvspark.clv.label_models import Labels, ModelsByLabel
from clvspark.clv.models.summary import FloatArray
from clvspark.clv.uncertainty import (
    Outcomes,
    Threshold,
    ValueUncertainty,
    find_outcome_threshold,
)
from clvspark.clv.uncertainty.outcomes import SpendModel
from clvspark.clv.uncertainty.top_share import weighted_quantile


class UncertaintyByLabel:
    """Intervals and chances as of `ValueUncertainty`, of customers by the model of their labels.

    The top share is that of all customers together. The value that it exceeds is taken for known: it depends on the
    parameters of all models at once, and on those of one alone but little.
    """

    def __init__(
        self,
        models: ModelsByLabel,
        spend: SpendModel,
        *,
        horizon: float,
        annual_discount_rate: float,
        sample: pd.DataFrame,
        level: float,
        share: float,
    ) -> None:
        self._models, self._spend = models, spend
        self._settings = {
            "horizon": horizon,
            "annual_discount_rate": annual_discount_rate,
            "level": level,
        }
        self._known: dict[Labels, ValueUncertainty] = {}
        parts = [(self._of(key), sample.iloc[at]) for key, at in models.parts(sample)]
        expected = np.concatenate([known.expected_value(rows).estimate for known, rows in parts])
        outcomes = _Together([known.outcomes(rows) for known, rows in parts])
        # One number for the parameters of any model: none of them moves it.
        self._top = Threshold(weighted_quantile(expected, 1.0 - share), np.zeros(1))
        self._top_outcome = find_outcome_threshold(outcomes, share=share)

    def describe(self, histories: pd.DataFrame) -> pd.DataFrame:
        """See `ValueUncertainty.describe`; the histories have the labels besides."""
        parts = [
            self._of(key)
            .exceeding(self._top, self._top_outcome)
            .describe(histories.iloc[at])
            .set_axis(at, axis=0)
            for key, at in self._models.parts(histories)
        ]
        return pd.concat(parts).sort_index().set_axis(histories.index, axis=0)

    def _of(self, key: Labels) -> ValueUncertainty:
        """Of the customers of one model; kept, as its tables are made once."""
        if key not in self._known:
            settings: dict[str, Any] = self._settings
            self._known[key] = ValueUncertainty(
                self._models.model_of(key), self._spend, sample=None, **settings
            )
        return self._known[key]


class _Together:
    """What customers of several models may bring."""

    def __init__(self, parts: list[Outcomes]) -> None:
        self._parts = parts

    def value(self, level: float) -> FloatArray:
        return np.concatenate([part.value(level) for part in self._parts])

    def probability_above(self, value: float) -> FloatArray:
        return np.concatenate([part.probability_above(value) for part in self._parts])
