"""The stage of a relationship as a feature: history says it, and the challenger learns from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.history.tables import STAGES

STAGE_FEATURE = "stage"
"""Place of the stage in `STAGES`, the first is 1."""


@dataclass(frozen=True)
class Stages:
    """How relationships stood on earlier dates, by the rules of another room.

    Parameters
    ----------
    stages_on : called with history.person_day, history.order and dates; ``person_id, stage_on, stage`` by what was
        known before each of them.
    basis : settings that they depend on, as text.
    """

    stages_on: Callable[[DataFrame, DataFrame, Sequence[date]], DataFrame]
    basis: str


def stage_features(
    stages: Stages, days: DataFrame, orders: DataFrame, *, dates: Sequence[date]
) -> DataFrame:
    """`STAGE_FEATURE` of everyone who had bought before each of the dates. In: history.person_day, history.order."""
    place = F.array_position(F.array(*map(F.lit, STAGES)), F.col("stage")).cast("double")
    found = stages.stages_on(days, orders, dates)
    return found.select(
        "person_id", F.col("stage_on").alias("features_on"), place.alias(STAGE_FEATURE)
    )
