"""Identity resolution: records become persons. Usable alone, on data frames."""

from clvspark.identity.evaluate.clusters import PairwiseQuality, evaluate_clusters
from clvspark.identity.model.train import IdentityModel
from clvspark.identity.resolver import IdentityResolver
from clvspark.identity.settings import IdentitySettings

__all__ = [
    "IdentityModel",
    "IdentityResolver",
    "IdentitySettings",
    "PairwiseQuality",
    "evaluate_clusters",
]
