"""What persons are worth at the end of an experiment, and what all are expected to bring: history and clv put together.

Measurement and reporting know of neither room more than its tables; the pipeline hands them this.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.challenger.stages import Stages
from clvspark.clv.config import ClvConfig
from clvspark.clv.frozen import value_frozen
from clvspark.clv.outlook import sum_expectations
from clvspark.clv.tables import MODEL
from clvspark.history.clv_summary import list_late_changes, summarise_purchases
from clvspark.history.config import RelationshipConfig
from clvspark.history.relationship import stages_on
from clvspark.history.tables import ORDER, PERSON_DAY
from clvspark.lakehouse import Lakehouse
from clvspark.measurement.plan import Valuation
from clvspark.reporting.outlook import Outlook


def frozen_valuation(config: ClvConfig) -> Valuation:
    """Values of the configured kind, horizon and discount rate."""

    def value_on(
        lake: Lakehouse, persons: DataFrame, known_on: date, day: date
    ) -> DataFrame | None:
        if not lake.exists(MODEL):
            return None
        few = persons.select("person_id").distinct()
        days, orders = (
            lake.read(table).join(few, on="person_id", how="left_semi")
            for table in (PERSON_DAY, ORDER)
        )
        past = days.where(F.col("day") < F.lit(day))
        summary = summarise_purchases(
            past, as_of=day, lags_days=[0], late_changes=list_late_changes(orders)
        )
        return value_frozen(lake, config, summary, known_on=known_on)

    return Valuation(value_on, (PERSON_DAY, ORDER, MODEL), config.model_dump_json())


def champion_outlook(config: ClvConfig) -> Outlook:
    """What the champions expect of all customers, by month."""

    def expect(lake: Lakehouse, as_of: date, ends_days: Sequence[int]) -> DataFrame | None:
        if not lake.exists(MODEL):
            return None
        return sum_expectations(lake, config, as_of=as_of, ends_days=ends_days)

    return Outlook(
        expect,
        value=config.value,
        horizon_days=config.horizon_days,
        annual_discount_rate=config.annual_discount_rate,
        champion_rule=config.champion_rule,
        basis=config.model_dump_json(),
    )


def relationship_stages(config: RelationshipConfig) -> Stages:
    """How relationships stood on earlier dates, by the configured rules."""
    return Stages(partial(stages_on, config=config), config.model_dump_json())
