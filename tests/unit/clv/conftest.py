"""CDNOW in weeks, and the models fitted to it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.cdnow import read_cdnow

from clvspark.clv import BetaGeoModel, GammaGammaModel, ModifiedBetaGeoModel, ParetoNBDModel

CALIBRATION_END = pd.Timestamp("1997-09-30")


def summarise(log: pd.DataFrame) -> pd.DataFrame:
    """Summary in weeks up to the cut-off, with the purchase days of the holdout after it."""
    days = log.groupby(["customer_id", "day"], as_index=False)["spend"].sum()
    calibration = days[days["day"] <= CALIBRATION_END]
    by_customer = calibration.groupby("customer_id")["day"]
    first, last = by_customer.min(), by_customer.max()
    repeats = calibration[calibration["day"] > calibration["customer_id"].map(first)]
    later = days[days["day"] > CALIBRATION_END].groupby("customer_id").size()
    gaps = (repeats["day"] - calibration.groupby("customer_id")["day"].shift()).dt.days
    summary = pd.DataFrame(
        {
            "frequency": by_customer.size() - 1,
            "recency": (last - first).dt.days / 7,
            "T": (CALIBRATION_END - first).dt.days / 7,
            "monetary_value": repeats.groupby("customer_id")["spend"].mean(),
            "log_intervals": np.log(gaps / 7).groupby(repeats["customer_id"]).sum(),
            "holdout": later,
        },
        index=first.index,
    )
    return summary.fillna({"monetary_value": 0.0, "log_intervals": 0.0, "holdout": 0})


@pytest.fixture(scope="session")
def cdnow_log() -> pd.DataFrame:
    return read_cdnow()


@pytest.fixture(scope="session")
def cdnow(cdnow_log: pd.DataFrame) -> pd.DataFrame:
    return summarise(cdnow_log)


@pytest.fixture(scope="session")
def beta_geo(cdnow: pd.DataFrame) -> BetaGeoModel:
    return BetaGeoModel(time_unit="week").fit(cdnow)


@pytest.fixture(scope="session")
def modified_beta_geo(cdnow: pd.DataFrame) -> ModifiedBetaGeoModel:
    return ModifiedBetaGeoModel(time_unit="week").fit(cdnow)


@pytest.fixture(scope="session")
def pareto_nbd(cdnow: pd.DataFrame) -> ParetoNBDModel:
    return ParetoNBDModel(time_unit="week").fit(cdnow)


@pytest.fixture(scope="session")
def gamma_gamma(cdnow: pd.DataFrame) -> GammaGammaModel:
    return GammaGammaModel().fit(cdnow)
