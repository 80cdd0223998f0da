"""Many models on one log, beside two forecasts that need no model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clvspark.clv.logs.fit import LogFit, fit_log
from clvspark.clv.logs.holdout import Holdout, judge
from clvspark.clv.logs.split import SplitLog
from clvspark.clv.logs.summarise import summarise_purchases

BASELINES = LAST_PERIOD, AVERAGE_RATE = "last_period", "average_rate"
_PURCHASE_TIMES = ("bg_nbd", "mbg_nbd", "bg_cnbd_2", "mbg_cnbd_2", "pareto_nbd", "nbd")


@dataclass(frozen=True)
class Contender:
    """A model or a baseline: how well it fits and how well it foretold.

    `log_likelihood` and `bic` are NaN of a baseline and of a model that could not be fitted, which `reason` explains.
    They compare models of the same data only: purchase times, opportunities (``bg_bb``), renewals (``sbg``) and spend
    (``gamma_gamma``) are different data.
    """

    name: str
    log_likelihood: float
    bic: float
    holdout: Holdout | None
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; what there is not is None."""
        known = math.isfinite(self.log_likelihood)
        return {
            "model": self.name,
            "log_likelihood": self.log_likelihood if known else None,
            "bic": self.bic if known else None,
            "holdout": self.holdout.to_dict() if self.holdout else None,
            "reason": self.reason,
        }


def default_models(split: SplitLog) -> tuple[str, ...]:
    """Models that apply to any log: of purchase times, of opportunities, and of spend where there are values.

    ``sbg`` is for contracts, in which who does not pay is gone: it is fitted where it is named.
    """
    spend = ("gamma_gamma",) if split.log.has_values else ()
    return (*_PURCHASE_TIMES, "bg_bb", *spend)


def compare_models(
    split: SplitLog, names: Sequence[str] = (), *, step: Callable[[str], None] = lambda _: None
) -> list[Contender]:
    """Fit the models of these names, `default_models` without any, and judge them and the baselines on the holdout.

    Baselines, of purchases: ``last_period`` expects the repeat purchases of the holdout to be as many as in the period
    of equal length before it; ``average_rate`` expects them to come at the customer's average rate since the first
    purchase, frequency / T.
    """
    found = []
    for name in names or default_models(split):
        step(name)
        found.append(_contender(fit_log(split, name)))
    return found + _baselines(split)


def _contender(fit: LogFit) -> Contender:
    likelihood = fit.model.log_likelihood_ if fit.model else math.nan
    return Contender(fit.name, likelihood, fit.bic, fit.holdout, fit.reason)


def _baselines(split: SplitLog) -> list[Contender]:
    if split.holdout_end is None:
        return []
    rows = summarise_purchases(split)
    # Who came on the last day has no rate yet.
    rate = np.divide(
        rows["frequency"], rows["T"], out=np.zeros_like(rows["T"]), where=rows["T"] > 0
    )
    forecasts = {LAST_PERIOD: rows["recent_purchases"], AVERAGE_RATE: rate * split.horizon}
    return [
        Contender(
            name,
            math.nan,
            math.nan,
            judge("purchases", rows["holdout_purchases"], predicted, rows["weight"]),
        )
        for name, predicted in forecasts.items()
    ]
