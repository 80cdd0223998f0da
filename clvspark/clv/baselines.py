"""What people use who have no model: the last period again, and the simple formula."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from clvspark.clv.models.summary import FloatArray
from clvspark.clv.models.units import DAYS_PER_YEAR

Predicted = dict[str, FloatArray]
PURCHASES, VALUE = "purchases", "value"


def repeat_last_period(cases: pd.DataFrame, horizon_days: int) -> Predicted:
    """What a person did in the window before the origin, which is as long as the horizon."""
    del horizon_days
    return {
        PURCHASES: cases["purchases_before"].to_numpy(float),
        VALUE: cases["value_before"].to_numpy(float),
    }


def extrapolate_average_rate(cases: pd.DataFrame, horizon_days: int) -> Predicted:
    """Average purchase value x purchases a year x the horizon in years.

    As in `score.simple_value` a history shorter than a year counts as a year.
    """
    years = np.maximum(cases["t_days"].to_numpy(float) / DAYS_PER_YEAR, 1.0)
    share = horizon_days / DAYS_PER_YEAR / years
    return {
        PURCHASES: (cases["frequency"].to_numpy(float) + 1.0) * share,
        VALUE: cases["historical_value"].to_numpy(float) * share,
    }


BASELINES: dict[str, Callable[[pd.DataFrame, int], Predicted]] = {
    "LastPeriod": repeat_last_period,
    "SimpleFormula": extrapolate_average_rate,
}
