"""What one customer will do within a horizon: number and value of purchases, with their chances.

An expectation says nothing of its own error for one customer. Here the customer's own randomness
is counted: whether alive, at which rate, how many purchases, how much each. Nothing is simulated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clvspark.clv.models.gamma_gamma import GammaGammaModel
from clvspark.clv.models.normal_normal import NormalNormalModel
from clvspark.clv.models.summary import FloatArray, read_columns
from clvspark.clv.models.transactions import TRIPLE, TransactionModel
from clvspark.clv.uncertainty.gamma_totals import GammaTotals
from clvspark.clv.uncertainty.normal_totals import NormalTotals
from clvspark.clv.uncertainty.purchases import FuturePurchases

SPEND_DAYS = "spend_days"

SpendModel = GammaGammaModel | NormalNormalModel
Totals = GammaTotals | NormalTotals


def read_histories(histories: Any, covariates: Sequence[str] = ()) -> dict[str, FloatArray]:
    """``frequency, recency, T, monetary_value`` and ``spend_days``, which are those of `frequency` if not given.

    With the columns of the covariates.
    """
    columns = read_columns(histories, [*TRIPLE, "monetary_value", *covariates])
    given = read_columns(histories, [SPEND_DAYS]) if SPEND_DAYS in histories else {}
    return {**columns, SPEND_DAYS: columns["frequency"], **given}


def price_purchases(
    counts: FuturePurchases,
    spend: SpendModel,
    columns: Mapping[str, FloatArray],
    *,
    discount: FloatArray | float = 1.0,
) -> Totals:
    """Distributions of the value of the purchases of customers with the columns of `read_histories`.

    Each value is times the customer's `discount`.
    """
    days, mean = columns[SPEND_DAYS], columns["monetary_value"]
    factor = np.broadcast_to(discount, days.shape)
    if isinstance(spend, NormalNormalModel):
        return NormalTotals.of(counts, spend, days=days, mean=mean, discount=factor)
    return GammaTotals.of(counts, spend, days=days, mean=mean, discount=factor)


@dataclass(frozen=True)
class Outcomes:
    """Distributions of purchases and value of many customers; see `OutcomeModel.predict`."""

    counts: FuturePurchases
    totals: Totals

    def purchases(self, level: float) -> FloatArray:
        """Smallest number of purchases that is exceeded with probability at most 1 - level."""
        return self.counts.quantile(level)

    def value(self, level: float) -> FloatArray:
        """Value that is exceeded with probability at most 1 - level; 0 where no purchase is likely."""
        return self.totals.quantile(level)

    def probability_above(self, value: float | FloatArray) -> FloatArray:
        """P(value > `value`) of each customer, for amounts of the currency."""
        return self.totals.probability_above(value)


class OutcomeModel:
    """Predicts the distribution of what each customer does within a horizon.

    Parameters
    ----------
    transaction, spend : fitted models of purchases, with or without rhythm and covariates, and of
        their value, Gamma-Gamma or Normal-Normal.
    horizon : in the time unit of `transaction`.
    annual_discount_rate : a value is discounted by the mean discount of the customer's expected
        purchases, not purchase by purchase; within a year at 10 % a single purchase is off by
        at most 5 %.

    Distributions are those at the estimates: parameters fitted to thousands of customers add next
    to nothing to what one customer leaves open.
    """

    def __init__(
        self,
        transaction: TransactionModel,
        spend: SpendModel,
        *,
        horizon: float,
        annual_discount_rate: float = 0.0,
    ) -> None:
        self._transaction, self._spend = transaction, spend
        self._horizon, self._rate = horizon, annual_discount_rate

    def predict(self, histories: Any) -> Outcomes:
        """Distributions of customers with ``frequency, recency, T, monetary_value`` and the covariates.

        ``spend_days``, if it is there, counts the purchase days of which `monetary_value` is the mean; otherwise they
        are those of `frequency`. Equal histories have equal distributions, in whatever batch they are.
        """
        columns = read_histories(histories, self._transaction.covariates)
        counts = FuturePurchases.of(
            self._transaction, columns, horizon=self._horizon, days=columns[SPEND_DAYS]
        )
        discount = self._discount(columns)
        return Outcomes(counts, price_purchases(counts, self._spend, columns, discount=discount))

    def _discount(self, columns: dict[str, FloatArray]) -> FloatArray:
        """What a purchase is worth today, on average over the customer's expected ones."""
        if self._rate == 0:
            return np.ones(len(columns[SPEND_DAYS]))
        model = self._transaction
        plain = np.asarray(model.expected_purchases(columns, future_t=self._horizon))
        worth = np.asarray(
            model.discounted_expected_residual_transactions(
                columns, annual_discount_rate=self._rate, horizon=self._horizon
            )
        )
        return np.where(plain > 0, worth / np.where(plain > 0, plain, 1.0), 1.0)
