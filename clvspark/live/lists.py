"""Who of the persons of a micro-batch enters or leaves an audience of the stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.compile.names import member_column
from clvspark.audiences.evaluate import evaluate_audiences
from clvspark.audiences.membership import list_transitions, update_membership
from clvspark.audiences.profile import attach_measures
from clvspark.audiences.tables import MEMBERSHIP, MEMBERSHIP_EVENT
from clvspark.lakehouse import Lakehouse, Table
from clvspark.lakehouse.compare import content_of
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.side_by_side import all_of, keep_all
from clvspark.lakehouse.subsets import rows_among
from clvspark.live.scene import IN_BATCH_AUDIENCES, Scene
from clvspark.live.writes import Change


@dataclass(frozen=True)
class Lists:
    """Rows of persons, of audiences of the stream: audiences.membership, and audiences.membership_event of the date."""

    members: DataFrame
    moves: DataFrame


def read_lists(lake: Lakehouse, scene: Scene, who: DataFrame) -> Lists:
    """What the tables have of the persons. In: ``person_id``."""

    def theirs(table: Table) -> DataFrame:
        rows = lake.read_or_empty(table).where(F.col("audience_id").isin(*scene.ids))
        return rows_among(rows, who, "person_id").select(*table.names)

    moves = theirs(MEMBERSHIP_EVENT).where(rows_of(scene.as_of, "happened_on"))
    return Lists(*keep_all(theirs(MEMBERSHIP), moves, eager=False))


def evaluate_persons(scene: Scene, who: DataFrame, happenings: DataFrame) -> Lists:
    """Evaluate persons on what is known of them and on what they did lately, as a run of the batch would.

    In: ``person_id``; rows of `list_recent`. Nothing is written, and nothing of what was evaluated before within
    the date is asked for, so that a second evaluation comes to the same.
    """
    conditions = [condition for d in scene.definitions for condition in d.conditions]
    standings = rows_among(scene.standings, who, "person_id")
    profiles = attach_measures(standings, happenings, conditions, as_of=scene.as_of)
    known = {
        member_column(name): F.array_contains(IN_BATCH_AUDIENCES, name)
        for name in _list_batch_audiences(scene)
    }
    profiles = profiles.withColumns(known) if known else profiles
    members = evaluate_audiences(profiles, scene.definitions, as_of=scene.as_of)
    then = rows_among(scene.then, who, "person_id").select(*MEMBERSHIP.names)
    after = update_membership(then, members, as_of=scene.as_of).localCheckpoint()
    inside = then.where("status = 'realized'").select("audience_id", "person_id")
    return Lists(after, list_transitions(inside, after, as_of=scene.as_of))


def compare_lists(now: Lists, was: Lists) -> tuple[Change, Change]:
    """What brings the tables from one to the other: audiences.membership, and .membership_event."""
    return all_of(
        lambda: _differ(MEMBERSHIP, now.members, was.members),
        lambda: _differ(MEMBERSHIP_EVENT, now.moves.localCheckpoint(eager=False), was.moves),
    )


def _list_batch_audiences(scene: Scene) -> Sequence[str]:
    named = {name for d in scene.definitions for name in d.references}
    return sorted(named - set(scene.ids))


def _differ(table: Table, now: DataFrame, was: DataFrame) -> Change:
    content = was.select(*table.key, content_of(table).alias("_was"))
    both = now.join(F.broadcast(content), on=list(table.key), how="left")
    other = both.where(~content_of(table).eqNullSafe(F.col("_was")))
    left = F.broadcast(now.select(*table.key))
    other, gone = keep_all(
        other.select(*table.names, F.col("_was").isNull().alias("_is_new")),
        was.select(*table.key).join(left, on=list(table.key), how="left_anti"),
        eager=False,
    )
    added, altered = other.where("_is_new"), other.where("NOT _is_new")
    return Change(table, added.drop("_is_new"), altered.drop("_is_new"), gone)
