"""People similar to a core audience: a logistic regression on what is known of everybody, then the likest share."""

from __future__ import annotations

from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import StandardScaler, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.compile.conditions import group_column
from clvspark.audiences.compile.names import member_column
from clvspark.audiences.rules import Similar

# Amounts and times are skewed: their logarithm is compared.
_SKEWED = (
    "residual_value", "historical_value", "clv", "simple_clv", "expected_spend", "monetary", "usual_gap_days",
    "recency_days", "frequency",
)  # fmt: skip
_PLAIN = ("p_alive", "expected_purchases", "chance_of_so_few", "records", "last_score", "answers")
_FLAGS = ("consent_email", "consent_push", "consent_sms")
FEATURES = (*_SKEWED, *_PLAIN)
FEWEST = 10
# Others to learn from: more of them change the coefficients little.
_MOST_OTHERS, _PARTS = 200_000, 1_000_000


def mark_similar(profiles: DataFrame, rule: Similar) -> DataFrame:
    """Profiles with a boolean column, `group_column`, of who is similar to the members of the core audience.

    In: profiles with the column of the core audience and `FEATURES`. A regularised logistic regression learns what
    tells members from the others, both of equal weight, from standardised features; what is not known is 0,
    and that it is not known is a feature of its own. Of all others the likest share is taken. With fewer than
    `FEWEST` members there is nothing to learn and nobody is similar. Runs Spark jobs.
    """
    name = group_column(rule)
    core = F.col(member_column(rule.to))
    sizes = profiles.agg(F.count_if(core), F.count_if(~core)).collect()[0]
    members, others = int(sizes[0]), int(sizes[1])
    if members < FEWEST or others == 0:
        return profiles.withColumn(name, F.lit(False))
    wanted = profiles.select("person_id", core.cast("double").alias("label"), *_features(profiles))
    wanted = wanted.localCheckpoint()
    share = min(1.0, _MOST_OTHERS / others)
    drawn = F.pmod(F.xxhash64(F.lit(name), "person_id"), F.lit(_PARTS)) < round(share * _PARTS)
    weight = F.when(F.col("label") == 1, others * share / members).otherwise(1.0)
    sample = wanted.where((F.col("label") == 1) | drawn).withColumn("weight", weight)
    columns = [column for column in wanted.columns if column not in {"person_id", "label"}]
    model = Pipeline(
        stages=[
            VectorAssembler(inputCols=columns, outputCol="raw"),
            StandardScaler(inputCol="raw", outputCol="features", withMean=True, withStd=True),
            LogisticRegression(
                regParam=0.01, maxIter=50, weightCol="weight", standardization=False
            ),
        ]
    ).fit(sample)
    likeness = vector_to_array(F.col("probability"))[1].alias("_likeness")
    scored = model.transform(wanted.where("label = 0")).select("person_id", likeness)
    count = max(1, round(others * rule.percent / 100))
    ranked = scored.orderBy(F.desc("_likeness"), F.xxhash64("person_id"), "person_id").limit(count)
    likest = ranked.select("person_id", F.lit(True).alias(name)).localCheckpoint()
    joined = profiles.join(likest, on="person_id", how="left")
    return joined.withColumn(name, F.coalesce(name, F.lit(False)))


def _features(profiles: DataFrame) -> list[Column]:
    there = [name for name in FEATURES if name in profiles.columns]
    values = {name: F.col(name).cast("double") for name in there}
    logs = {
        name: F.signum(value) * F.log1p(F.abs(value)) if name in _SKEWED else value
        for name, value in values.items()
    }
    found = [F.coalesce(value, F.lit(0.0)).alias(f"_{name}") for name, value in logs.items()]
    found += [F.col(name).isNull().cast("double").alias(f"_no_{name}") for name in there]
    known = [
        F.coalesce(F.col(name), F.lit(False)).cast("double").alias(f"_{name}") for name in _FLAGS
    ]
    return [*found, *known]
