"""Moments: triggers of the day -> journeys that begin, go on and end, and the steps that are sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.consent import read_channels
from clvspark.audiences.decisions.config import DecisionsConfig
from clvspark.audiences.decisions.contacts import count_contacts, gather_contacts
from clvspark.audiences.decisions.tables import DECISION
from clvspark.audiences.moments.advance import advance_journeys, move_to_heirs, rewind_journeys
from clvspark.audiences.moments.endings import list_endings
from clvspark.audiences.moments.steps import decide_steps, list_due_steps
from clvspark.audiences.moments.summary import summarise_moments
from clvspark.audiences.moments.tables import JOURNEY, JOURNEY_STEP, MOMENT, TABLES
from clvspark.audiences.moments.triggers import Evidence, list_abandoned_carts, list_triggers
from clvspark.audiences.tables import MEMBERSHIP_EVENT
from clvspark.clv.tables import VALUE_CHANGE
from clvspark.history.tables import CLV_SUMMARY, INTERACTION, ORDER, SESSION, standing_purchases
from clvspark.identity.tables import ALIAS, PERSON_LINK, resolve_aliases
from clvspark.lakehouse import Lakehouse, Run, RunReport
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.side_by_side import keep_all
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


def run(lake: Lakehouse, config: DecisionsConfig, as_of: date) -> RunReport:
    """Advance all journeys to `as_of` and decide on the steps that are due.

    Days on which no run took place are caught up with. A rerun of the newest date comes to the same; where moments
    have been advanced to a later date, everything stays as it is and the run warns.
    """
    # Without moments, now or ever, there is nothing to advance, and no table.
    writes = TABLES if config.moments or lake.exists(MOMENT) else ()
    with lake.run(STAGE, as_of=as_of, config=config, reads=READS, writes=writes) as run:
        if not run.is_current and writes:
            _advance(run, lake, config, as_of)
    return run.report


def _advance(run: Run, lake: Lakehouse, config: DecisionsConfig, as_of: date) -> None:
    run.create(*TABLES)
    seen = (
        lake.read(MOMENT)
        .groupBy("moment_id")
        .agg(
            F.max("as_of_date").alias("newest"),
            F.max(F.when(F.col("as_of_date") < F.lit(as_of), F.col("as_of_date"))).alias("before"),
        )
    )
    dates = {row["moment_id"]: row for row in seen.collect()}
    later = max((row["newest"] for row in dates.values()), default=as_of)
    if later > as_of:
        run.warn(
            f"journeys stay as they are: moments have been advanced to {later}, and journeys go forward in time. Next "
            f"step: none, or a run as of {later} or later."
        )
        return
    day_before = as_of - timedelta(days=1)
    # A moment that is new begins today; what would have triggered it before is past.
    since = {
        m.id: (dates[m.id]["before"] if m.id in dates else None) or day_before
        for m in config.moments
    }
    moments = config.moments
    run.step("advancing journeys")
    aliases = lake.read_or_empty(ALIAS)
    evidence = _read_evidence(lake, aliases, as_of)
    # As before this date, so that a rerun comes to the same.
    before = _since(since, day_before)
    known = rewind_journeys(lake.read(JOURNEY), until=before)
    known = move_to_heirs(known, aliases, as_of=as_of).localCheckpoint(eager=False)
    # Each is read several times; without a stop between, every moment would read all of the evidence each time.
    triggers, endings = keep_all(
        list_triggers(evidence, moments, since=since, until=as_of),
        # What ended a journey may have come to be known late.
        list_endings(evidence, moments, since=_entered_since(known, since), until=as_of),
    )
    journeys = advance_journeys(known, triggers, endings, moments, until=as_of).localCheckpoint()
    run.renew(JOURNEY, journeys)
    run.step("sending steps")
    done = resolve_aliases(lake.read(JOURNEY_STEP), aliases).where(
        ~F.expr(rows_of(as_of, "decided_on"))
    )
    done = done.localCheckpoint(eager=False)
    due = list_due_steps(journeys, done, moments, since=before, until=as_of)
    steps = decide_steps(
        due,
        read_channels(lake, as_of),
        _count_contacts(lake, done, aliases, config, as_of),
        config.caps,
        as_of=as_of,
    ).localCheckpoint()
    run.overwrite(JOURNEY_STEP, steps, where=rows_of(as_of, "decided_on"), cached=True)
    came = summarise_moments(journeys, steps, moments, since=before, as_of=as_of)
    run.overwrite(MOMENT, came, where=rows_of(as_of))


def _entered_since(journeys: DataFrame, since: Mapping[str, date]) -> dict[str, date]:
    """By moment, the day of the first entry that is still under way, if that is before `since`."""
    under_way = journeys.where("ended_on IS NULL").groupBy("moment_id")
    first = {row[0]: row[1] for row in under_way.agg(F.min("entered_on")).collect()}
    return {name: min(day, first.get(name, day)) for name, day in since.items()}


def _since(since: Mapping[str, date], otherwise: date) -> Column:
    """The last day that the row's moment knows; of a moment that is no longer configured, the day before."""
    cases = [F.when(F.col("moment_id") == name, F.lit(day)) for name, day in since.items()]
    return F.coalesce(*cases, F.lit(otherwise))


def _read_evidence(lake: Lakehouse, aliases: DataFrame, as_of: date) -> Evidence:
    known = F.lit(as_of).cast("timestamp")
    orders = lake.read(ORDER).where((F.col("ordered_at") < known) & F.col("person_id").isNotNull())
    sessions = lake.read_or_empty(SESSION).where(F.col("ended_at") < known)
    bought = standing_purchases(orders).select(
        "person_id", F.lit("order").alias("type"), F.col("ordered_at").alias("at")
    )
    others = (
        lake.read_or_empty(INTERACTION)
        .where(F.col("occurred_at") < known)
        .select(
            "person_id", F.col("interaction_type").alias("type"), F.col("occurred_at").alias("at")
        )
    )
    parts = [bought, others, list_abandoned_carts(sessions, orders)]
    summary = lake.read_or_empty(CLV_SUMMARY).where(f"{rows_of(as_of)} AND lag_days = 0")
    return Evidence(
        *keep_all(
            resolve_aliases(lake.read_or_empty(MEMBERSHIP_EVENT), aliases),
            resolve_aliases(lake.read_or_empty(VALUE_CHANGE), aliases),
            reduce(DataFrame.unionByName, parts),
            summary.select("person_id", "first_purchase_on"),
        )
    )


def _count_contacts(
    lake: Lakehouse, done: DataFrame, aliases: DataFrame, config: DecisionsConfig, as_of: date
) -> DataFrame:
    decided = lake.read_or_empty(DECISION).where(F.col("as_of_date") < F.lit(as_of))
    return count_contacts(gather_contacts(decided, done), aliases, config.caps, as_of=as_of)
