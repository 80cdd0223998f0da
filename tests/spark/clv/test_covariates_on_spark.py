"""Covariates and segments on Spark, held to the same rows in pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from support.buyers import customers_who_die

from clvspark.clv import BetaGeoModel, ParetoNBDModel
from clvspark.clv.models.errors import (
    DegenerateDataError,
    InvalidSummaryError,
    TooManyGroupsError,
)
from clvspark.clv.models.spark_fit import maximise_on_executors
from clvspark.clv.segments import fit_by_segment

TRUTH = {
    "r": 0.8, "alpha": 6.0, "s": 0.7, "beta": 12.0,
    "purchase_coefficient_alpha_age": -0.3, "dropout_coefficient_beta_web": 0.4,
}  # fmt: skip
KNOWN = {"purchase_covariates": ("age",), "dropout_covariates": ("web",)}


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    return customers_who_die(TRUTH, n=3_000, seed=12)


@pytest.fixture(scope="module")
def frame(spark: SparkSession, customers: pd.DataFrame) -> DataFrame:
    return spark.createDataFrame(customers).localCheckpoint()


def test_rows_that_do_not_condense_are_summed_on_executors(
    customers: pd.DataFrame, frame: DataFrame
) -> None:
    here = ParetoNBDModel(time_unit="week", **KNOWN).fit(customers)
    there = ParetoNBDModel(time_unit="week", **KNOWN).fit(frame, max_groups=100)
    assert there.params_ == pytest.approx(here.params_, rel=1e-6)
    assert there.standard_errors_ == pytest.approx(here.standard_errors_, rel=1e-4)
    assert there.log_likelihood_ == pytest.approx(here.log_likelihood_, rel=1e-12)
    assert (there.n_customers_, there.n_triples_) == (3_000, 3_000)
    with pytest.raises(TooManyGroupsError):
        ParetoNBDModel(time_unit="week").fit(frame, max_groups=100)


def test_partitions_do_not_change_a_digit(frame: DataFrame) -> None:
    model = BetaGeoModel(time_unit="week", **KNOWN)
    some = frame.limit(600).localCheckpoint()
    one, many = (
        maximise_on_executors(model, spread, rows_per_block=200)[0]
        for spread in (some.coalesce(1), some.orderBy("age").repartition(5))
    )
    assert one.log_params.tolist() == many.log_params.tolist()
    assert one.log_covariance.tolist() == many.log_covariance.tolist()


def test_distributed_rows_are_checked(frame: DataFrame) -> None:
    model = ParetoNBDModel(time_unit="week", **KNOWN)
    with pytest.raises(InvalidSummaryError, match=r"summary.age: is missing or not finite in"):
        model.fit(frame.selectExpr("* except (age)", "nullif(age, age) AS age"), max_groups=1)
    with pytest.raises(DegenerateDataError, match=r"covariate\(s\) web are the same"):
        model.fit(frame.where("web = 1"), max_groups=1)
    with pytest.raises(DegenerateDataError, match="frequency: 0 for every customer"):
        model.fit(frame.where("frequency = 0"), max_groups=1)


def test_scores_on_spark_are_those_in_pandas(customers: pd.DataFrame, frame: DataFrame) -> None:
    model = ParetoNBDModel.from_params(TRUTH, time_unit="week", **KNOWN)
    there = model.expected_purchases(frame, future_t=26).toPandas()
    here = model.expected_purchases(there[customers.columns], future_t=26)
    np.testing.assert_allclose(there["expected_purchases"], here)


def test_segments_on_spark_are_those_in_pandas(
    spark: SparkSession, customers: pd.DataFrame
) -> None:
    sizes = np.repeat(["at", "be", "ch", "de"], [1_000, 900, 1_060, 40])
    rows = customers.assign(
        country=np.where(sizes == "de", None, sizes), channel=7, T=customers["T"].round(1) + 0.1
    )[["country", "channel", "frequency", "recency", "T"]]
    frame = spark.createDataFrame(
        rows, "country string, channel int, frequency int, recency double, T double"
    )
    columns, model = ["country", "channel"], ParetoNBDModel(time_unit="week")
    here = fit_by_segment(rows, segment_columns=columns, model=model)
    there = fit_by_segment(frame, segment_columns=columns, model=model)
    assert (
        list(there.fits) == list(here.fits) == [(None, "7"), ("at", "7"), ("be", "7"), ("ch", "7")]
    )
    for segment, fit in there.fits.items():
        assert fit.model.params_ == pytest.approx(here.fits[segment].model.params_, rel=1e-5)
        assert (fit.status, fit.customers) == (
            here.fits[segment].status,
            here.fits[segment].customers,
        )
    scored = there.expected_purchases(frame, future_t=26).toPandas()
    expected = there.expected_purchases(
        scored[[*columns, "frequency", "recency", "T"]], future_t=26
    )
    np.testing.assert_allclose(scored["expected_purchases"], expected)


def test_invalid_rows_of_a_segment_are_refused_from_spark_too(frame: DataFrame) -> None:
    rows = frame.selectExpr("frequency", "recency", "-T AS T", "web")
    with pytest.raises(
        InvalidSummaryError, match=r"in 2 of 2 segments, e.g.: summary.T: is negative"
    ):
        fit_by_segment(rows, segment_columns=["web"], model=ParetoNBDModel(time_unit="week"))
