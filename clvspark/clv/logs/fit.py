"""Fit a model by its name to a log, and judge it on the holdout."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clvspark.clv.logs.holdout import Holdout, judge
from clvspark.clv.logs.spend import count_worthless, summarise_holdout_spend, summarise_spend
from clvspark.clv.logs.split import SplitLog
from clvspark.clv.logs.summarise import (
    Rows,
    count_customers,
    summarise_periods,
    summarise_purchases,
)
from clvspark.clv.models import BetaGeoBetaBinomModel, GammaGammaModel, ShiftedBetaGeoModel
from clvspark.clv.models.base import WALD_95, LifetimeModel, finite_or_none
from clvspark.clv.models.errors import (
    ClvModelError,
    DegenerateDataError,
    InfiniteMeanWarning,
    TooManyGroupsError,
)
from clvspark.clv.models.summary import FloatArray
from clvspark.clv.models.transactions import TransactionModel
from clvspark.clv.names import make_model
from clvspark.lakehouse.errors import ConfigError

CORRELATION = "spend_frequency_correlation"
"""Of ``gamma_gamma``: how mean spend and frequency of repeat customers correlate (Pearson)."""
# Distinct histories times opportunities that BG/BB holds in memory, some ten numbers each.
_MAX_CELLS = 20_000_000


@dataclass
class LogFit:
    """A model fitted to a log, or the reason why it could not be.

    `model` is None and `reason` says why where the likelihood has no verified maximum, the log says too little, or the
    mean spend is not known (`GammaGammaModel.require_known_mean`);
    `rows` is what was fitted, `notes` what to know about it.
    """

    name: str
    customers: int
    model: LifetimeModel | None = None
    rows: Rows = field(default_factory=dict)
    reason: str | None = None
    holdout: Holdout | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def bic(self) -> float:
        """Bayesian information criterion, k ln(n) - 2 LL; compares models of the same rows, less is better."""
        if self.model is None:
            return math.nan
        return len(self.model.params_) * math.log(self.customers) - 2.0 * self.model.log_likelihood_

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; ``reason`` is there only where the fit did not converge.

        Of ``gamma_gamma`` there is ``spend_frequency_correlation``, which the model assumes to be 0; None where all
        have one frequency.
        """
        found = self.model
        told = {
            "model": self.name,
            "params": found.params_ if found else {},
            "standard_errors": dict(found.standard_errors_) if found else {},
            "log_likelihood": found.log_likelihood_ if found else None,
            "customers": self.customers,
            "converged": found is not None,
            "holdout": self.holdout.to_dict() if self.holdout else None,
        }
        if isinstance(found, GammaGammaModel):
            told[CORRELATION] = finite_or_none(found.spend_frequency_correlation_)
        return told if found else told | {"reason": self.reason}


def fit_log(split: SplitLog, name: str) -> LogFit:
    """Fit the model of a name (`clvspark.clv.names`) to the log up to `calibration_end`; judge it on what comes after.

    Purchase times for the continuous models, calendar periods for ``bg_bb`` and ``sbg``, mean spends of repeat
    customers for ``gamma_gamma``. ConfigError for an unknown name, and for ``gamma_gamma`` without a value column.
    """
    model = make_model(name, time_unit=split.time_unit)
    if isinstance(model, GammaGammaModel) and not split.log.has_values:
        raise ConfigError(
            "model", [f"{name} is fitted to spend; name the column of values: --value-column"]
        )
    found = LogFit(name, count_customers(split))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        # It is the reason why there is no model.
        warnings.simplefilter("ignore", InfiniteMeanWarning)
        try:
            found.rows = _rows_for(model, split)
            model.fit(found.rows)
            if isinstance(model, GammaGammaModel):
                model.require_known_mean()
            found.model = model
        except ClvModelError as error:
            found.reason = str(error)
    found.notes += [str(one.message) for one in caught] + _notes_on(model, split)
    if found.model is not None:
        found.customers = round(found.model.n_customers_)
        _judge(found, model, split)
    return found


def wald_intervals(model: LifetimeModel) -> dict[str, tuple[float, float]]:
    """95 % Wald intervals by parameter, of the logarithm, so that they stay positive as the parameters do."""
    errors = np.sqrt(np.diag(model.log_covariance_))
    return {
        name: (value * math.exp(-WALD_95 * error), value * math.exp(WALD_95 * error))
        for (name, value), error in zip(model.params_.items(), errors, strict=True)
    }


def expected_residual(found: LogFit, annual_discount_rate: float) -> dict[str, float]:
    """Discounted expected purchases still to come (DERT; of ``sbg`` renewals, DERL), per customer and in all.

    ConfigError for a model of spend, which says nothing of when.
    """
    if isinstance(found.model, TransactionModel):
        each = found.model.discounted_expected_residual_transactions(
            found.rows, annual_discount_rate=annual_discount_rate
        )
    elif isinstance(found.model, ShiftedBetaGeoModel):
        each = found.model.expected_residual_lifetime(
            found.rows, annual_discount_rate=annual_discount_rate
        )
    else:
        raise ConfigError(
            "model", [f"{found.name} does not say when purchases come; leave the discount rate out"]
        )
    total = float(found.rows["weight"] @ each)
    return {"per_customer": total / found.customers, "total": total}


def _rows_for(model: LifetimeModel, split: SplitLog) -> Rows:
    if isinstance(model, GammaGammaModel):
        return summarise_spend(split)
    if not isinstance(model, BetaGeoBetaBinomModel | ShiftedBetaGeoModel):
        return summarise_purchases(split)
    rows = summarise_periods(split)
    if not np.any(rows["T"] > 0):
        raise DegenerateDataError(
            f"the log up to {split.calibration_end} lies within one {split.time_unit.value}, so nobody had an "
            "opportunity after the first; choose a shorter time unit"
        )
    cells = len(rows["T"]) * int(rows["T"].max())
    if isinstance(model, BetaGeoBetaBinomModel) and cells > _MAX_CELLS:
        raise TooManyGroupsError(
            f"bg_bb adds up {cells:,} opportunities of distinct histories at once, more than {_MAX_CELLS:,}; choose a "
            f"longer time unit than a {split.time_unit.value}, or fit one cohort at a time"
        )
    return rows


def _notes_on(model: LifetimeModel, split: SplitLog) -> list[str]:
    if isinstance(model, GammaGammaModel):
        worthless = count_worthless(split)
        left_out = f"{worthless:,} repeat customers with a mean spend of 0 were left out"
        return [left_out] if worthless else []
    by_period = isinstance(model, BetaGeoBetaBinomModel | ShiftedBetaGeoModel)
    if not (by_period and split.is_cut_within_period):
        return []
    unit = split.time_unit.value
    note = (
        f"the last {unit} is seen up to {split.calibration_end} only, and counts as a whole opportunity; if purchases "
        f"could still have come in it, choose a calibration end that ends a {unit}"
    )
    return [note]


def _judge(found: LogFit, model: LifetimeModel, split: SplitLog) -> None:
    """Measure the model on the holdout, where there is one that it can predict."""
    if split.holdout_end is None:
        return
    if isinstance(model, GammaGammaModel):
        _judge_spend(found, model, split)
        return
    predicted = _predict(model, found.rows, split)
    if predicted is not None:
        found.holdout = judge(
            "purchases", found.rows["holdout_purchases"], predicted, found.rows["weight"]
        )


def _predict(model: LifetimeModel, rows: Rows, split: SplitLog) -> FloatArray | None:
    """Purchases (of ``sbg`` renewals) expected in the holdout; None where it holds no whole period."""
    periods = split.holdout_periods
    if isinstance(model, ShiftedBetaGeoModel):
        ahead = range(1, periods + 1)
        renewals = [model.expected_probability_alive(rows, future_t=j) for j in ahead]
        return np.sum(renewals, axis=0) if renewals else None
    if isinstance(model, BetaGeoBetaBinomModel):
        return np.asarray(model.expected_purchases(rows, future_t=periods)) if periods else None
    if isinstance(model, TransactionModel):
        return np.asarray(model.expected_purchases(rows, future_t=split.horizon))
    return None


def _judge_spend(found: LogFit, model: GammaGammaModel, split: SplitLog) -> None:
    rows = summarise_holdout_spend(split)
    if len(rows["weight"]) == 0:
        found.notes.append("nobody came back in the holdout, so spend cannot be compared")
        return
    predicted = model.expected_customer_spend(rows)
    found.holdout = judge("spend", rows["holdout_spend"], predicted, rows["weight"])
