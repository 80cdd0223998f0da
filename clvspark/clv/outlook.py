"""What all customers are expected to bring in each of the spans of time to come, added up where they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.config import ClvConfig
from clvspark.clv.fit import DAYS_PER_UNIT, ValueModels, model_columns
from clvspark.clv.intervals import priceable
from clvspark.clv.label_models import label_columns_of
from clvspark.clv.score import distinct_histories
from clvspark.clv.stage import label_summaries, read_champions
from clvspark.history.tables import CLV_SUMMARY
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import MissingInputError

_READ = ("frequency", "recency", "T", "spend_days", "monetary_value")
_SCHEMA = "span int, customers bigint, purchases double, value double"


def sum_expectations(
    lake: Lakehouse, config: ClvConfig, *, as_of: date, ends_days: Sequence[int]
) -> DataFrame | None:
    """``span, customers, purchases, value``: what customers known on `as_of` are expected to bring, by span.

    A span ends so many days after `as_of` and begins where the one before ends; `purchases` are purchase days, `value`
    is margin or revenue, as `config` says, not discounted. One row a span; None where no model had been fitted by then.
    The rows of customers stay on the executors, of which each gives one sum a span.
    """
    try:
        _, models = read_champions(lake, config, as_of)
    except MissingInputError:
        return None
    now = lake.read(CLV_SUMMARY).where(
        (F.col("as_of_date") == F.lit(as_of)) & (F.col("lag_days") == 0)
    )
    labels = label_columns_of(models.transaction)
    known = label_summaries(lake, model_columns(now, config.value, config.spend_of), labels)

    def add_up(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            yield sum_batch(batch, models, ends_days)

    sums = known.select(*_READ, *labels).mapInPandas(add_up, _SCHEMA)
    return sums.groupBy("span").agg(
        F.sum("customers").alias("customers"),
        F.sum("purchases").alias("purchases"),
        F.sum("value").alias("value"),
    )


def sum_batch(batch: pd.DataFrame, models: ValueModels, ends_days: Sequence[int]) -> pd.DataFrame:
    """The sums of one batch of histories; equal ones are worked out once."""
    model = models.transaction
    histories, at = distinct_histories(batch, label_columns_of(model))
    spend = np.asarray(models.spend.expected_customer_spend(priceable(batch, models.spend)))
    people = np.bincount(at, minlength=len(histories)).astype(float)
    worth = np.bincount(at, weights=spend, minlength=len(histories))
    by_end = [
        np.asarray(model.expected_purchases(histories, future_t=days / DAYS_PER_UNIT))
        for days in ends_days
    ]
    in_span = np.diff(np.array([np.zeros(len(histories)), *by_end]), axis=0)
    return pd.DataFrame(
        {
            "span": np.arange(len(ends_days), dtype="int32"),
            "customers": len(batch),
            "purchases": in_span @ people,
            "value": in_span @ worth,
        }
    )
