"""Residual values of a later day by the parameters of an earlier one: what happened between cannot move these."""

from __future__ import annotations

from datetime import date

import pandas as pd
from pyspark.sql import DataFrame

from clvspark.clv.chunks import map_chunks
from clvspark.clv.config import ClvConfig
from clvspark.clv.fit import DAYS_PER_UNIT, model_columns
from clvspark.clv.label_models import label_columns_of
from clvspark.clv.score import round_to_digits, value_histories
from clvspark.clv.stage import label_summaries, read_champions
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import MissingInputError

_READ = ("frequency", "recency", "T", "spend_days", "monetary_value")


def value_frozen(
    lake: Lakehouse, config: ClvConfig, summary: DataFrame, *, known_on: date
) -> DataFrame | None:
    """``person_id, residual_value`` of histories of any day, by the champions that were known on `known_on`.

    In: rows of history.clv_summary of one day and lag. None where no model had been fitted by then.
    """
    try:
        _, models = read_champions(lake, config, known_on)
    except MissingInputError:
        return None

    def score(batch: pd.DataFrame) -> pd.DataFrame:
        found = value_histories(
            batch,
            models,
            horizon=config.horizon_days / DAYS_PER_UNIT,
            annual_discount_rate=config.annual_discount_rate,
        )
        return pd.DataFrame({"residual_value": round_to_digits(found["residual_value"])})

    labels = label_columns_of(models.transaction)
    histories = model_columns(summary, config.value, config.spend_of)
    known = label_summaries(lake, histories, labels).select("person_id", *_READ, *labels)
    return map_chunks(known, score, ["residual_value"], key="person_id")
