"""CDNOW, the data on which the literature prints its estimates, read from the Lifetimes wheel."""

from __future__ import annotations

from importlib.metadata import distribution

import pandas as pd


def read_cdnow() -> pd.DataFrame:
    """Its log: ``customer_id, day, quantity, spend``, one row a transaction of the 2,357 customers of the sample."""
    path = distribution("Lifetimes").locate_file("lifetimes/datasets/CDNOW_sample.txt")
    log = pd.read_csv(
        str(path),
        sep=r"\s+",
        header=None,
        names=["master_id", "customer_id", "day", "quantity", "spend"],
        dtype={"day": str},
    )
    return log.assign(day=pd.to_datetime(log["day"], format="%Y%m%d"))
