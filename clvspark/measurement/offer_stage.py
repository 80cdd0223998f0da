"""Offers: what came of decisions whose window is over -> `measurement.offer_outcome`."""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import functions as F

from clvspark.activation.tables import ASSIGNMENT, HOLDOUT
from clvspark.audiences.decisions.tables import DECISION
from clvspark.history.tables import ORDER, PERSON_DAY
from clvspark.identity.tables import ALIAS, resolve_aliases
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.due import name_day, read_last_order_day, read_today
from clvspark.measurement.offers import choose_decisions, sum_offer_outcomes
from clvspark.measurement.tables import OFFER_OUTCOME

STAGE = "learn"


def run(lake: Lakehouse, config: MeasurementConfig, as_of: date) -> RunReport:
    """Sum what came of each decision whose window had been observed to its end before `as_of`.

    Sums of decisions whose window ends later stay as they are; those of the past are counted anew, so that none counts
    twice.
    """
    # Where nothing has ever been decided there is nothing to learn, whatever else changes, and no table.
    decides = lake.exists(DECISION)
    reads = (DECISION, ASSIGNMENT, HOLDOUT, PERSON_DAY, ORDER, ALIAS) if decides else (DECISION,)
    writes = (OFFER_OUTCOME,) if decides else ()
    today = read_today()
    also = name_day(today, as_of=as_of, window_days=0)
    with lake.run(STAGE, as_of=as_of, config=config, reads=reads, writes=writes, also=also) as run:
        if not run.is_current and decides:
            last = read_last_order_day(lake, today=today)
            until = as_of if last is None else min(as_of, last + timedelta(days=1))
            made = choose_decisions(
                lake.read_or_empty(DECISION),
                lake.read_or_empty(ASSIGNMENT),
                lake.read_or_empty(HOLDOUT),
            )
            found = sum_offer_outcomes(
                resolve_aliases(made, lake.read_or_empty(ALIAS)),
                lake.read(PERSON_DAY),
                window_days=config.window_days,
                observed_until=until,
            )
            over = until - timedelta(days=config.window_days)
            mine = f"decided_on <= DATE'{over}'"
            run.overwrite(OFFER_OUTCOME, found.where(F.expr(mine)), where=mine)
    return run.report
