"""Decisions: values, memberships, consent and outcomes -> what each person is offered, and why."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from clvspark.audiences.consent import read_channels
from clvspark.audiences.decisions.choose import choose_offers
from clvspark.audiences.decisions.config import DecisionsConfig
from clvspark.audiences.decisions.learn import (
    collect_sums,
    learn_posteriors,
    sum_outcomes,
)
from clvspark.audiences.decisions.tables import DECISION, OFFER_POSTERIOR, TABLES
from clvspark.audiences.moments.tables import JOURNEY_STEP
from clvspark.audiences.tables import DECILE, MEMBERSHIP_EVENT
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.identity.tables import ALIAS, PERSON, PERSON_LINK
from clvspark.lakehouse import Lakehouse, Run, RunReport
from clvspark.lakehouse.dates import rows_of
from clvspark.privacy.suppression import LISTED
from clvspark.sources.tables import CONSENT, EVENT, UNREAD_ADDRESS, UNREAD_CONSENT

STAGE = "decide"
# Written by measurement, a later room: read by its name, as outcomes come round.
OUTCOMES = "measurement.offer_outcome"
READS = (
    JOURNEY_STEP,
    CUSTOMER_VALUE,
    DECILE,
    MEMBERSHIP_EVENT,
    PERSON_LINK,
    PERSON,
    ALIAS,
    CONSENT,
    UNREAD_CONSENT,
    UNREAD_ADDRESS,
    EVENT,
)


def run(lake: Lakehouse, config: DecisionsConfig, as_of: date) -> RunReport:
    """Learn from outcomes and decide on everybody at a decision point as of `as_of`.

    A rerun of the newest date replaces its decisions; those of a date before it stay, and the run warns. Contacts that
    moments of the same date call for count for the caps, so moments come first.
    """
    later = (lake.tables.get(name) for name in (OUTCOMES, LISTED))
    reads = (*READS, *(table for table in later if table))
    # Without offers, now or ever, there is nothing to decide, and no table.
    writes = TABLES if config.offers or lake.exists(DECISION) else ()
    with lake.run(STAGE, as_of=as_of, config=config, reads=reads, writes=writes) as run:
        if not run.is_current and writes:
            _decide(run, lake, config, as_of)
    return run.report


def _decide(run: Run, lake: Lakehouse, config: DecisionsConfig, as_of: date) -> None:
    run.create(*TABLES)
    later = lake.read(DECISION).agg(F.max("as_of_date")).collect()[0][0]
    if later is not None and later > as_of:
        run.warn(
            f"decisions of {as_of} stay as they are: persons have been decided on as of {later}, and what was told "
            "since would not follow from decisions made now. Next step: none, or a run as of that date or later."
        )
        return
    posteriors = learn_posteriors(_read_sums(lake, config, as_of), config, as_of=as_of)
    stored = lake.spark.createDataFrame(posteriors, OFFER_POSTERIOR.schema)
    run.overwrite(OFFER_POSTERIOR, stored, where=rows_of(as_of))
    if not config.points:
        return
    run.step("ranking offers")
    decided = choose_offers(lake, config, as_of, posteriors, read_channels(lake, as_of))
    decided = decided.localCheckpoint()
    run.overwrite(DECISION, decided, where=rows_of(as_of), cached=True)
    _tell(run, decided)


def _read_sums(lake: Lakehouse, config: DecisionsConfig, as_of: date) -> list[Row]:
    table = lake.tables.get(OUTCOMES)
    if table is None or not lake.exists(table):
        return []
    return collect_sums(sum_outcomes(lake.read(table), config.learning, as_of=as_of), config)


def _tell(run: Run, decided: DataFrame) -> None:
    counts = decided.agg(
        F.count(F.lit(1)).alias("decisions"),
        F.count("channel").alias("offers_made"),
        F.count_if("is_fallback").alias("fallbacks"),
    ).collect()[0]
    for name, value in counts.asDict().items():
        run.metric(name, value)
