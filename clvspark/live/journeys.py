"""Journeys and offers follow histories: who enters, whose journey ends, what is sent, offered and told.

The same look as those of the stages `moments` and `decide`, at the persons about whom tables have changed since the
last one, and at those whose sessions are over by now. Who they are follows from what tables held then and hold now;
journeys, steps, offers and outbox are each brought to what they should hold. So a look that was interrupted is taken
again by the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.activation.tables import ASSIGNMENT, CAMPAIGN_HOLDOUT, HOLDOUT, OUTBOX
from clvspark.audiences.decisions.choose import choose_offers
from clvspark.audiences.decisions.stage import STAGE as DECIDE
from clvspark.audiences.decisions.tables import DECISION, OFFER_POSTERIOR
from clvspark.audiences.moments.look import (
    Days,
    Look,
    add_absorbed,
    look_at_journeys,
    read_days,
    summarise_look,
)
from clvspark.audiences.moments.stage import STAGE as MOMENTS
from clvspark.audiences.moments.tables import JOURNEY, JOURNEY_STEP, MOMENT
from clvspark.audiences.tables import MEMBERSHIP_EVENT
from clvspark.clv.tables import VALUE_CHANGE
from clvspark.config import Config
from clvspark.history.tables import INTERACTION, ORDER, SESSION
from clvspark.identity.tables import ALIAS
from clvspark.lakehouse import Lakehouse, Run, RunReport, Table
from clvspark.lakehouse.compare import compare_rows
from clvspark.lakehouse.contract import verify_contracts
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.run_log import LastRun
from clvspark.lakehouse.side_by_side import all_of, keep_all
from clvspark.live.called import list_called, read_called
from clvspark.live.decide import Decider
from clvspark.live.tell import read_told, write_news
from clvspark.live.touched import list_touched
from clvspark.pipeline import STAGES
from clvspark.privacy.consent import CHANNELS
from clvspark.sources.tables import CONSENT, UNREAD_CONSENT

STAGE = "journeys"
# What brings persons to decision points.
_MOVES = (MEMBERSHIP_EVENT, ALIAS)
# What triggers and ends journeys. Sessions change with interactions and orders.
_HAPPENED = (VALUE_CHANGE, ORDER, INTERACTION)
# Who has refused leaves the lists of steps and offers.
_SAID = (CONSENT, UNREAD_CONSENT)
# What a stage begins and the looks go on with.
_KEPT = {MOMENTS: (JOURNEY, JOURNEY_STEP, MOMENT), DECIDE: (DECISION,)}
_TOLD = (OUTBOX, ASSIGNMENT, HOLDOUT, CAMPAIGN_HOLDOUT)


def clock() -> datetime:
    """Now."""
    return datetime.now(UTC)


class Journeys:
    """Advances journeys within the day, decides on offers, and tells of both."""

    def __init__(
        self,
        lake: Lakehouse,
        config: Config,
        report: Callable[[RunReport], None],
        now: Callable[[], datetime] = clock,
    ) -> None:
        """Nothing is read before it is asked for; `report` is told of every run."""
        self._lake, self._config, self._report, self._now = lake, config, report, now
        self._days: Days | None = None
        # The date, and whether its day went on, that was summed up last; what another process has left may not be.
        self._summed: tuple[date, bool] | None = None
        # Up to when sessions were seen to be over; None: not since the start.
        self._quiet: tuple[date, datetime] | None = None

    def advance(
        self, decider: Decider, telling: AbstractContextManager[object]
    ) -> RunReport | None:
        """Look at the journeys and offers of whom something has touched; None where nobody was.

        `telling` is held while destinations' lists are changed.
        """
        lake, as_of, stages = self._lake, decider.scene.as_of, self._stages
        if not stages:
            return None
        lake.log.forget_everything()
        for stage in stages:
            if not self._is_begun(stage, as_of):
                self._report(STAGES[stage](lake, self._config, as_of))
        now, last, reads = self._now(), self._last_run(as_of), (*self._feeds, *_SAID)
        versions = {table.name: lake.version(table) for table in reads}
        is_same = all(last.input_versions.get(name) == v for name, v in versions.items())
        look = Look(self._find_days(as_of), now, self._config.history.session_gap_minutes)
        quiet = self._list_quiet(look)
        if is_same and (quiet is None or quiet.isEmpty()):
            self._note_quiet(look)
            return None
        who = list_touched(lake, self._feeds, last.input_versions, versions, quiet)
        with lake.run(
            STAGE,
            as_of=as_of,
            config=self._config.decisions,
            reads=reads,
            writes=(*(table for stage in stages for table in _KEPT[stage]), *_TOLD),
        ) as run:
            run.is_current = False
            # What has come meanwhile is for the next run.
            run.input_versions = {name: v for name, v in versions.items() if v is not None}
            run.metric("persons", who.count())
            if MOMENTS in stages:
                self._look(run, Look(look.days, now, look.session_gap_minutes, who), decider)
            if DECIDE in stages:
                run.metric("offers_made", self._offer(run, who, decider))
            with telling:
                run.metric("instructions", self._tell(run, who, decider))
        self._note_quiet(look)
        self._report(run.report)
        return run.report

    @property
    def _stages(self) -> list[str]:
        """Stages that begin the date, in their order; none where there is neither a moment nor an offer."""
        decisions = self._config.decisions
        asked = {MOMENTS: decisions.moments, DECIDE: decisions.offers and decisions.points}
        return [stage for stage, found in asked.items() if found]

    @property
    def _feeds(self) -> tuple[Table, ...]:
        """Tables whose changes are looked at."""
        return (*_MOVES, *_HAPPENED) if MOMENTS in self._stages else _MOVES

    def _is_begun(self, stage: str, as_of: date) -> bool:
        """Whether the stage has looked at the date; what is believed of offers must be of those that there are."""
        lake, config = self._lake, self._config.decisions
        if not lake.log.last_success(stage, as_of) or not all(map(lake.exists, _KEPT[stage])):
            return False
        if stage != DECIDE:
            return True
        return {row["offer_id"] for row in self._believe(as_of)} == set(config.offer_ids)

    def _believe(self, as_of: date) -> list[dict[str, Any]]:
        """Rows of audiences.offer_posterior of the date."""
        rows = self._lake.read_or_empty(OFFER_POSTERIOR).where(rows_of(as_of))
        return [row.asDict() for row in rows.collect()]

    def _last_run(self, as_of: date) -> LastRun:
        """The newest look at the date."""
        looks = [self._lake.log.last_success(name, as_of) for name in (self._stages[0], STAGE)]
        return max((run for run in looks if run is not None), key=lambda run: run.ended_at)

    def _find_days(self, as_of: date) -> Days:
        """Up to which days journeys were advanced before the date, which stays the same while it lasts."""
        if self._days is None or self._days.as_of != as_of:
            self._days = read_days(self._lake, self._config.decisions.moments, as_of)
        # The stage has looked at the date.
        return Days(as_of, self._days.settled, self._days.before, as_of)

    def _list_quiet(self, look: Look) -> DataFrame | None:
        """``person_id`` of those with a cart whose session is over since the last look; None where no moment asks."""
        triggers = [moment.trigger.happened for moment in self._config.decisions.moments]
        if not any(rule and rule.type == "cart_abandoned" for rule in triggers):
            return None
        first, until = _midnight(look.as_of) - timedelta(days=1), _quiet_until(look)
        if self._quiet is not None and self._quiet[0] == look.as_of:
            first = self._quiet[1]
        if until <= first:
            return None
        ended = F.col("ended_at")
        over = (ended > _instant(first)) & (ended <= _instant(until))
        carts = self._lake.read_or_empty(SESSION).where(
            "is_cart_abandoned AND person_id IS NOT NULL"
        )
        return carts.where(over).select("person_id").distinct().localCheckpoint()

    def _note_quiet(self, look: Look) -> None:
        self._quiet = (look.as_of, _quiet_until(look))

    def _look(self, run: Run, look: Look, decider: Decider) -> None:
        """Bring journeys and steps of the persons to what a look finds."""
        lake, config = self._lake, self._config.decisions
        day = F.col("as_of_date") <= F.lit(look.as_of)
        looked = look_at_journeys(
            lake,
            config,
            look,
            consent=look.theirs(_consents(decider)),
            # Those of today have been told.
            decisions=lake.read_or_empty(DECISION).where(day),
        )
        today = rows_of(look.as_of, "decided_on")
        journeys, steps = keep_all(
            look.theirs(lake.read(JOURNEY)), look.theirs(lake.read(JOURNEY_STEP).where(today))
        )
        (moved, _, _), (sent, gone, _) = all_of(
            lambda: compare_rows(looked.journeys, journeys, JOURNEY),
            lambda: compare_rows(looked.steps, steps, JOURNEY_STEP),
        )
        moved, sent = keep_all(moved, sent)
        counts = _count(moved, journeys, sent, steps)
        for name, number in counts.items():
            run.metric(name, number)
        # Whatever is written first, the next look finds the same: who has entered stays entered, what was sent, sent.
        changed = run.merge(JOURNEY, moved) + run.merge(JOURNEY_STEP, sent, gone=gone)
        if changed or self._summed != (look.as_of, look.goes_on):
            of_today = lake.read(JOURNEY_STEP).where(today)
            run.merge(MOMENT, summarise_look(lake.read(JOURNEY), of_today, config.moments, look))
            self._summed = (look.as_of, look.goes_on)

    def _offer(self, run: Run, who: DataFrame, decider: Decider) -> int:
        """Decide on those of the persons who have come to a decision point on this date; return their number."""
        lake, as_of = self._lake, decider.scene.as_of
        chosen = choose_offers(
            lake,
            self._config.decisions,
            as_of,
            self._believe(as_of),
            _consents(decider),
            among=who,
        )
        chosen = chosen.localCheckpoint()
        return run.merge(DECISION, chosen)

    def _tell(self, run: Run, who: DataFrame, decider: Decider) -> int:
        """Bring the lists of steps and offers to who is to be on them; return the number of new instructions."""
        names = list_called(self._config)
        if not names:
            return 0
        lake, scene = self._lake, decider.scene
        refused = decider.refused()
        if refused is not None:
            absorbed = add_absorbed(refused, lake.read_or_empty(ALIAS))
            who = who.unionByName(absorbed).distinct().localCheckpoint()
        members = read_called(lake, who, as_of=scene.as_of)
        told = read_told(lake, scene, who, names, decider.contacts())
        news = write_news(lake, self._config.activation, scene, told, members)
        frames = keep_all(*news.values())
        counts = verify_contracts([(df, None) for df in frames])
        for table, rows, count in zip(news, frames, counts, strict=True):
            if count:
                run.append(table, rows)
        return dict(zip(news, counts, strict=True))[OUTBOX]


def _consents(decider: Decider) -> DataFrame:
    """``person_id, consent_<channel>`` as of now."""
    return decider.contacts().select("person_id", *(f"consent_{channel}" for channel in CHANNELS))


def _midnight(as_of: date) -> datetime:
    """The first instant that does not count for a date."""
    return datetime.combine(as_of, time(), UTC)


def _quiet_until(look: Look) -> datetime:
    """Whoever has done nothing since this instant is not looking around any more."""
    return look.quiet_before if look.goes_on else _midnight(look.as_of)


def _instant(at: datetime) -> Column:
    return F.lit(at).cast("timestamp")


def _count(
    moved: DataFrame, journeys: DataFrame, sent: DataFrame, steps: DataFrame
) -> dict[str, int]:
    """What is new: journeys that were entered and ended, steps that were sent and left out."""
    was = journeys.select("journey_id", F.struct(F.col("ended_on").alias("on")).alias("_was"))
    is_new = F.col("_was").isNull()
    ended = F.col("ended_on").isNotNull() & F.col("_was.on").isNull()
    had = steps.select("journey_step_id", F.col("status").alias("_was"))
    other = ~F.col("status").eqNullSafe(F.col("_was"))
    first, second = all_of(
        moved.join(was, on="journey_id", how="left")
        .agg(
            F.count_if(is_new).alias("journeys_entered"), F.count_if(ended).alias("journeys_ended")
        )
        .collect,
        sent.join(had, on="journey_step_id", how="left")
        .agg(
            F.count_if(other & (F.col("status") == "sent")).alias("steps_sent"),
            F.count_if(other & (F.col("status") == "left_out")).alias("steps_left_out"),
        )
        .collect,
    )
    return {**first[0].asDict(), **second[0].asDict()}
