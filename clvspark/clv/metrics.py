"""How good predictions are: measures of predicted against actual values, in NumPy.

Every function takes one value per customer, or one per group of like customers with `weight`, how many they are. The
order of the rows never matters: customers with equal predictions share their actual values evenly. A measure that is
not defined on the data is NaN. `InvalidArgumentError` where values are missing, not finite, or differ in number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clvspark.clv.models.errors import InvalidArgumentError
from clvspark.clv.models.summary import FloatArray, Groups, condense

_DECILES = 10
# Probabilities are not known to more digits.
_NO_JUMP = 1e-12


@dataclass(frozen=True)
class Decile:
    """A tenth of the customers in the order of their predictions.

    `decile` is 1 for the highest predictions; `cumulative_share` is the share of all that was actual that this decile
    and those before it hold.
    """

    decile: int
    customers: float
    mean_predicted: float
    mean_actual: float
    cumulative_share: float


def bias(actual: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Predicted total over actual total, less 1; NaN where the actual total is 0."""
    rows = _rows(actual, predicted, weight)
    total = float(rows.weight @ rows["actual"])
    return float(rows.weight @ rows["predicted"]) / total - 1.0 if total else math.nan


def mean_absolute_error(
    actual: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """MAE: mean of |predicted - actual| over customers."""
    rows = _rows(actual, predicted, weight)
    return float(rows.weight @ np.abs(rows["predicted"] - rows["actual"])) / rows.n_customers


def root_mean_squared_error(
    actual: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """RMSE: root of the mean of (predicted - actual)^2 over customers."""
    rows = _rows(actual, predicted, weight)
    return _root_mean_square(rows["predicted"] - rows["actual"], rows)


def root_mean_squared_log_error(
    actual: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """RMSLE: RMSE of log(1 + value); NaN where a value is negative."""
    rows = _rows(actual, predicted, weight)
    if min(rows["predicted"].min(), rows["actual"].min()) < 0:
        return math.nan
    return _root_mean_square(np.log1p(rows["predicted"]) - np.log1p(rows["actual"]), rows)


def normalised_gini(
    actual: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Gini coefficient of the actual values in the order of the predictions, over that in their own order.

    1: the predictions rank customers as what came after does; 0: no better than chance; NaN where all customers are
    alike. Wang, Liu and Miao (2019), "A deep probabilistic model for customer lifetime value prediction", section 4.
    """
    rows = _rows(actual, predicted, weight)
    most = _gini(rows, "actual")
    return _gini(rows, "predicted") / most if most else math.nan


def decile_table(
    actual: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None
) -> list[Decile]:
    """Customers in ten parts by descending prediction.

    Decile k ends with customer floor(k n / 10) of n, so that sizes differ by one at most; of fewer than ten customers
    the deciles without any are left out. Where a boundary falls among equal predictions, both sides get their even
    share of the actual values.
    """
    rows = _rows(actual, predicted, weight)
    customers, in_predicted, in_actual = _pooled(rows, "predicted")
    # Of the best n customers: their number, predicted and actual total.
    best = [np.append(0.0, np.cumsum(part[::-1])) for part in (customers, in_predicted, in_actual)]
    total = float(in_actual.sum())
    # Bootstrap weights add up to a whole number but for rounding.
    ends = np.floor(np.arange(_DECILES + 1) * best[0][-1] / _DECILES + 1e-9)
    ends[-1] = best[0][-1]
    until_predicted, until_actual = (np.interp(ends, best[0], part) for part in best[1:])
    found = []
    for k in range(_DECILES):
        size = float(ends[k + 1] - ends[k])
        if size <= 0:
            continue
        found.append(
            Decile(
                decile=k + 1,
                customers=size,
                mean_predicted=float(until_predicted[k + 1] - until_predicted[k]) / size,
                mean_actual=float(until_actual[k + 1] - until_actual[k]) / size,
                cumulative_share=float(until_actual[k + 1]) / total if total > 0 else math.nan,
            )
        )
    return found


def decile_mape(actual: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Mean over the deciles of |mean predicted - mean actual| / mean actual.

    Deciles in which nothing was actual have no percentage and are left out; NaN where that is all. Wang, Liu and
    Miao (2019), section 4.
    """
    errors = [
        abs(one.mean_predicted / one.mean_actual - 1.0)
        for one in decile_table(actual, predicted, weight)
        if one.mean_actual > 0
    ]
    return math.fsum(errors) / len(errors) if errors else math.nan


def top_decile_share(
    actual: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Share of all that was actual that the tenth of the customers with the highest predictions holds.

    NaN of fewer than ten customers, where nobody is a tenth, and where nothing was actual.
    """
    first = decile_table(actual, predicted, weight)[0]
    return first.cumulative_share if first.decile == 1 else math.nan


def interval_coverage(
    actual: ArrayLike, lower: ArrayLike, upper: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Share of the customers whose actual value lies within their interval, bounds included."""
    below, above = _rows(actual, lower, weight), _rows(actual, upper, weight)
    if np.any(np.asarray(lower) > np.asarray(upper)):
        raise InvalidArgumentError("lower: exceeds upper; allowed: lower <= upper of each customer")
    missed = below.weight @ (below["actual"] < below["predicted"])
    missed += above.weight @ (above["actual"] > above["predicted"])
    return 1.0 - float(missed) / below.n_customers


def randomised_coverage(
    below: ArrayLike, upto: ArrayLike, weight: ArrayLike | None = None, *, level: float = 0.8
) -> float:
    """Share of the customers whom central intervals hold, where a jump counts by the part of it that is within.

    Given are P(less than the actual value) and P(at most it) as they were predicted. Where customers do as predicted
    this is `level` on average, also of counts and of values that may be 0; `interval_coverage` is more, as an interval
    that reaches into a jump contains all of it. It is the mean over random places within the jump: Czado, Gneiting and
    Held (2009), "Predictive model assessment for count data", eq. 2.
    """
    rows = _rows(upto, below, weight)
    begin, end = rows["predicted"], rows["actual"]
    low, high = (1.0 - level) / 2.0, (1.0 + level) / 2.0
    within = np.clip(np.minimum(end, high) - np.maximum(begin, low), 0.0, None)
    jump = end - begin
    held = np.where(
        jump > _NO_JUMP, within / np.maximum(jump, _NO_JUMP), (low <= end) & (end <= high)
    )
    return float(rows.weight @ held) / rows.n_customers


def mean_interval_width(
    lower: ArrayLike, upper: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Mean of upper - lower: of intervals that hold as many customers the narrower say more."""
    rows = _rows(upper, lower, weight)
    return float(rows.weight @ (rows["actual"] - rows["predicted"])) / rows.n_customers


def measure_predictions(
    actual: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None = None
) -> dict[str, float]:
    """Totals and all measures of point predictions, by the names that reports use."""
    rows = _rows(actual, predicted, weight)
    given = (rows["actual"], rows["predicted"], rows.weight)
    return {
        "predicted_total": float(rows.weight @ rows["predicted"]),
        "actual_total": float(rows.weight @ rows["actual"]),
        "bias": bias(*given),
        "mae": mean_absolute_error(*given),
        "rmse": root_mean_squared_error(*given),
        "rmsle": root_mean_squared_log_error(*given),
        "normalised_gini": normalised_gini(*given),
        "decile_mape": decile_mape(*given),
        "top_decile_share": top_decile_share(*given),
    }


def _rows(actual: ArrayLike, predicted: ArrayLike, weight: ArrayLike | None) -> Groups:
    """Distinct (predicted, actual) in this order with their customers, so that sums come to the same in any order."""
    given = {"predicted": _numbers("predicted", predicted), "actual": _numbers("actual", actual)}
    size = len(given["actual"])
    customers = np.ones(size) if weight is None else _numbers("weight", weight)
    if len({size, len(given["predicted"]), len(customers)}) > 1:
        raise InvalidArgumentError(
            "actual, predicted and weight differ in length; give one value of each per customer"
        )
    if not (np.all(customers >= 0) and np.any(customers > 0)):
        raise InvalidArgumentError(
            "weight: no customers, or fewer than none; allowed: at least one row, numbers of customers >= 0"
        )
    return condense(given, customers)


def _numbers(name: str, values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.all(np.isfinite(array)):
        raise InvalidArgumentError(
            f"{name}: is not a finite number of each customer; allowed: an array of one dimension without missing or "
            "infinite values"
        )
    return array


def _root_mean_square(error: FloatArray, rows: Groups) -> float:
    return math.sqrt(float(rows.weight @ error**2) / rows.n_customers)


def _pooled(rows: Groups, order: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Customers, predicted and actual total of each distinct value of `order`, ascending."""
    rank = np.argsort(rows[order], kind="stable")
    value, customers = rows[order][rank], rows.weight[rank]
    first = np.flatnonzero(np.append(True, value[1:] != value[:-1]))
    totals = (customers * rows[name][rank] for name in ("predicted", "actual"))
    in_predicted, in_actual = (np.add.reduceat(total, first) for total in totals)
    return np.add.reduceat(customers, first), in_predicted, in_actual


def _gini(rows: Groups, order: str) -> float:
    """One less twice the area under the Lorenz curve of the actual values in the given order."""
    customers, _, in_actual = _pooled(rows, order)
    total = float(in_actual.sum())
    if total <= 0:
        return 0.0
    share = np.append(0.0, np.cumsum(in_actual)) / total
    area = float(customers @ (share[1:] + share[:-1])) / (2.0 * rows.n_customers)
    return 1.0 - 2.0 * area
