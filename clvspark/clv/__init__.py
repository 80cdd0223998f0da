"""Probability models of customer lifetime value, in NumPy and SciPy.

Usable alone: no Spark is needed, but Spark DataFrames are accepted by `fit` and the predictions.
Names of classes and methods follow PyMC-Marketing, fitted attributes follow scikit-learn.
"""

from clvspark.clv.models.beta_geo import BetaGeoModel
from clvspark.clv.models.beta_geo_beta_binom import BetaGeoBetaBinomModel
from clvspark.clv.models.condensed_beta_geo import CondensedBetaGeoModel
from clvspark.clv.models.gamma_gamma import GammaGammaModel
from clvspark.clv.models.modified_beta_geo import ModifiedBetaGeoModel
from clvspark.clv.models.nbd import NBDModel
from clvspark.clv.models.normal_normal import NormalNormalModel
from clvspark.clv.models.pareto_nbd import ParetoNBDModel
from clvspark.clv.models.shifted_beta_geo import ShiftedBetaGeoModel
from clvspark.clv.models.units import TimeUnit

__all__ = [
    "BetaGeoBetaBinomModel",
    "BetaGeoModel",
    "CondensedBetaGeoModel",
    "GammaGammaModel",
    "ModifiedBetaGeoModel",
    "NBDModel",
    "NormalNormalModel",
    "ParetoNBDModel",
    "ShiftedBetaGeoModel",
    "TimeUnit",
]
