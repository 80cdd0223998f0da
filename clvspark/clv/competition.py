"""Every candidate is backtested on the holdout and fitted to all that is known; the best one becomes the champion."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

from pyspark.sql import DataFrame

from clvspark.clv.config import ClvConfig
from clvspark.clv.fit import (
    DAYS_PER_UNIT,
    TransactionModel,
    fit_spend_model,
    fit_transaction_model,
)
from clvspark.clv.models import GammaGammaModel
from clvspark.clv.models.errors import SpendFrequencyCorrelationWarning
from clvspark.clv.validate import backtest_model, join_holdout
from clvspark.lakehouse.errors import TrainingError

SPEND_MODEL = GammaGammaModel.__name__


@dataclass
class Competition:
    """How the candidates did.

    Parameters
    ----------
    fitted : models fitted to all that is known, by name; the spend model among them.
    measures : of `backtest_model` and ``log_likelihood``, by transaction model.
    refused : why a model could not be fitted, by name.
    warnings : what a model that was fitted says of its assumptions.
    """

    fitted: dict[str, TransactionModel | GammaGammaModel] = field(default_factory=dict)
    measures: dict[str, dict[str, float]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def can_value(self) -> bool:
        """Whether there is a model that counts purchases, and one that prices them."""
        return bool(self.measures) and SPEND_MODEL in self.fitted

    def champion(self, by: str) -> str:
        """The transaction model with the best measure `by`; of equal ones the first by name.

        Where nobody bought in the holdout there is no share of the actual purchases; then the MAE decides.
        """
        if any(by not in measures for measures in self.measures.values()):
            by = "mae"
        sign = -1 if by == "log_likelihood" else 1
        return min(self.measures, key=lambda name: (sign * self.measures[name][by], name))


def hold_competition(
    config: ClvConfig, before: DataFrame, now: DataFrame, step: Callable[[str], None]
) -> Competition:
    """Fit every model of ``clv.models`` and the spend model; one that cannot be fitted is left out with its reason.

    In: history.clv_summary with `model_columns` as of the beginning and the end of the holdout. The others may suit
    these customers where one does not.
    """
    found = Competition()
    holdout = join_holdout(before, now).localCheckpoint()
    weeks = config.holdout_days / DAYS_PER_UNIT
    for name in config.models:
        step(f"backtesting {name}")
        try:
            calibrated = fit_transaction_model(name, before)
            found.fitted[name] = fit_transaction_model(name, now)
        except TrainingError as error:
            found.refused[name] = str(error)
            continue
        measures = backtest_model(calibrated, holdout, holdout_weeks=weeks)
        found.measures[name] = {**measures, "log_likelihood": calibrated.log_likelihood_}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SpendFrequencyCorrelationWarning)
        try:
            found.fitted[SPEND_MODEL] = fit_spend_model(now)
        except TrainingError as error:
            found.refused[SPEND_MODEL] = str(error)
    found.warnings += [
        f"{SPEND_MODEL}: {one.message}"
        for one in caught
        if one.category is SpendFrequencyCorrelationWarning
    ]
    return found
