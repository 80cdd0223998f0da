"""Has a customer's value declined? What it is today against what it was expected to be by now.

P(alive), and the value with it, falls between any two purchases, so a fall alone says little. Compared are today's
residual value and its expectation by what was known some days before; and how surprising the purchases since are.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import nbinom

from clvspark.clv.config import ClvConfig
from clvspark.clv.fit import DAYS_PER_UNIT
from clvspark.clv.label_models import PurchaseModel, own_parameters
from clvspark.clv.models.condensed_beta_geo import CondensedBetaGeoModel
from clvspark.clv.models.transactions import TRIPLE
from clvspark.clv.models.units import DAYS_PER_YEAR
from clvspark.clv.uncertainty.purchases import share_of_stages


def expect_residual_transactions(
    model: PurchaseModel, then: pd.DataFrame, config: ClvConfig
) -> np.ndarray:
    """Discounted purchases that today's horizon was expected to hold, given the histories of `decline_days` ago.

    In: ``frequency, recency, T`` of then, and the labels of the model. With D(t) the purchases expected within t,
    discounted to then, and w the days since: (D(w + horizon) - D(w)) (1 + rate)^w. By the law of total expectation this
    is the mean of today's value, so that under the model nobody declines on average.
    """

    def within(days: float) -> np.ndarray:
        found = model.discounted_expected_residual_transactions(
            then, annual_discount_rate=config.annual_discount_rate, horizon=days / DAYS_PER_UNIT
        )
        return np.asarray(found)

    window = float(config.decline_days)
    growth = (1 + config.annual_discount_rate) ** (window / DAYS_PER_YEAR)
    return np.maximum(within(window + config.horizon_days) - within(window), 0.0) * growth


def chance_of_so_few(
    model: PurchaseModel, then: pd.DataFrame, bought: np.ndarray, config: ClvConfig
) -> np.ndarray:
    """Probability of at most `bought` purchase days since, of a customer who has not left.

    Purchases are Poisson at a rate that is Gamma(r + x, alpha + T) given x purchases in T, so their number within w is
    negative binomial (Fader, Hardie & Lee 2005, equation 8, and their NBD note). The same for every model that draws
    purchase rates from Gamma(r, alpha), each customer's own: dropout plays no part among those who stay. Of a rhythm
    each k-th hidden event is a purchase, and j have been since the last one, as likely as of the living: at most n
    purchases are fewer than (n + 1) k - j hidden events.
    """
    own = own_parameters(model, then)
    window = config.decline_days / DAYS_PER_UNIT
    since = (own["alpha"] + then["T"]).to_numpy(float)
    stages = _stages(model, then)
    k, chance = len(stages), np.zeros(len(bought))
    for j, share in enumerate(stages):
        size = (own["r"] + k * then["frequency"]).to_numpy(float) + j
        hidden = (bought + 1.0) * k - j - 1.0
        chance += share * nbinom.cdf(hidden, size, since / (since + window))
    return np.clip(chance, 0.0, 1.0)


def _stages(model: PurchaseModel, then: pd.DataFrame) -> np.ndarray:
    """How likely the living are in which stage of their rhythm, stage x customer; without rhythm there is one."""
    if isinstance(model, CondensedBetaGeoModel):
        columns = {name: then[name].to_numpy(float) for name in TRIPLE}
        return share_of_stages(model.alive_by_stage(columns))
    return np.ones((1, len(then)))
