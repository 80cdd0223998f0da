"""The tables of deciles of one date: what persons are ranked by is read, and the ranks are written."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame

from clvspark.audiences.config import DecilesConfig
from clvspark.audiences.deciles import (
    expect_deciles,
    list_scoped_days,
    list_values,
    rank_deciles,
    sum_look_backs,
    tabulate_deciles,
)
from clvspark.audiences.tables import DECILE, EXPECTED_DECILE, PERSON_DECILE
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.history.tables import ORDER, PERSON_DAY
from clvspark.identity.tables import PERSON
from clvspark.lakehouse import Lakehouse, Run
from clvspark.lakehouse.dates import rows_of
from clvspark.sources.tables import EVENT, PRODUCT


def rank_persons(lake: Lakehouse, asked: DecilesConfig, as_of: date) -> DataFrame:
    """Deciles of a date by everything that is asked for, as audiences.decile."""
    valued = lake.read_of(CUSTOMER_VALUE, as_of, stage="score")
    values = sum_look_backs(lake.read(PERSON_DAY), as_of=as_of, metrics=asked.metrics).unionByName(
        list_values(valued, as_of=as_of)
    )
    if asked.channels or asked.categories:
        days = list_scoped_days(
            lake.read(ORDER),
            lake.read_or_empty(EVENT),
            lake.read_or_empty(PRODUCT),
            channels=asked.channels,
            categories=asked.categories,
        )
        scoped = sum_look_backs(days, as_of=as_of, metrics=asked.metrics)
        values = values.unionByName(scoped)
    return rank_deciles(values.localCheckpoint(), as_of=as_of).localCheckpoint()


def write_deciles(run: Run, lake: Lakehouse, ranked: DataFrame, as_of: date) -> None:
    """Write the ranks of a date: one a row, side by side for every person, and as far as they are sure."""
    values = lake.read(CUSTOMER_VALUE).where(rows_of(as_of))
    run.overwrite_all(
        {
            DECILE: ranked,
            PERSON_DECILE: tabulate_deciles(ranked, lake.read(PERSON), as_of=as_of),
            EXPECTED_DECILE: expect_deciles(ranked, values, as_of=as_of),
        },
        where=rows_of(as_of),
    )
