"""The Normal-Normal model of spend per purchase, for amounts of either sign."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from clvspark.clv.models.base import LifetimeModel
from clvspark.clv.models.errors import DegenerateDataError
from clvspark.clv.models.gamma_gamma import SPEND
from clvspark.clv.models.summary import FloatArray, Groups, require, require_whole_frequency
from clvspark.clv.models.units import TimeUnit


class NormalNormalModel(LifetimeModel):
    """Normal-Normal: customers differ in their mean margin, purchases vary around it.

    Parameters mu, tau, sigma, all amounts of the currency: the mean of a customer is
    N(mu, tau^2), a purchase N(mean, sigma^2). Unlike Gamma-Gamma it knows returns and losses, at
    the price of symmetric amounts: prefer Gamma-Gamma where all are positive. A summary has one
    row per customer: frequency (repeat purchases) and monetary_value (their mean, of any sign),
    optionally weight. Customers without repeat purchases do not enter the fit; they are expected
    to bring mu. tau and sigma are told apart by how the spread of means falls with frequency, so
    frequency must vary.

    Source: Schmittlein and Peterson (1994), "Customer base analysis: an industrial purchase
    process application", Marketing Science 13(1), the model of dollar volume per purchase.
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("mu", "tau", "sigma")
    fit_columns: ClassVar[tuple[str, ...]] = SPEND
    signed_parameters: ClassVar[frozenset[str]] = frozenset({"mu"})

    def __init__(self, *, time_unit: TimeUnit | str = TimeUnit.DAY) -> None:
        """Spend does not depend on time: the unit is kept only for documentation."""
        super().__init__(time_unit=time_unit)

    def expected_customer_spend(self, summary: Any) -> Any:
        """Expected amount of a future purchase of each customer (column `expected_spend`).

        Currency of `monetary_value`, which is ignored for customers without repeat purchases.
        """
        return self._predict(summary, "expected_spend", SPEND, self._expected_spend)

    def expected_new_customer_spend(self) -> float:
        """Expected amount of a purchase of a customer about whom nothing is known yet."""
        return self.params_["mu"]

    def _expected_spend(self, x: FloatArray, z: FloatArray) -> FloatArray:
        """Posterior mean: own mean and population mean, weighted by their precisions."""
        mu, tau, sigma = self._theta()
        known = x / (x + (sigma / tau) ** 2)
        return np.asarray(mu + known * (np.where(x > 0, z, mu) - mu))

    def _check_columns(self, columns: Mapping[str, FloatArray]) -> None:
        x, z = columns["frequency"], columns["monetary_value"]
        require_whole_frequency(x)
        require(
            (x == 0) | np.isfinite(z),
            "monetary_value",
            "is not a number, though there are repeat purchases,",
            "a finite mean amount of either sign (in one currency)",
        )

    def _select_groups(self, groups: Groups) -> Groups:
        return groups.where(groups["frequency"] > 0)

    def _refuse_degenerate(self, groups: Groups) -> None:
        if (
            len(groups) < 3
            or np.ptp(groups["monetary_value"]) == 0
            or np.ptp(groups["frequency"]) == 0
        ):
            raise DegenerateDataError(
                "summary: fewer than three different repeat customers, or all of one frequency or "
                "one mean; both must vary to tell customers from purchases; add customers, or use "
                "the mean itself"
            )

    def _estimate(self, groups: Groups) -> None:
        """In units of a typical amount, so that the search is the same in every currency."""
        z = groups["monetary_value"]
        unit = math.sqrt(float(groups.weight @ z**2) / groups.n_customers)
        super()._estimate(Groups(groups.columns | {"monetary_value": z / unit}, groups.weight))
        self._params = {name: value * unit for name, value in self.params_.items()}
        self.standard_errors_ = {n: error * unit for n, error in self.standard_errors_.items()}
        scale = np.where(self.is_logarithm(), 1.0, unit)
        self.log_covariance_ = self.log_covariance_ * np.outer(scale, scale)
        self.log_likelihood_ -= groups.n_customers * math.log(unit)

    def _starts(self, groups: Groups) -> list[tuple[float, ...]]:
        mean, x = groups.mean("monetary_value"), groups.mean("frequency")
        spread = (groups["monetary_value"] - mean) ** 2
        total = math.sqrt(float(groups.weight @ spread) / groups.n_customers)
        return [
            (mean, total * math.sqrt(between), total * math.sqrt((1.0 - between) * x))
            for between in (0.5, 0.9, 0.1)
        ]

    def _log_likelihood_and_gradient(
        self, theta: FloatArray, groups: Groups
    ) -> tuple[FloatArray, FloatArray]:
        """The mean z of x purchases is N(mu, tau^2 + sigma^2 / x)."""
        mu, tau, sigma = theta
        x, z = groups["frequency"], groups["monetary_value"]
        variance = tau**2 + sigma**2 / x
        apart = (z - mu) / variance
        values = -0.5 * (np.log(2.0 * np.pi * variance) + apart * (z - mu))
        excess = apart**2 - 1.0 / variance
        return values, np.array([apart, excess * tau, excess * sigma / x])
