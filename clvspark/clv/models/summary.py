"""The customers a model sees: columns checked, and condensed to distinct weighted rows.

The likelihoods depend on customers only through counts of distinct rows, so a million customers
fit as fast as their distinct rows do, with exactly the same estimates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvspark.clv.models.errors import InvalidSummaryError

FloatArray = NDArray[np.float64]

WEIGHT = "weight"


@dataclass(frozen=True)
class Groups:
    """Distinct rows of a summary, in lexicographic order, with the customers each stands for."""

    columns: dict[str, FloatArray]
    weight: FloatArray

    def __getitem__(self, name: str) -> FloatArray:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.weight)

    @property
    def n_customers(self) -> float:
        """Sum of the weights: the number of customers behind the groups."""
        return float(self.weight.sum())

    def mean(self, name: str) -> float:
        """Average of a column over customers."""
        return float(self.weight @ self.columns[name]) / self.n_customers

    def where(self, keep: NDArray[np.bool_]) -> Groups:
        """Return the groups for which `keep` is true."""
        return Groups({n: v[keep] for n, v in self.columns.items()}, self.weight[keep])

    def between(self, first: int, end: int) -> Groups:
        """Return the groups from one place to before another."""
        rows = slice(first, end)
        return Groups({n: v[rows] for n, v in self.columns.items()}, self.weight[rows])

    def every(self, step: int) -> Groups:
        """Return each `step`-th group: a systematic, reproducible sample."""
        return Groups({n: v[::step] for n, v in self.columns.items()}, self.weight[::step])


def read_columns(summary: Any, names: Sequence[str]) -> dict[str, FloatArray]:
    """Take the named columns of a pandas frame or mapping of arrays as floats of equal length."""
    missing = [name for name in names if name not in summary]
    if missing:
        raise InvalidSummaryError(
            f"summary: column(s) {', '.join(missing)} missing; a summary of this model has "
            f"{', '.join(names)}; rename or add the columns"
        )
    columns = {name: _as_floats(name, summary[name]) for name in names}
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise InvalidSummaryError(
            f"summary: columns {', '.join(names)} differ in length; give one value per customer"
        )
    return columns


def read_weight(summary: Any, n_rows: int) -> FloatArray:
    """Take the optional `weight` column (customers per row); 1 where there is none."""
    if WEIGHT not in summary:
        return np.ones(n_rows)
    weight = read_columns(summary, [WEIGHT])[WEIGHT]
    if len(weight) != n_rows:
        raise InvalidSummaryError(
            "summary.weight: differs in length from the other columns; give one value per row"
        )
    require(
        np.isfinite(weight) & (weight >= 0),
        "weight",
        "is negative or not finite",
        "a finite number of customers >= 0",
    )
    return weight


def condense(columns: Mapping[str, FloatArray], weight: FloatArray) -> Groups:
    """Group equal rows and add up their weights; rows of weight 0 vanish.

    The order of the result, and of every sum, depends only on the rows and not on their order.
    """
    kept = weight > 0
    values = [column[kept] for column in columns.values()]
    weight = weight[kept]
    if len(weight) == 0:
        return Groups({name: np.empty(0) for name in columns}, weight)
    order = np.lexsort((weight, *reversed(values)))
    values = [column[order] for column in values]
    starts = np.zeros(len(order), dtype=bool)
    starts[0] = True
    for column in values:
        starts[1:] |= column[1:] != column[:-1]
    first = np.flatnonzero(starts)
    total = np.add.reduceat(weight[order], first)
    named = zip(columns, values, strict=True)
    return Groups({name: column[first] for name, column in named}, total)


def distinct_rows(*columns: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Index of one row of each distinct combination of values, and of each row's among these."""
    order = np.lexsort(columns[::-1])
    new = np.zeros(len(order), dtype=bool)
    new[:1] = True
    for column in columns:
        ordered = column[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    where = np.empty(len(order), dtype=np.intp)
    where[order] = np.cumsum(new) - 1
    return order[new], where


def require(valid: NDArray[np.bool_], column: str, problem: str, allowed: str) -> None:
    """Raise `InvalidSummaryError` that counts the rows which are not `valid`."""
    n_bad = int(np.size(valid) - np.count_nonzero(valid))
    if n_bad:
        raise InvalidSummaryError(
            f"summary.{column}: {problem} in {n_bad} of {np.size(valid)} rows; allowed: {allowed}; "
            "correct or leave out these rows before fitting or scoring"
        )


def require_whole_frequency(frequency: FloatArray) -> None:
    """Raise `InvalidSummaryError` unless repeat purchases are counted in whole numbers."""
    require(
        np.isfinite(frequency) & (frequency >= 0) & (frequency == np.floor(frequency)),
        "frequency",
        "is negative, missing or not whole",
        "a whole number of repeat purchases >= 0",
    )


def check_transaction_columns(columns: Mapping[str, FloatArray]) -> None:
    """Check frequency, recency and T against their definitions.

    frequency counts repeat purchase days, recency is last - first purchase, T is cut-off - first
    purchase. A customer without a repeat purchase therefore has recency 0, one with has more.
    """
    x, t_x, age = columns["frequency"], columns["recency"], columns["T"]
    for name in ("frequency", "recency", "T"):
        values = columns[name]
        require(
            np.isfinite(values) & (values >= 0),
            name,
            "is negative, missing or not finite",
            "a finite number >= 0",
        )
    require(x == np.floor(x), "frequency", "is not whole", "a whole number of repeat purchases")
    require(t_x <= age, "recency", "exceeds T", "recency <= T, both in the model's time unit")
    require(
        (x > 0) == (t_x > 0),
        "recency",
        "contradicts frequency",
        "recency = 0 exactly for customers without repeat purchases (frequency = 0)",
    )


def _as_floats(name: str, values: Any) -> FloatArray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidSummaryError(
            f"summary.{name}: holds values that are not numbers; allowed: numeric columns; "
            "cast the column or leave out the rows"
        ) from None
    if array.ndim != 1:
        raise InvalidSummaryError(
            f"summary.{name}: has {array.ndim} dimensions; allowed: one value per customer"
        )
    return array
