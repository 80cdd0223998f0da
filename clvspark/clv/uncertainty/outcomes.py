"""What one customer will do within a horizon: number and value of purchases, with their chances.

An expectation says nothing of its own error for one customer. Here the customer's own randomness
is counted: whether alive, at which rate, how many purchases, how much each. Nothing is simulated.
With Gamma-Gamma spend the total of n purchases, in units of v + x z, is beta-prime (p n, p x + q),
so that the distribution of the value, in these units, depends on (frequency, recency, T) alone,
and given alive on (frequency, T): one matrix product serves all customers of a frequency.

Source: Fader and Hardie (2013), "The Gamma-Gamma model of monetary value", eqs. 2-4, for spend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import betainc
from scipy.stats import betaprime

from clvspark.clv.models.future_counts import most_purchases
from clvspark.clv.models.gamma_gamma import GammaGammaModel
from clvspark.clv.models.memoryless import MemorylessModel
from clvspark.clv.models.summary import FloatArray, distinct_rows, read_columns
from clvspark.clv.models.transactions import TRIPLE
from clvspark.clv.uncertainty.steps import Distributions, IntArray

SPEND_DAYS = "spend_days"

GRID = 256
"""Values at which a distribution is tabulated, evenly in their logarithm."""


def read_histories(histories: Any) -> dict[str, FloatArray]:
    """``frequency, recency, T, monetary_value`` and ``spend_days``, which are those of `frequency` if not given."""
    columns = read_columns(histories, [*TRIPLE, "monetary_value"])
    given = read_columns(histories, [SPEND_DAYS]) if SPEND_DAYS in histories else {}
    return {**columns, SPEND_DAYS: columns["frequency"], **given}


@dataclass(frozen=True)
class Outcomes:
    """Distributions of purchases and value of many customers; see `OutcomeModel.predict`."""

    p_alive: FloatArray
    unit: FloatArray
    group: IntArray
    counts: Distributions
    values: Distributions
    log_low: FloatArray
    log_step: FloatArray

    def purchases(self, level: float) -> FloatArray:
        """Smallest number of purchases that is exceeded with probability at most 1 - level."""
        wanted = self._level_if_alive(level)
        found = self.counts.locate(self.group, wanted)
        return np.where(wanted > 0, found, 0).astype(np.float64)

    def value(self, level: float) -> FloatArray:
        """Value that is exceeded with probability at most 1 - level; 0 where no purchase is likely."""
        wanted, group = self._level_if_alive(level), self.group
        after = np.maximum(self.values.locate(group, wanted), 1)
        below, above = self.values.at(group, after - 1), self.values.at(group, after)
        part = np.clip((wanted - below) / np.maximum(above - below, 1e-300), 0.0, 1.0)
        log_value = self.log_low[group] + self.log_step[group] * (after - 1 + part)
        nothing = wanted <= self.counts.at(group, np.zeros_like(group))
        return np.where(nothing, 0.0, self.unit * np.exp(log_value))

    def probability_above(self, value: float | FloatArray) -> FloatArray:
        """P(value > `value`) of each customer, for amounts >= 0 of the currency."""
        group = self.group
        with np.errstate(divide="ignore"):
            place = (np.log(value / self.unit) - self.log_low[group]) / self.log_step[group]
        last = self.values.length[group] - 1
        place = np.clip(place, 0.0, last)
        before = np.minimum(place.astype(np.intp), last - 1)
        low, high = self.values.at(group, before), self.values.at(group, before + 1)
        inside = low + (high - low) * (place - before)
        nothing = self.counts.at(group, np.zeros_like(group))
        below = np.where(np.asarray(value) > 0, np.maximum(inside, nothing), nothing)
        return np.asarray(np.clip(self.p_alive * (1.0 - below), 0.0, 1.0))

    def _level_if_alive(self, level: float) -> FloatArray:
        """The level among the living at which the level among all is reached."""
        return np.asarray(1.0 - (1.0 - level) / np.maximum(self.p_alive, 1e-300))


class OutcomeModel:
    """Predicts the distribution of what each customer does within a horizon.

    Parameters
    ----------
    transaction, spend : fitted models of purchases and of their value.
    horizon : in the time unit of `transaction`.
    annual_discount_rate : a value is discounted by the mean discount of the customer's expected
        purchases, not purchase by purchase; within a year at 10 % a single purchase is off by
        at most 5 %.

    Distributions are those at the estimates: parameters fitted to thousands of customers add next
    to nothing to what one customer leaves open.
    """

    def __init__(
        self,
        transaction: MemorylessModel,
        spend: GammaGammaModel,
        *,
        horizon: float,
        annual_discount_rate: float = 0.0,
    ) -> None:
        self._transaction, self._spend = transaction, spend
        self._horizon, self._rate = horizon, annual_discount_rate
        # Frequencies are few, and batches many.
        self._spend_table = lru_cache(maxsize=256)(self._tabulate_spend)

    def __getstate__(self) -> dict[str, Any]:
        """Without the tables, which are made anew where it is sent to."""
        return {name: value for name, value in vars(self).items() if name != "_spend_table"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin with no tables."""
        vars(self).update(state, _spend_table=lru_cache(maxsize=256)(self._tabulate_spend))

    def predict(self, histories: Any) -> Outcomes:
        """Distributions of customers with ``frequency, recency, T, monetary_value``.

        ``spend_days``, if it is there, counts the purchase days of which `monetary_value` is the mean; otherwise they
        are those of `frequency`. Equal histories have equal distributions, in whatever batch they are.
        """
        columns = read_histories(histories)
        known = [columns[name] for name in ("frequency", "T", SPEND_DAYS)]
        first, group = distinct_rows(*known)
        counts, values, log_low, log_step = self._tabulate(*(column[first] for column in known))
        return Outcomes(
            p_alive=np.asarray(self._transaction.expected_probability_alive(columns)),
            unit=self._unit(columns),
            group=group,
            counts=counts,
            values=values,
            log_low=log_low,
            log_step=log_step,
        )

    def _unit(self, columns: Mapping[str, FloatArray]) -> FloatArray:
        """The amount v + x z, discounted as the customer's expected purchases are."""
        days = columns[SPEND_DAYS]
        spent = days * np.where(days > 0, columns["monetary_value"], 0.0)
        unit = self._spend.params_["v"] + spent
        if self._rate == 0:
            return unit
        model = self._transaction
        plain = np.asarray(model.expected_purchases(columns, future_t=self._horizon))
        worth = np.asarray(
            model.discounted_expected_residual_transactions(
                columns, annual_discount_rate=self._rate, horizon=self._horizon
            )
        )
        return unit * np.where(plain > 0, worth / np.where(plain > 0, plain, 1.0), 1.0)

    def _tabulate(
        self, x: FloatArray, age: FloatArray, days: FloatArray
    ) -> tuple[Distributions, Distributions, FloatArray, FloatArray]:
        """Cumulative distributions of purchases and value of a living customer of each (x, T, spend days)."""
        r, alpha = self._transaction.params_["r"], self._transaction.params_["alpha"]
        most = most_purchases(r + x, alpha + age, self._horizon)
        order = np.lexsort((days, x, most))
        same = np.stack([x, most, days])[:, order]
        new = np.flatnonzero(np.any(np.diff(same) != 0, axis=0)) + 1
        counts, values = [], []
        log_low, log_step = np.empty(len(x)), np.empty(len(x))
        for rows in np.split(order, new):
            if len(rows) == 0:
                continue
            limit = int(most[rows[0]])
            pmf = self._transaction.future_purchase_counts(
                x[rows], age[rows], future_t=self._horizon, most=limit
            )
            log_values, spent = self._spend_table(float(days[rows[0]]), limit)
            counts.append(np.cumsum(pmf, axis=1))
            values.append(pmf @ spent)
            log_low[rows], log_step[rows] = log_values[0], log_values[1] - log_values[0]
        return (
            Distributions.stack(order, counts),
            Distributions.stack(order, values),
            log_low,
            log_step,
        )

    def _tabulate_spend(self, x: float, most: int) -> tuple[FloatArray, FloatArray]:
        """Logarithms of values, and P(n purchases come to at most each), matrix (0..most x value)."""
        p, q = self._spend.params_["p"], self._spend.params_["q"]
        known = p * x + q
        low = np.log(np.maximum(betaprime.ppf(1e-4, p, known), 1e-12))
        high = np.log(betaprime.ppf(1.0 - 1e-5, p * most, known))
        log_values = np.linspace(low, high, GRID)
        n = np.arange(1.0, most + 1.0)[:, None]
        spent = np.ones((most + 1, GRID))
        share = 1.0 / (1.0 + np.exp(-log_values))
        spent[1:] = betainc(p * n, known, share)
        return log_values, spent
