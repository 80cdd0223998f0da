"""What destinations are to be told of the persons of a micro-batch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.campaigns import deal_campaigns, hold_campaigns
from clvspark.activation.config import ActivationConfig
from clvspark.activation.drain import drain
from clvspark.activation.gate import assign_members
from clvspark.activation.outbox import write_instructions
from clvspark.activation.people import judge_all
from clvspark.activation.stage import FAILED
from clvspark.activation.tables import (
    ASSIGNMENT,
    CAMPAIGN_HOLDOUT,
    DEAD_LETTER,
    HOLDOUT,
    OUTBOX,
    SYNC_LOG,
)
from clvspark.activation.withdraw import withdraw
from clvspark.identity.tables import ALIAS
from clvspark.lakehouse import Lakehouse, RunReport, Table
from clvspark.lakehouse.dates import find_day_of_acting, rows_of
from clvspark.lakehouse.folders import recover_folders
from clvspark.lakehouse.side_by_side import keep_all
from clvspark.lakehouse.subsets import rows_among
from clvspark.live.scene import NEW_GROUP, STRATUM, Scene
from clvspark.privacy.consent import ANY, CHANNELS, MARKETING, REFUSALS, refused_channel
from clvspark.sources.tables import CONSENT, UNREAD_CONSENT

_RECORD = ("source_system", "source_record_id")
DELIVER = "deliver"
# Columns of contacts that say whether somebody may be written to, see `activation.gate.purpose_suffix`.
_ALLOWED = re.compile(rf"consent_(?P<channel>{'|'.join(CHANNELS)})(_(?P<purpose>.+))?")
_EVERY_PURPOSE = "*"


@dataclass(frozen=True)
class Refusals:
    """Who has refused what since the scene was set: ``person_id, channel, purpose``, of those who share an address too.

    Without a purpose all of them are meant.
    """

    rows: DataFrame

    def join(self, others: Refusals) -> Refusals:
        """These and others."""
        return Refusals(self.rows.unionByName(others.rows).distinct().localCheckpoint())

    def lay_over(self, contacts: DataFrame) -> DataFrame:
        """Contacts in which a refusal holds for whatever the person had allowed on that channel."""
        every = F.lit(_EVERY_PURPOSE)
        what = F.concat_ws("|", "channel", F.coalesce("purpose", every))
        said = self.rows.groupBy("person_id").agg(F.collect_set(what).alias("_refused"))
        joined = contacts.join(F.broadcast(said), on="person_id", how="left")
        columns = {}
        for name in contacts.columns:
            if found := _ALLOWED.fullmatch(name):
                channel, purpose = found["channel"], found["purpose"] or MARKETING
                meant = F.array(*(F.lit(f"{channel}|{p}") for p in (purpose, _EVERY_PURPOSE)))
                refused = F.coalesce(F.arrays_overlap("_refused", meant), F.lit(False))
                columns[name] = F.col(name) & ~refused
        return joined.withColumns(columns).drop("_refused")


def list_refused(events: DataFrame, others: Mapping[Table, DataFrame]) -> DataFrame:
    """``source_system, source_record_id, channel, purpose`` of refusals among what has come.

    In: sources.event; rows of other tables `sources.*`. A no that names no purpose, or that nobody could read, is one
    to all of them.
    """
    found = events.where(
        F.col("event_type").isin(*REFUSALS) & F.col("source_record_id").isNotNull()
    )
    marketing = F.lit(MARKETING).alias("purpose")
    rows = [found.select(*_RECORD, refused_channel().alias("channel"), marketing)]
    if CONSENT in others:
        named = F.lower(F.trim("purpose")).alias("purpose")
        rows.append(others[CONSENT].where("val = 'n'").select(*_RECORD, "channel", named))
    if UNREAD_CONSENT in others:
        unnamed = F.lit(None).cast("string").alias("purpose")
        rows.append(others[UNREAD_CONSENT].select(*_RECORD, "channel", unnamed))
    every = reduce(DataFrame.unionByName, rows)
    all_channels = F.array(*(F.lit(channel) for channel in CHANNELS))
    meant = F.when(F.col("channel") == ANY, all_channels).otherwise(F.array("channel"))
    return every.select(*_RECORD, F.explode(meant).alias("channel"), "purpose").distinct()


def find_refusals(refused: DataFrame, scene: Scene) -> Refusals:
    """Refusals of the persons of records, and of all who share an address with them. In: rows of `list_refused`."""
    what = ("channel", "purpose")
    own = scene.links.join(F.broadcast(refused), on=list(_RECORD)).select("person_id", *what)
    own = own.distinct().localCheckpoint()
    theirs = scene.entries.join(F.broadcast(own), on="person_id").select("entry", *what)
    shared = scene.entries.join(F.broadcast(theirs), on="entry").select("person_id", *what)
    return Refusals(own.unionByName(shared).distinct().localCheckpoint())


@dataclass(frozen=True)
class Told:
    """What is known of persons who may be told about, in memory.

    Parameters
    ----------
    lists : ids of the lists that are looked at.
    contacts : of these persons.
    outbox : their rows of activation.outbox, of these lists.
    assigned : their rows of activation.assignment, of the date.
    dealt : ``person_id`` of those in activation.holdout.
    """

    lists: Sequence[str]
    contacts: DataFrame
    outbox: DataFrame
    assigned: DataFrame
    dealt: DataFrame


def read_told(
    lake: Lakehouse, scene: Scene, who: DataFrame, lists: Sequence[str], contacts: DataFrame
) -> Told:
    """Read what some lists were told of persons. In: ``person_id``; contacts, of at least these persons."""
    outbox = lake.read_or_empty(OUTBOX).where(F.col("audience_id").isin(*lists))
    assigned = lake.read_or_empty(ASSIGNMENT).where(rows_of(scene.as_of)).select(*ASSIGNMENT.names)
    dealt = lake.read_or_empty(HOLDOUT).select("person_id")
    every = (contacts, outbox, assigned, dealt)
    kept = keep_all(*(rows_among(rows, who, "person_id") for rows in every), eager=False)
    return Told(lists, *kept)


def write_news(
    lake: Lakehouse, config: ActivationConfig, scene: Scene, told: Told, members: DataFrame
) -> dict[Table, DataFrame]:
    """New rows of activation.outbox, .assignment and .holdout.

    In: ``audience_id, person_id, channel`` of those of the persons who should be on the lists. The same difference that
    a run of the batch writes, between what each list should hold and what it was told, for these persons alone.
    """
    judged = judge_all(members, told.contacts, config).localCheckpoint(eager=False)
    judged, campaigns = _hold_campaigns(lake, config, scene, judged, told)
    eligible = judged.where("verdict = 'eligible'")
    new = rows_among(told.contacts, members.select("person_id").distinct(), "person_id")
    new = new.where(F.col(NEW_GROUP).isNotNull())
    groups = new.join(told.dealt, on="person_id", how="left_anti").select(
        "person_id",
        F.col(NEW_GROUP).alias("split_group"),
        F.lit(scene.as_of).alias("assigned_on"),
        F.col(STRATUM).alias("stratum"),
    )
    acted_on = find_day_of_acting(scene.as_of)
    return {
        OUTBOX: write_instructions(told.outbox, eligible, as_of=scene.as_of),
        ASSIGNMENT: assign_members(judged, told.assigned, as_of=scene.as_of, acted_on=acted_on),
        HOLDOUT: groups.select(*HOLDOUT.names),
        **campaigns,
    }


def _hold_campaigns(
    lake: Lakehouse,
    config: ActivationConfig,
    scene: Scene,
    judged: DataFrame,
    told: Told,
) -> tuple[DataFrame, dict[Table, DataFrame]]:
    """Verdicts after the holdouts of single lists, and the groups that are dealt."""
    campaigns = [c for c in config.campaign_holdouts if c.audience in told.lists]
    if not campaigns:
        return judged, {}
    aliases, dealt = lake.read_or_empty(ALIAS), lake.read_or_empty(CAMPAIGN_HOLDOUT)
    entries = _list_shared(scene, told.contacts)
    values = told.contacts.select("person_id", "lifecycle_stage", "clv_decile")
    found = deal_campaigns(judged, entries, dealt, aliases, values, campaigns, as_of=scene.as_of)
    key = ["audience_id", "person_id"]
    new = found.join(dealt.select(*key), on=key, how="left_anti").localCheckpoint(eager=False)
    names = [campaign.audience for campaign in campaigns]
    current = dealt.unionByName(new).where(F.col("audience_id").isin(*names))
    return hold_campaigns(judged, entries, current, aliases), {CAMPAIGN_HOLDOUT: new}


def _list_shared(scene: Scene, who: DataFrame) -> DataFrame:
    """``person_id, entry``: addresses of the persons, with all others who have one of them, in memory."""
    own = rows_among(scene.entries, who, "person_id").select("entry").distinct()
    return rows_among(scene.entries, own, "entry").select("person_id", "entry").localCheckpoint()


def take_off_lists(
    lake: Lakehouse,
    config: ActivationConfig,
    contacts: DataFrame,
    as_of: date,
    who: DataFrame | None = None,
) -> int:
    """Write removals of those on any list who may not be told any more, and return their number.

    In: contacts as of now; ``person_id`` of those who are asked about, everybody if None.
    """
    outbox = lake.read_or_empty(OUTBOX)
    if who is not None:
        outbox = rows_among(outbox, who.distinct(), "person_id")
    removals = withdraw(outbox.localCheckpoint(), contacts, config, as_of=as_of).localCheckpoint()
    if count := removals.count():
        lake.append(OUTBOX, removals, cached=True)
    return count


def deliver(
    lake: Lakehouse, config: ActivationConfig, contacts: Callable[[], DataFrame], as_of: date
) -> RunReport:
    """Tell every destination what waits for it; one that fails is counted in ``destinations_failed``."""
    for destination in config.destinations:
        recover_folders(Path(config.exports) / destination.id)
    with lake.run(
        DELIVER, as_of=as_of, config=config, reads=(), writes=(OUTBOX, SYNC_LOG, DEAD_LETTER)
    ) as run:
        run.is_current = False
        drained = drain(run, lake, config, contacts, as_of)
        run.metric("entries_delivered", sum(drained.entries.values()))
        if drained.failed:
            run.metric(FAILED, len(drained.failed))
    return run.report


def something_waits(lake: Lakehouse, config: ActivationConfig) -> bool:
    """Whether the outbox holds what a destination of the configuration was not told yet."""
    here = F.col("destination_id").isin(*(d.id for d in config.destinations))
    waits = lake.read_or_empty(OUTBOX).where(here).where("status = 'pending'")
    return not waits.isEmpty()
