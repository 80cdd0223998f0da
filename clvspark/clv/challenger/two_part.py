"""The two-part model: whether somebody buys within a horizon, and how much it is then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.ml.classification import RandomForestClassifier
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.ml.regression import RandomForestRegressor
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.clv.baselines import PURCHASES, VALUE
from clvspark.clv.challenger.features import FEATURES
from clvspark.clv.config import ChallengerConfig
from clvspark.lakehouse.errors import TrainingError

if TYPE_CHECKING:
    from pyspark.ml.classification import RandomForestClassificationModel
    from pyspark.ml.regression import RandomForestRegressionModel

NAME = "TwoPartModel"
FEWEST = 50
"""Persons who bought, and who did not, without whom nothing is trained."""

_VECTOR = "_features"
_SEED = 7
_FEWEST_IN_LEAF = 20


@dataclass(frozen=True)
class TwoPartModel:
    """P(buys) x E[amount given that], for purchase days and for value, by random forests.

    The amounts are learnt as logarithms, as few are far above all others. Taking the exponential of their mean would
    be too low; `smearing`, the mean of exp(residual), corrects it without assuming a distribution (Duan 1983,
    "Smearing estimate: a nonparametric retransformation method", JASA 78(383), eq. 2.3).
    """

    buys: RandomForestClassificationModel
    amounts: Mapping[str, RandomForestRegressionModel]
    smearing: Mapping[str, float]

    def predict(self, features: DataFrame) -> DataFrame:
        """The rows with ``predicted_purchases`` and ``predicted_value``. In: columns `FEATURES`."""
        rows = _assemble(features)
        probability = vector_to_array(F.col("probability")).getItem(1)
        rows = self.buys.transform(rows).withColumn("_buys", probability)
        rows = rows.drop("rawPrediction", "probability", "prediction")
        for outcome, model in self.amounts.items():
            given = F.exp("prediction") * F.lit(self.smearing[outcome])
            rows = model.transform(rows).withColumn(f"predicted_{outcome}", F.col("_buys") * given)
            rows = rows.drop("prediction")
        return rows.drop(_VECTOR, "_buys")


def train_two_part(examples: DataFrame, config: ChallengerConfig) -> TwoPartModel:
    """Train on features as of a date and what came in the horizon after it.

    In: `FEATURES`, ``purchases_after`` and ``value_after``, one row a person. What is spent on purchases that bring
    nothing or a loss is none. TrainingError where there are too few persons of either kind.
    """
    rows = _assemble(examples).withColumn("_bought", (F.col("purchases_after") > 0).cast("double"))
    rows = rows.select(_VECTOR, "_bought", "purchases_after", "value_after").localCheckpoint()
    bought, total = rows.agg(F.sum("_bought"), F.count(F.lit(1))).collect()[0]
    if min(bought or 0, total - (bought or 0)) < FEWEST:
        raise TrainingError(
            f"{NAME} could not be trained: of {total} persons {int(bought or 0)} bought in the time after; at least "
            f"{FEWEST} who did and {FEWEST} who did not are needed. Next step: wait for a longer history, or set "
            "'clv.challenger.enabled: false'."
        )
    settings: dict[str, Any] = {
        "featuresCol": _VECTOR,
        "numTrees": config.trees,
        "maxDepth": config.depth,
        "minInstancesPerNode": _FEWEST_IN_LEAF,
        "seed": _SEED,
    }
    buys = RandomForestClassifier(labelCol="_bought", **settings).fit(rows)
    amounts, smearing = {}, {}
    for outcome, amount in ((PURCHASES, "purchases_after"), (VALUE, "value_after")):
        paying = rows.where(F.col(amount) > 0).withColumn("_log", F.log(amount))
        amounts[outcome] = RandomForestRegressor(labelCol="_log", **settings).fit(paying)
        smearing[outcome] = _smear(amounts[outcome].transform(paying))
    return TwoPartModel(buys, amounts, smearing)


def _smear(fitted: DataFrame) -> float:
    """Mean of exp(residual); summed as decimals, which come to the same in any order."""
    factor: Column = F.exp(F.col("_log") - F.col("prediction")).cast("decimal(38,12)")
    total, count = fitted.agg(F.sum(factor).cast("double"), F.count(F.lit(1))).collect()[0]
    return float(total) / count


def _assemble(features: DataFrame) -> DataFrame:
    return VectorAssembler(inputCols=list(FEATURES), outputCol=_VECTOR).transform(features)
