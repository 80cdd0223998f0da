"""Moments: triggers of the day -> journeys that begin, go on and end, and the steps that are sent."""

from __future__ import annotations

from datetime import UTC, date, datetime

from pyspark.sql import functions as F

from clvspark.audiences.consent import read_channels
from clvspark.audiences.decisions.config import DecisionsConfig
from clvspark.audiences.decisions.tables import DECISION
from clvspark.audiences.moments.look import (
    Look,
    look_at_journeys,
    read_days,
    summarise_look,
)
from clvspark.audiences.moments.tables import JOURNEY, JOURNEY_STEP, MOMENT, TABLES
from clvspark.audiences.tables import MEMBERSHIP_EVENT
from clvspark.clv.tables import VALUE_CHANGE
from clvspark.history.tables import CLV_SUMMARY, INTERACTION, ORDER, SESSION
from clvspark.identity.tables import ALIAS, PERSON_LINK
from clvspark.lakehouse import Lakehouse, Run, RunReport
from clvspark.lakehouse.dates import goes_on, rows_of
from clvspark.sources.tables import CONSENT, EVENT, UNREAD_ADDRESS, UNREAD_CONSENT

STAGE = "moments"
# Decisions of earlier dates count for the caps. They are not declared: those of today, which come after this stage,
# would make it look out of date.
READS = (
    MEMBERSHIP_EVENT,
    VALUE_CHANGE,
    ORDER,
    INTERACTION,
    SESSION,
    CLV_SUMMARY,
    PERSON_LINK,
    ALIAS,
    CONSENT,
    UNREAD_CONSENT,
    UNREAD_ADDRESS,
    EVENT,
)


def run(
    lake: Lakehouse,
    config: DecisionsConfig,
    as_of: date,
    *,
    session_gap_minutes: int = 30,
    now: datetime | None = None,
) -> RunReport:
    """Advance all journeys to `as_of` and decide on the steps that are due.

    Days on which no run took place are caught up with, and a day that still went on at the last run (by `now`,
    the clock if None) is looked at again. A rerun of the newest date keeps who has entered and what was sent, and else
    comes to what is known now; where moments have been advanced to a later date, everything stays as it is and the run
    warns.
    """
    now = now or datetime.now(UTC)
    # Without moments, now or ever, there is nothing to advance, and no table.
    writes = TABLES if config.moments or lake.exists(MOMENT) else ()
    also = {"gap": str(session_gap_minutes), "goes_on": str(goes_on(as_of, now))}
    with lake.run(STAGE, as_of=as_of, config=config, reads=READS, writes=writes, also=also) as run:
        if not run.is_current and writes:
            _advance(run, lake, config, as_of, now, session_gap_minutes)
    return run.report


def _advance(
    run: Run,
    lake: Lakehouse,
    config: DecisionsConfig,
    as_of: date,
    now: datetime,
    session_gap_minutes: int,
) -> None:
    run.create(*TABLES)
    days = read_days(lake, config.moments, as_of)
    if days.newest is not None and days.newest > as_of:
        run.warn(
            f"journeys stay as they are: moments have been advanced to {days.newest}, and journeys go forward in time. "
            f"Next step: none, or a run as of {days.newest} or later."
        )
        return
    run.step("advancing journeys")
    look = Look(days, now, session_gap_minutes)
    looked = look_at_journeys(
        lake,
        config,
        look,
        consent=read_channels(lake, as_of),
        decisions=lake.read_or_empty(DECISION).where(F.col("as_of_date") < F.lit(as_of)),
    )
    run.renew(JOURNEY, looked.journeys)
    run.step("sending steps")
    run.overwrite(JOURNEY_STEP, looked.steps, where=rows_of(as_of, "decided_on"), cached=True)
    came = summarise_look(looked.journeys, looked.steps, config.moments, look)
    run.overwrite(MOMENT, came, where=rows_of(as_of))
