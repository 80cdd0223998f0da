"""How uncertain every customer's value is: of what is expected, and of what will happen.

Two questions that are often taken for one. An *expectation* is uncertain as far as the parameters
are: with thousands of customers hardly (`ParameterDraws`, `linearise`). An *outcome*, what one
customer will do, is uncertain by itself, however well the parameters are known (`OutcomeModel`).
`ValueUncertainty` answers both for a batch of customers. Usable without Spark.
"""

from clvspark.clv.uncertainty.customer_values import ValueUncertainty
from clvspark.clv.uncertainty.delta_method import Linearised, linearise
from clvspark.clv.uncertainty.doubtful_links import mix_outcomes, widen_interval
from clvspark.clv.uncertainty.outcomes import OutcomeModel, Outcomes, SpendModel
from clvspark.clv.uncertainty.parameters import ParameterDraws
from clvspark.clv.uncertainty.top_share import (
    Threshold,
    find_outcome_threshold,
    find_threshold,
)

__all__ = [
    "Linearised",
    "OutcomeModel",
    "Outcomes",
    "ParameterDraws",
    "SpendModel",
    "Threshold",
    "ValueUncertainty",
    "find_outcome_threshold",
    "find_threshold",
    "linearise",
    "mix_outcomes",
    "widen_interval",
]
