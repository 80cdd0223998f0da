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
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.subsets import rows_among
from clvspark.live.scene import IN_BATCH_AUDIENCES, Scene


@dataclass(frozen=True)
class Lists:
    """What an evaluation of some persons comes to, of the audiences of the stream.

    Parameters
    ----------
    after : their rows of audiences.membership.
    changes : by table, rows to insert or update, and rows whose keys go.
    """

    after: DataFrame
    changes: dict[Table, tuple[DataFrame, DataFrame]]


def evaluate_persons(lake: Lakehouse, scene: Scene, who: DataFrame, happenings: DataFrame) -> Lists:
    """Evaluate persons on what is known of them and on what they did lately, as a run of the batch would.

    In: ``person_id``; rows of `list_recent`. Nothing is written, and nothing of what they were before is asked for but
    the tables themselves, so that a second evaluation comes to the same.
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
    moves = list_transitions(inside, after, as_of=scene.as_of).localCheckpoint(eager=False)
    was = _theirs(lake, MEMBERSHIP, who, scene.ids)
    had = _theirs(lake, MEMBERSHIP_EVENT, who, scene.ids)
    had = had.where(rows_of(scene.as_of, "happened_on"))
    return Lists(
        after,
        {
            MEMBERSHIP: _differ(MEMBERSHIP, after, was),
            MEMBERSHIP_EVENT: _differ(MEMBERSHIP_EVENT, moves, had),
        },
    )


def _list_batch_audiences(scene: Scene) -> list[str]:
    named = {name for d in scene.definitions for name in d.references}
    return sorted(named - set(scene.ids))


def _theirs(lake: Lakehouse, table: Table, who: DataFrame, ids: Sequence[str]) -> DataFrame:
    rows = lake.read_or_empty(table).where(F.col("audience_id").isin(*ids))
    return rows_among(rows, who, "person_id").select(*table.names).localCheckpoint(eager=False)


def _differ(table: Table, now: DataFrame, was: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Rows that are new or other ones, and rows that are no more."""
    changed = now.exceptAll(was).localCheckpoint(eager=False)
    gone = was.join(F.broadcast(now.select(*table.key)), on=table.key, how="left_anti")
    return changed, gone.localCheckpoint(eager=False)
