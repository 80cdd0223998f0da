"""Offers: what came of decisions whose window is over -> `measurement.offer_outcome`."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from pyspark.sql import functions as F

from clvspark.history.tables import ORDER, PERSON_DAY
from clvspark.identity.tables import ALIAS, resolve_aliases
from clvspark.lakehouse import Lakehouse, RunReport, Table
from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.offers import sum_offer_outcomes
from clvspark.measurement.outcomes import last_order_day
from clvspark.measurement.tables import OFFER_OUTCOME

STAGE = "offers"


def run(lake: Lakehouse, config: MeasurementConfig, as_of: date, *, decisions: Table) -> RunReport:
    """Sum what came of each decision whose window had been observed to its end before `as_of`.

    In `decisions`: ``decision_id, person_id, context, offer_id, as_of_date``, one row a decision. Sums of decisions
    whose window ends later stay as they are; those of the past are counted anew, so that none counts twice.
    """
    reads = (decisions, PERSON_DAY, ORDER, ALIAS)
    today = datetime.now(UTC).date()
    also = {"today": str(min(today, as_of))}
    with lake.run(
        STAGE, as_of=as_of, config=config, reads=reads, writes=(OFFER_OUTCOME,), also=also
    ) as run:
        if not run.is_current:
            last = last_order_day(lake.read(ORDER), until=today).collect()[0][0]
            until = as_of if last is None else min(as_of, last + timedelta(days=1))
            made = lake.read_or_empty(decisions).withColumnRenamed("as_of_date", "decided_on")
            found = sum_offer_outcomes(
                resolve_aliases(made, lake.read_or_empty(ALIAS)),
                lake.read(PERSON_DAY),
                None,
                window_days=config.window_days,
                observed_until=until,
            )
            over = until - timedelta(days=config.window_days)
            mine = f"decided_on <= DATE'{over}'"
            run.overwrite(OFFER_OUTCOME, found.where(F.expr(mine)), where=mine)
    return run.report
