"""Spend of either sign: what goes to the driver says all that the likelihood asks for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from clvspark.clv import NormalNormalModel
from clvspark.clv.spend import condense_signed_spend, fit_spend_model
from clvspark.lakehouse.errors import TrainingError

SCHEMA = "spend_days int, monetary_value double"


def margins(buyers: int) -> pd.DataFrame:
    """Mean margins of buyers, a quarter of whom bring losses."""
    chance = np.random.default_rng(3)
    days = chance.integers(0, 7, buyers)
    mean = chance.normal(6.0, 8.0, buyers)
    spread = 12.0 / np.sqrt(np.maximum(days, 1))
    amount = np.where(days > 0, np.round(chance.normal(mean, spread), 2), 0.0)
    return pd.DataFrame({"spend_days": days, "monetary_value": amount})


def test_two_rows_a_frequency_give_the_estimates_of_all_buyers(spark: SparkSession) -> None:
    rows = margins(5_000)
    frame = spark.createDataFrame(rows, SCHEMA)
    known = rows.rename(columns={"spend_days": "frequency"})
    exact = NormalNormalModel(time_unit="week").fit(known)
    found = fit_spend_model(frame, "NormalNormalModel", time_unit="week")
    assert found.params_ == pytest.approx(exact.params_, rel=1e-7)
    assert found.standard_errors_ == pytest.approx(exact.standard_errors_, rel=1e-5)
    assert found.log_likelihood_ == pytest.approx(exact.log_likelihood_, abs=1e-6)
    assert found.n_customers_ == exact.n_customers_
    groups = condense_signed_spend(spark.createDataFrame(known[known["frequency"] > 0]))
    assert len(groups) == 12
    assert groups["weight"].sum() == exact.n_customers_


def test_the_spread_keeps_its_digits_far_from_zero_and_is_none_of_one_buyer(
    spark: SparkSession,
) -> None:
    rows = [(1, 1e9), (1, 1e9 + 0.02), (2, -5.0)]
    found = condense_signed_spend(
        spark.createDataFrame(rows, "frequency int, monetary_value double")
    )
    assert found.to_dict("list") == {
        "frequency": [1, 1, 2, 2],
        "monetary_value": pytest.approx([1e9, 1e9 + 0.02, -5.0, -5.0], rel=1e-12),
        "weight": [1.0, 1.0, 0.5, 0.5],
    }
    assert found["monetary_value"][1] - found["monetary_value"][0] == pytest.approx(0.02, rel=0.05)


def test_amounts_that_are_all_alike_are_refused_with_the_reason(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(1, 5.0), (2, 5.0), (0, 0.0)], SCHEMA)
    with pytest.raises(TrainingError, match=r"NormalNormalModel could not be fitted: .* one mean"):
        fit_spend_model(frame, "NormalNormalModel", time_unit="week")


def test_spend_of_unknown_mean_is_refused_with_the_reason(spark: SparkSession) -> None:
    """Of an estimate of q beside 1 the mean may be anything: no champion of spend."""
    chance = np.random.default_rng(1)
    days = chance.integers(1, 8, 2000)
    amounts = chance.gamma(6.0 * days, 1 / (chance.gamma(1.0, 1 / 15.0, 2000) * days))
    rows = pd.DataFrame({"spend_days": days, "monetary_value": amounts})
    frame = spark.createDataFrame(rows, SCHEMA)
    with pytest.raises(TrainingError, match=r"q <= 1 is not ruled out .* history\.order"):
        fit_spend_model(frame, "GammaGammaModel", time_unit="week")
