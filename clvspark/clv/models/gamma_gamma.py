"""The Gamma-Gamma model of spend per purchase."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import digamma, gammaln

from clvspark.clv.models.base import (
    MAX_GROUPS,
    WALD_95,
    LifetimeModel,
    finite_or_none,
    float_or_nan,
)
from clvspark.clv.models.errors import (
    DegenerateDataError,
    InfiniteMeanError,
    InfiniteMeanWarning,
    SpendFrequencyCorrelationWarning,
)
from clvspark.clv.models.summary import FloatArray, Groups, require, require_whole_frequency
from clvspark.clv.models.units import TimeUnit

SPEND = ("frequency", "monetary_value")

STRONG_CORRELATION = 0.3
"""Beyond this spend visibly depends on frequency X."""


class GammaGammaModel(LifetimeModel):
    """Gamma-Gamma: mean spend varies between customers, single purchases vary around it.

    Parameters p, q, v: a purchase is Gamma(p, nu), with nu ~ Gamma(q, v) over customers (v is
    gamma in the paper, and `from_params` takes either name; a currency amount). A summary has one
    row per customer: frequency (repeat purchases) and monetary_value (mean spend of these),
    optionally weight. Customers without
    repeat purchases do not enter the fit; they are predicted to spend the population mean, which
    is finite only for q > 1. The model assumes spend independent of frequency:
    `spend_frequency_correlation_` reports what the data say, with a warning when it is strong.

    Source: Fader and Hardie (2013), "The Gamma-Gamma model of monetary value", eqs. 1a and 5.
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("p", "q", "v")
    parameter_aliases: ClassVar[Mapping[str, str]] = {"gamma": "v"}
    fit_columns: ClassVar[tuple[str, ...]] = SPEND

    def __init__(self, *, time_unit: TimeUnit | str = TimeUnit.DAY) -> None:
        """Spend does not depend on time: the unit is kept only for documentation."""
        super().__init__(time_unit=time_unit)
        self.spend_frequency_correlation_ = float("nan")

    def fit(self, summary: Any, *, max_groups: int = MAX_GROUPS) -> Self:
        """Estimate p, q, v from the repeat customers; see `LifetimeModel.fit`.

        Warns with `SpendFrequencyCorrelationWarning` and `InfiniteMeanWarning`.
        """
        super().fit(summary, max_groups=max_groups)
        if abs(self.spend_frequency_correlation_) > STRONG_CORRELATION:
            warnings.warn(
                "spend and frequency of repeat customers correlate by "
                f"{self.spend_frequency_correlation_:+.2f}; the Gamma-Gamma model assumes 0 (up to "
                f"{STRONG_CORRELATION} is tolerable); fit segments of similar frequency apart",
                SpendFrequencyCorrelationWarning,
                stacklevel=2,
            )
        try:
            self.require_known_mean()
        except InfiniteMeanError as error:
            warnings.warn(str(error), InfiniteMeanWarning, stacklevel=2)
        return self

    def require_known_mean(self) -> None:
        """Raise `InfiniteMeanError` where the data do not rule out q <= 1, with which spend has no mean.

        The mean of the population is p v / (q - 1). Where the 95 % Wald interval of q (of its
        logarithm) reaches 1, an infinite mean fits as well as a finite one, and the estimate may be
        any number of times the truth. Parameters of `from_params` are taken for exact.
        """
        q = self.params_["q"]
        at = self.parameter_names.index("q")
        is_fitted = self.log_covariance_.size > 0
        error = math.sqrt(self.log_covariance_[at, at]) if is_fitted else 0.0
        low, high = (q * math.exp(side * WALD_95 * error) for side in (-1.0, 1.0))
        if low <= 1.0:
            raise InfiniteMeanError(
                f"q <= 1 is not ruled out (q = {q:.4g}, 95 % from {low:.4g} to {high:.4g}), so the "
                "mean spend of the population may be infinite and is not known; a few amounts are far "
                "above all others: look at the highest ones, correct or leave out those that are no "
                "ordinary purchases, or fit more customers"
            )

    def expected_customer_spend(self, summary: Any) -> Any:
        """Expected spend per future purchase of each customer (column `expected_spend`).

        Currency of `monetary_value`, which is ignored for customers without repeat purchases.
        Raises `InfiniteMeanError` where the fitted distribution has no mean.
        """
        return self._predict(summary, "expected_spend", SPEND, self._expected_spend)

    def expected_new_customer_spend(self) -> float:
        """Expected spend per purchase of a customer about whom nothing is known yet."""
        return float(self._expected_spend(np.zeros(1), np.zeros(1))[0])

    def to_dict(self) -> dict[str, Any]:
        """See `LifetimeModel.to_dict`; the correlation of spend and frequency comes with it."""
        return super().to_dict() | {
            "spend_frequency_correlation": finite_or_none(self.spend_frequency_correlation_)
        }

    def _restore_diagnostics(self, document: Mapping[str, Any]) -> None:
        super()._restore_diagnostics(document)
        self.spend_frequency_correlation_ = float_or_nan(document["spend_frequency_correlation"])

    def _expected_spend(self, x: FloatArray, z: FloatArray) -> FloatArray:
        """Fader and Hardie (2013), eq. 5: p (v + x z) / (p x + q - 1)."""
        p, q, v = self._theta()
        shape = p * x + q - 1.0
        infinite = int(np.count_nonzero(shape <= 0))
        if infinite:
            raise InfiniteMeanError(
                f"expected spend is infinite for {infinite} of {len(x)} customers (q = {q:.3g}, "
                "needs p * frequency + q > 1); leave them out, or refit without extreme spend"
            )
        return np.asarray(p * (v + x * np.where(x > 0, z, 0.0)) / shape)

    def _check_columns(self, columns: Mapping[str, FloatArray]) -> None:
        x, z = columns["frequency"], columns["monetary_value"]
        require_whole_frequency(x)
        require(
            (x == 0) | (np.isfinite(z) & (z > 0)),
            "monetary_value",
            "is not a positive amount, though there are repeat purchases,",
            "a finite mean spend > 0 (net of returns, in one currency)",
        )

    def _select_groups(self, groups: Groups) -> Groups:
        return groups.where(groups["frequency"] > 0)

    def _refuse_degenerate(self, groups: Groups) -> None:
        if len(groups) < 2 or np.ptp(groups["monetary_value"]) == 0:
            raise DegenerateDataError(
                "summary.monetary_value: fewer than two repeat customers, or all spend the same; "
                "spend must vary between customers; add customers, or use the mean itself"
            )

    def _starts(self, groups: Groups) -> list[tuple[float, ...]]:
        mean = groups.mean("monetary_value")
        self.spend_frequency_correlation_ = correlation(groups)
        return [
            (4.0, 4.0, mean),
            (1.0, 2.0, mean),
            (20.0, 3.0, mean / 10.0),
            (2.0, 20.0, 10 * mean),
        ]

    def _log_likelihood_and_gradient(
        self, theta: FloatArray, groups: Groups
    ) -> tuple[FloatArray, FloatArray]:
        """Fader and Hardie (2013), eq. 1a, for the mean z of x purchases."""
        p, q, v = theta
        x, z = groups["frequency"], groups["monetary_value"]
        px, pooled = p * x, v + x * z
        values = (
            gammaln(px + q) - gammaln(px) - gammaln(q) + q * np.log(v)
            + (px - 1.0) * np.log(z) + px * np.log(x) - (px + q) * np.log(pooled)
        )  # fmt: skip
        gradient = np.array([
            x * (digamma(px + q) - digamma(px) + np.log(x) + np.log(z) - np.log(pooled)),
            digamma(px + q) - digamma(q) + np.log(v) - np.log(pooled),
            q / v - (px + q) / pooled,
        ])  # fmt: skip
        return values, gradient


def correlation(groups: Groups) -> float:
    """Weighted Pearson correlation of frequency and mean spend; NaN if frequency is constant."""
    x, z, w = groups["frequency"], groups["monetary_value"], groups.weight
    dx, dz = x - groups.mean("frequency"), z - groups.mean("monetary_value")
    spread = float(np.sqrt((w @ dx**2) * (w @ dz**2)))
    return float((w * dx) @ dz) / spread if spread > 0 else float("nan")
