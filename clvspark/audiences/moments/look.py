"""A look at journeys on a date, of everybody or of a few: who enters, whose journey ends, what is sent.

A date may be looked at again and again: while its day goes on by a stream, and after it by a batch. What is known then
decides, but for what cannot be undone: who has entered stays entered, and what was sent stays sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.decisions.config import DecisionsConfig
from clvspark.audiences.decisions.contacts import count_contacts, gather_contacts
from clvspark.audiences.moments.advance import (
    advance_journeys,
    hold_back,
    keep_entered,
    list_void,
    move_to_heirs,
    rewind_journeys,
)
from clvspark.audiences.moments.definitions import Moment
from clvspark.audiences.moments.endings import list_endings
from clvspark.audiences.moments.steps import decide_steps, list_due_steps
from clvspark.audiences.moments.summary import summarise_moments
from clvspark.audiences.moments.tables import JOURNEY, JOURNEY_STEP, MOMENT
from clvspark.audiences.moments.triggers import Evidence, list_abandoned_carts, list_triggers
from clvspark.audiences.tables import MEMBERSHIP_EVENT
from clvspark.clv.tables import VALUE_CHANGE
from clvspark.history.tables import CLV_SUMMARY, INTERACTION, ORDER, SESSION, standing_purchases
from clvspark.identity.tables import ALIAS, resolve_aliases
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.dates import goes_on, rows_of
from clvspark.lakehouse.side_by_side import keep_all
from clvspark.lakehouse.subsets import rows_among


@dataclass(frozen=True)
class Days:
    """Up to which days journeys were advanced before a date.

    Parameters
    ----------
    settled : by moment, the last day that was over when it was looked at.
    before : by moment, the last date.
    newest : of all dates; None where there is none.
    """

    as_of: date
    settled: dict[str, date]
    before: dict[str, date]
    newest: date | None

    @property
    def is_again(self) -> bool:
        """Whether days that are looked at have been looked at before."""
        if self.newest is None:
            return False
        return self.newest >= self.as_of or self.settled != self.before


def read_days(lake: Lakehouse, moments: Sequence[Moment], as_of: date) -> Days:
    """Up to which days each moment was advanced; one that is new begins today, what would have triggered it is past."""
    earlier = F.col("as_of_date") < F.lit(as_of)
    settled = F.coalesce("settled_on", "as_of_date")
    rows = (
        lake.read_or_empty(MOMENT)
        .groupBy("moment_id")
        .agg(
            F.max("as_of_date").alias("newest"),
            F.max(F.when(earlier, F.col("as_of_date"))).alias("before"),
            F.max(F.when(earlier, settled)).alias("settled"),
        )
        .collect()
    )
    known = {row["moment_id"]: row for row in rows}
    new = {"before": as_of - timedelta(days=1), "settled": as_of - timedelta(days=1)}

    def last(name: str) -> dict[str, date]:
        return {m.id: (m.id in known and known[m.id][name]) or new[name] for m in moments}

    newest = max((row["newest"] for row in rows), default=None)
    return Days(as_of, last("settled"), last("before"), newest)


@dataclass(frozen=True)
class Look:
    """How journeys are looked at.

    Parameters
    ----------
    now : when; while the day goes on, who is still looking around has not abandoned a cart.
    session_gap_minutes : so long after the last event of a session nobody is looking around any more.
    who : ``person_id`` of those who are looked at, rows of `add_absorbed`; None: everybody.
    """

    days: Days
    now: datetime
    session_gap_minutes: int
    who: DataFrame | None = None

    @property
    def as_of(self) -> date:
        """The date, the first day that is not known."""
        return self.days.as_of

    @property
    def goes_on(self) -> bool:
        """Whether more may happen that counts for the date."""
        return goes_on(self.as_of, self.now)

    @property
    def quiet_before(self) -> datetime:
        """Sessions whose last event was before this instant are over."""
        return self.now - timedelta(minutes=self.session_gap_minutes)

    def theirs(self, rows: DataFrame) -> DataFrame:
        """Rows of those who are looked at."""
        if self.who is None:
            return rows
        return rows_among(rows, self.who, "person_id").select(*rows.columns)


@dataclass(frozen=True)
class Looked:
    """What a look has found, in memory.

    Parameters
    ----------
    journeys : audiences.journey after the date.
    steps : audiences.journey_step decided on the date.
    """

    journeys: DataFrame
    steps: DataFrame


def look_at_journeys(
    lake: Lakehouse,
    config: DecisionsConfig,
    look: Look,
    *,
    consent: DataFrame,
    decisions: DataFrame,
) -> Looked:
    """Advance journeys to the date and decide on the steps that are due; nothing is written.

    In: consent by channel; rows of audiences.decision that count for the caps.
    """
    as_of, moments, aliases = look.as_of, config.moments, lake.read_or_empty(ALIAS)
    evidence = _read_evidence(lake, aliases, look)
    stored = look.theirs(lake.read(JOURNEY))
    since = _column(look.days.settled, otherwise=as_of)
    known = move_to_heirs(rewind_journeys(stored, until=since), aliases, as_of=as_of)
    known = known.localCheckpoint(eager=False)
    entered = stored.where(F.col("entered_on") > since).withColumn("_was", F.col("person_id"))
    entered = resolve_aliases(entered, aliases)
    triggers = list_triggers(evidence, moments, since=look.days.settled, until=as_of)
    if look.goes_on:
        sessions = look.theirs(lake.read_or_empty(SESSION))
        busy = _list_busy(sessions, look.quiet_before)
        triggers = hold_back(triggers, busy, entered, moments, on=as_of)
    # Each is read several times; without a stop between, every moment would read all of the evidence each time.
    triggers, endings = keep_all(
        triggers,
        # What ended a journey may have come to be known late.
        list_endings(
            evidence, moments, since=_entered_since(known, look.days.settled), until=as_of
        ),
    )
    void = list_void(entered, triggers) if look.days.is_again else None
    journeys = advance_journeys(known, triggers, endings, moments, until=as_of, void=void)
    if look.days.is_again:
        journeys = keep_entered(journeys, entered, endings)
    journeys = journeys.localCheckpoint()
    done = resolve_aliases(look.theirs(lake.read(JOURNEY_STEP)), aliases)
    today = F.expr(rows_of(as_of, "decided_on"))
    done = done.where(~today | (F.col("status") == "sent")).localCheckpoint(eager=False)
    due = list_due_steps(journeys, done, moments, since=since, until=as_of)
    contacts = gather_contacts(look.theirs(decisions), done)
    counts = count_contacts(contacts, aliases, config.caps, as_of=as_of)
    new = decide_steps(due, consent, counts, config.caps, as_of=as_of)
    steps = done.where(today).select(*JOURNEY_STEP.names).unionByName(new)
    return Looked(journeys, steps.localCheckpoint())


def summarise_look(
    journeys: DataFrame, steps: DataFrame, moments: Sequence[Moment], look: Look
) -> DataFrame:
    """audiences.moment of the date. In: audiences.journey; audiences.journey_step decided on the date; of everybody."""
    since = _column(look.days.before, otherwise=look.as_of)
    settled = look.as_of - timedelta(days=1) if look.goes_on else look.as_of
    return summarise_moments(
        journeys, steps, moments, since=since, as_of=look.as_of, settled_on=settled
    )


def add_absorbed(who: DataFrame, aliases: DataFrame) -> DataFrame:
    """``person_id`` of persons and of those whom they have absorbed, in memory.

    In: ``person_id`` of today; identity.alias.
    """
    absorbed = rows_among(aliases, who, "person_id").select(F.col("retired_id").alias("person_id"))
    return who.select("person_id").unionByName(absorbed).distinct().localCheckpoint()


def _entered_since(journeys: DataFrame, since: Mapping[str, date]) -> dict[str, date]:
    """By moment, the day of the first entry that is still under way, if that is before `since`."""
    under_way = journeys.where("ended_on IS NULL").groupBy("moment_id")
    first = {row[0]: row[1] for row in under_way.agg(F.min("entered_on")).collect()}
    return {name: min(day, first.get(name, day)) for name, day in since.items()}


def _column(days: Mapping[str, date], *, otherwise: date) -> Column:
    """The day of the row's moment; `otherwise` that of one which is no longer configured, so that it stays as it is."""
    cases = [F.when(F.col("moment_id") == name, F.lit(day)) for name, day in days.items()]
    return F.coalesce(*cases, F.lit(otherwise))


def _read_evidence(lake: Lakehouse, aliases: DataFrame, look: Look) -> Evidence:
    theirs, known = look.theirs, F.lit(look.as_of).cast("timestamp")
    orders = theirs(lake.read(ORDER)).where(
        (F.col("ordered_at") < known) & F.col("person_id").isNotNull()
    )
    sessions = theirs(lake.read_or_empty(SESSION)).where(F.col("ended_at") < known)
    bought = standing_purchases(orders).select(
        "person_id", F.lit("order").alias("type"), F.col("ordered_at").alias("at")
    )
    others = (
        theirs(lake.read_or_empty(INTERACTION))
        .where(F.col("occurred_at") < known)
        .select(
            "person_id", F.col("interaction_type").alias("type"), F.col("occurred_at").alias("at")
        )
    )
    parts = [bought, others, list_abandoned_carts(sessions, orders)]
    summary = theirs(lake.read_or_empty(CLV_SUMMARY)).where(
        f"{rows_of(look.as_of)} AND lag_days = 0"
    )
    return Evidence(
        *keep_all(
            resolve_aliases(theirs(lake.read_or_empty(MEMBERSHIP_EVENT)), aliases),
            resolve_aliases(theirs(lake.read_or_empty(VALUE_CHANGE)), aliases),
            reduce(DataFrame.unionByName, parts),
            summary.select("person_id", "first_purchase_on"),
        )
    )


def _list_busy(sessions: DataFrame, quiet_before: datetime) -> DataFrame:
    """``person_id`` of whoever has something in the cart and may still be looking around. In: history.session."""
    open_carts = sessions.where("is_cart_abandoned AND person_id IS NOT NULL")
    late = open_carts.where(F.col("ended_at") > F.lit(quiet_before).cast("timestamp"))
    return late.select("person_id").distinct()
