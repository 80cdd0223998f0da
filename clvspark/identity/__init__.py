"""Identity resolution: records become persons. Usable alone, on data frames."""

from clvspark.identity.evaluate import PairwiseQuality, evaluate_clusters
from clvspark.identity.resolver import IdentityResolver
from clvspark.identity.settings import IdentitySettings
from clvspark.identity.train import IdentityModel

__all__ = [
    "IdentityModel",
    "IdentityResolver",
    "IdentitySettings",
    "PairwiseQuality",
    "evaluate_clusters",
]
