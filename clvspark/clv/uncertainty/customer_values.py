"""Everything that is uncertain about a customer's value, batch by batch."""

from __future__ import annotations

from copy import copy
from typing import Any, Self

import numpy as np
import pandas as pd

from clvspark.clv.models.summary import FloatArray, distinct_rows, read_weight
from clvspark.clv.models.transactions import TRIPLE, TransactionModel
from clvspark.clv.uncertainty.delta_method import Kind, Linearised, linearise
from clvspark.clv.uncertainty.outcomes import (
    SPEND_DAYS,
    OutcomeModel,
    Outcomes,
    SpendModel,
    read_histories,
)
from clvspark.clv.uncertainty.parameters import tails
from clvspark.clv.uncertainty.top_share import Threshold, find_outcome_threshold, find_threshold


class ValueUncertainty:
    """Intervals of what is expected of each customer, and of what each will do.

    Parameters
    ----------
    transaction, spend : fitted models, with the covariance of their parameters.
    horizon : in the time unit of `transaction`.
    annual_discount_rate : effective, as of `discounted_expected_residual_transactions`.
    sample : histories that stand for all customers, optionally with `weight`: all of them
        condensed, or some thousands chosen by a digest of their keys. From them come the values
        that the top share exceeds; None: they are given by `exceeding`.
    level : of all intervals, which are central.
    share : what counts as the top.
    transaction_covariance, spend_covariance : e.g. of bootstrap draws, in the place of the fit's.
    """

    def __init__(
        self,
        transaction: TransactionModel,
        spend: SpendModel,
        *,
        horizon: float,
        annual_discount_rate: float,
        sample: Any | None,
        level: float = 0.8,
        share: float = 0.1,
        transaction_covariance: FloatArray | None = None,
        spend_covariance: FloatArray | None = None,
    ) -> None:
        self._transaction, self._spend = transaction, spend
        self._horizon, self._rate = horizon, annual_discount_rate
        self._level = level
        self._covariances = (transaction_covariance, spend_covariance)
        self._outcomes = OutcomeModel(
            transaction, spend, horizon=horizon, annual_discount_rate=annual_discount_rate
        )
        if sample is None:
            return
        weight = read_weight(sample, len(sample["T"]))
        self._top = find_threshold(self.expected_value(sample), share=share, weight=weight)
        self._top_outcome = find_outcome_threshold(
            self.outcomes(sample), share=share, weight=weight
        )

    def expected_value(self, histories: Any) -> Linearised:
        """The residual value that is expected of customers, and how far it is known."""
        columns = read_histories(histories, self._transaction.covariates)
        return self._expectations(columns)["residual_value"]

    def outcomes(self, histories: Any) -> Outcomes:
        """What customers may do within the horizon."""
        return self._outcomes.predict(histories)

    def exceeding(self, expected: Threshold, outcome: float) -> Self:
        """The same with other values that the top share exceeds, as of customers of several models."""
        other = copy(self)
        vars(other).update(_top=expected, _top_outcome=outcome)
        return other

    def describe(self, histories: pd.DataFrame) -> pd.DataFrame:
        """Bounds and chances of customers with histories, and covariates, as `read_histories` takes them.

        Of `p_alive`, `expected_purchases`, `expected_spend` and `residual_value`, columns `_low`
        and `_high`: where the expectation lies, as far as the parameters are known.
        `purchases_low`, `purchases_high`, `value_low`, `value_high`: where what the customer does
        within the horizon will lie, own chance included (value discounted, currency).
        `p_top_expected`: that the expectation is in the top share; `p_top_outcome`: that what
        the customer does will be. Index of `histories`; equal histories get equal rows.
        """
        columns = read_histories(histories, self._transaction.covariates)
        found = self._expectation_bounds(columns)
        found |= self._outcome_bounds(self._outcomes.predict(columns))
        return pd.DataFrame(found, index=histories.index)

    def _expectation_bounds(self, columns: dict[str, FloatArray]) -> dict[str, FloatArray]:
        expectations = self._expectations(columns)
        found = {}
        for name, expectation in expectations.items():
            bounds = expectation.interval(level=self._level, kind=self._kind_of(name))
            found[f"{name}_low"], found[f"{name}_high"] = bounds
        found["p_top_expected"] = self._top.probability_above(expectations["residual_value"])
        return found

    def _kind_of(self, name: str) -> Kind:
        if name == "p_alive":
            return "probability"
        is_money = name in ("expected_spend", "residual_value")
        return "any" if is_money and self._spend.signed_parameters else "positive"

    def _outcome_bounds(self, outcomes: Outcomes) -> dict[str, FloatArray]:
        low, high = tails(self._level)
        return {
            "purchases_low": outcomes.purchases(low),
            "purchases_high": outcomes.purchases(high),
            "value_low": outcomes.value(low),
            "value_high": outcomes.value(high),
            "p_top_outcome": outcomes.probability_above(self._top_outcome),
        }

    def _expectations(self, columns: dict[str, FloatArray]) -> dict[str, Linearised]:
        """Expectations with their gradients; those of purchases once for each distinct history."""
        names = (*TRIPLE, *self._transaction.covariates)
        first, rows = distinct_rows(*(columns[name] for name in names))
        triples = {name: columns[name][first] for name in names}

        def ask(model: TransactionModel) -> FloatArray:
            return np.concatenate(
                [
                    model.expected_probability_alive(triples),
                    model.expected_purchases(triples, future_t=self._horizon),
                    model.discounted_expected_residual_transactions(
                        triples, annual_discount_rate=self._rate, horizon=self._horizon
                    ),
                ]
            )

        of_transactions, of_spend = self._covariances
        together = linearise(self._transaction, ask, covariance=of_transactions)
        size = len(first)
        alive, purchases, discounted = (together.take(rows + size * i) for i in range(3))
        spent = {"frequency": columns[SPEND_DAYS], "monetary_value": columns["monetary_value"]}
        spend = linearise(
            self._spend, lambda model: model.expected_customer_spend(spent), covariance=of_spend
        )
        return {
            "p_alive": alive,
            "expected_purchases": purchases,
            "expected_spend": spend,
            "residual_value": discounted.times(spend),
        }
