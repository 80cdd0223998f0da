"""Persons keep their ids from run to run: created, absorbed, merged, split, ended.

Rules. An id stays with the cluster that holds most of its records, then with that of the smallest record. Of the ids
that so fall to one cluster survives that with most records in it, then the oldest, then the smallest; the others are
absorbed. A cluster without an id gets a new one, a digest of its smallest record and of how often the ledger has
linked that record before. All this depends on clusters and ledger alone, so that the same inputs give the same ids,
and no id is ever given twice. An id that ended as all its records were gone leads to who has them when they come back.

The ledger is bitemporal. A row says that a record was of a person from `valid_from` until `valid_to`, as_of dates of
runs, and it says since when we know: `recorded_at` for the row, `closed_at` for its end. Rows are opened and closed,
never taken back, so that `tables.links_as_of` can tell what was known at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.identity.record_ids import RECORD
from clvspark.identity.tables import ALIAS, PERSON_CHANGE, PERSON_LINK

# Of several causes the last tells why.
CAUSES = ("model", "records", "decision")


@dataclass(frozen=True)
class Entry:
    """What a run writes on all that it enters into the ledger."""

    changed_on: date
    recorded_at: datetime
    run_id: str

    @property
    def day(self) -> Column:
        """`changed_on` as a column."""
        return F.lit(self.changed_on)

    @property
    def moment(self) -> Column:
        """`recorded_at` as a column."""
        return F.lit(self.recorded_at)


def assign_person_ids(clusters: DataFrame, links: DataFrame) -> DataFrame:
    """Person id of every record: ``unique_id, cluster, person_id``.

    In: clusters: ``unique_id, cluster``, the smallest unique_id of the cluster; links: the ledger of these records
    with ``unique_id``, closed rows too, and of all records of the persons they were of.
    """
    oldest = links.groupBy("person_id").agg(F.min("valid_from").alias("since"))
    current = links.where("valid_to IS NULL").select("unique_id", "person_id")
    shared = (
        clusters.join(current, on="unique_id", how="inner")
        .groupBy("cluster", "person_id")
        .agg(F.count(F.lit(1)).alias("records"))
        .join(oldest, on="person_id", how="inner")
    )
    home = Window.partitionBy("person_id").orderBy(F.desc("records"), "cluster")
    survivor = Window.partitionBy("cluster").orderBy(F.desc("records"), "since", "person_id")
    kept = (
        shared.withColumn("_home", F.row_number().over(home))
        .where("_home = 1")
        .withColumn("_rank", F.row_number().over(survivor))
        .where("_rank = 1")
        .select("cluster", "person_id")
    )
    linked = links.groupBy(F.col("unique_id").alias("cluster")).agg(F.count("*").alias("_times"))
    once = F.sha2("cluster", 256)
    # Of the digest, not of the record: no id of a record looks like this, and one may end with #1.
    again = F.sha2(F.concat(once, F.lit("#"), F.col("_times").cast("string")), 256)
    minted = F.concat(F.lit("p"), F.substring(F.coalesce(again, once), 1, 19))
    return (
        clusters.join(kept, on="cluster", how="left")
        .join(linked, on="cluster", how="left")
        .select("unique_id", "cluster", F.coalesce("person_id", minted).alias("person_id"))
    )


def update_links(links: DataFrame, assigned: DataFrame, entry: Entry) -> DataFrame:
    """Rows of identity.person_link that a run opens, closes or describes anew; the others stay.

    In: links: the ledger of the records in question, those that are gone among them; assigned: one row a record
    with source_system, source_record_id, person_id, reason and probability. A record whose person has not changed
    keeps its row, and gets its reason and probability of today. Out: PERSON_LINK, to be merged.
    """
    was = {name: f"_{name}" for name in PERSON_LINK.names if name not in RECORD}
    current = links.where("valid_to IS NULL").select(
        *RECORD, *(F.col(name).alias(old) for name, old in was.items())
    )
    both = assigned.select(*RECORD, "person_id", "reason", "probability").join(
        current, on=list(RECORD), how="full_outer"
    )
    stays = F.coalesce(F.col("person_id") == F.col("_person_id"), F.lit(False))
    differs = ~(F.col("reason").eqNullSafe(F.col("_reason")))
    differs |= ~F.col("probability").eqNullSafe(F.col("_probability"))
    never = {"valid_to": F.lit(None).cast("date"), "closed_at": F.lit(None).cast("timestamp")}
    described = both.where(stays & differs).withColumns(
        {"valid_from": F.col("_valid_from"), "recorded_at": F.col("_recorded_at"), **never}
    )
    opened = both.where(~stays & F.col("person_id").isNotNull()).withColumns(
        {"valid_from": entry.day, "recorded_at": entry.moment, **never}
    )
    closed = both.where(~stays & F.col("_person_id").isNotNull()).select(
        *RECORD,
        *(F.col(old).alias(name) for name, old in was.items() if name not in never),
        entry.day.alias("valid_to"),
        entry.moment.alias("closed_at"),
    )
    parts = [part.select(*PERSON_LINK.names) for part in (described, opened, closed)]
    return parts[0].unionByName(parts[1]).unionByName(parts[2])


def list_changes(
    assigned: DataFrame, links: DataFrame, causes: DataFrame, entry: Entry
) -> DataFrame:
    """What became of person ids, as identity.person_change.

    In: assigned, see `assign_person_ids`; links: the ledger of the records in question, those that are gone among
    them; causes: ``unique_id, cause`` of the records that changed. A person changed for the last of `CAUSES` that
    a record has which is or was of it or of the other person.
    """
    before = links.where("valid_to IS NULL").select("unique_id", F.col("person_id").alias("old"))
    rank = F.array_position(F.array(*(F.lit(cause) for cause in CAUSES)), F.col("cause"))
    moves = (
        assigned.select("unique_id", "cluster", F.col("person_id").alias("new"))
        .join(before, on="unique_id", how="full_outer")
        .join(causes.select("unique_id", rank.alias("rank")), on="unique_id", how="left")
        .localCheckpoint(eager=False)
    )
    flows = moves.groupBy("old", "new", "cluster").agg(
        F.count(F.lit(1)).alias("records"), F.max("rank").alias("rank")
    )
    # What parts or joins them may be a record that only was, or only is, of the same person.
    around = [
        F.when(F.col(name).isNotNull(), F.max("rank").over(Window.partitionBy(name)))
        for name in ("old", "new")
    ]
    flows = flows.withColumn("rank", F.greatest("rank", *around))
    changes = _list_born(flows).unionByName(_list_retired(flows))
    # A record that came or went may have no row any more; then records are the cause.
    reason = F.coalesce(
        *(F.when(F.col("rank") == n, F.lit(cause)) for n, cause in enumerate(CAUSES, start=1)),
        F.lit("records"),
    )
    identity = F.concat_ws(
        "|", "person_id", "change_type", "other_person_id", entry.day.cast("string")
    )
    return changes.select(
        F.sha2(identity, 256).alias("change_id"),
        "person_id",
        "change_type",
        "other_person_id",
        entry.day.alias("changed_on"),
        reason.alias("reason"),
        entry.moment.alias("recorded_at"),
        F.lit(entry.run_id).alias("run_id"),
    ).select(*PERSON_CHANGE.names)


def _list_born(flows: DataFrame) -> DataFrame:
    """Persons that were not before: created, or split from the person that most of their records were of."""
    before = flows.where("old IS NOT NULL").select(F.col("old").alias("new")).distinct()
    born = flows.where("new IS NOT NULL").join(before, on="new", how="left_anti")
    # The smallest of the largest: numbers are negated, as text cannot be.
    heaviest = F.min(
        F.when(F.col("old").isNotNull(), F.struct((-F.col("records")).alias("n"), "old"))
    )
    return (
        born.groupBy("new")
        .agg(heaviest.alias("origin"), F.max("rank").alias("rank"))
        .select(
            F.col("new").alias("person_id"),
            F.when(F.col("origin").isNotNull(), "split").otherwise("created").alias("change_type"),
            F.col("origin.old").alias("other_person_id"),
            "rank",
        )
    )


def _list_retired(flows: DataFrame) -> DataFrame:
    """Persons that are no more: absorbed by the person of the cluster that was their home, or ended."""
    after = flows.where("new IS NOT NULL").select(F.col("new").alias("old")).distinct()
    gone = flows.where("old IS NOT NULL").join(after, on="old", how="left_anti")
    home = F.min(
        F.when(F.col("new").isNotNull(), F.struct((-F.col("records")).alias("n"), "cluster", "new"))
    )
    retired = gone.groupBy("old").agg(home.alias("home"), F.max("rank").alias("rank"))
    heir = F.col("home.new")
    change_type = F.when(heir.isNotNull(), "absorbed").otherwise("ended").alias("change_type")
    lost = retired.select(
        F.col("old").alias("person_id"), change_type, heir.alias("other_person_id"), "rank"
    )
    merged = lost.where("change_type = 'absorbed'").select(
        F.col("other_person_id").alias("person_id"),
        F.lit("merged").alias("change_type"),
        F.col("person_id").alias("other_person_id"),
        "rank",
    )
    return lost.unionByName(merged)


def update_aliases(
    aliases: DataFrame, changes: DataFrame, links: DataFrame, assigned: DataFrame, told: DataFrame
) -> DataFrame:
    """Rows of identity.alias that a run adds or points elsewhere.

    In: the table before; `list_changes`; links, as `list_changes` has them; `assign_person_ids`; identity.person_change
    before. An alias goes where most of the records go that it led to: a merger that is undone gives a retired id to who
    now has its records.
    """
    absorbed = changes.where("change_type = 'absorbed'").select(
        F.col("person_id").alias("retired_id"),
        F.col("other_person_id").alias("person_id"),
        F.col("changed_on").alias("retired_on"),
        "recorded_at",
    )
    added = absorbed.unionByName(_list_returned(aliases, links, assigned, told))
    heirs = added.select(F.col("retired_id").alias("person_id"), F.col("person_id").alias("_heir"))
    led = _count_led(aliases, links, assigned).where("_now <> person_id")
    led = led.join(heirs, on="person_id", how="left_anti").select("retired_id", "_now")
    moved = (
        aliases.join(heirs, on="person_id", how="left")
        .join(F.broadcast(led), on="retired_id", how="left")
        .withColumn("_to", F.coalesce("_heir", "_now"))
        .where("_to IS NOT NULL")
        .withColumn("person_id", F.col("_to"))
    )
    return added.unionByName(moved.select(*ALIAS.names)).select(*ALIAS.names)


def _list_returned(
    aliases: DataFrame, links: DataFrame, assigned: DataFrame, told: DataFrame
) -> DataFrame:
    """``retired_id, person_id, retired_on, recorded_at`` of persons that ended and whose records are back.

    A record that is of nobody was last of the person whose link ended last; where most of them are now leads the id.
    They may be as many as a file has that was missing for a day, so nothing is sent to every core.
    """
    last = links.groupBy("unique_id").agg(
        F.count_if(F.col("valid_to").isNull()).alias("_open"),
        F.max_by("person_id", F.struct("valid_to", "closed_at")).alias("retired_id"),
    )
    back = last.where("_open = 0").join(assigned, on="unique_id").groupBy("retired_id", "person_id")
    most = F.min_by("person_id", F.struct((-F.col("records")).alias("n"), "person_id"))
    heirs = (
        back.agg(F.count(F.lit(1)).alias("records"))
        .groupBy("retired_id")
        .agg(most.alias("person_id"))
        .join(aliases, on="retired_id", how="left_anti")
    )
    ended = told.where("change_type = 'ended'").select(
        F.col("person_id").alias("retired_id"),
        F.col("changed_on").alias("retired_on"),
        "recorded_at",
    )
    return ended.join(heirs, on="retired_id")


def _count_led(aliases: DataFrame, links: DataFrame, assigned: DataFrame) -> DataFrame:
    """``retired_id, person_id, _now``: where most of the records go that an alias has led to, to ``person_id``."""
    had = links.where("valid_to IS NOT NULL").select(
        "unique_id", F.col("person_id").alias("retired_id")
    )
    were = links.where("valid_to IS NULL").select("unique_id", "person_id")
    now = assigned.select("unique_id", F.col("person_id").alias("_now"))
    counted = (
        had.distinct()
        .join(were, on="unique_id")
        .join(now, on="unique_id")
        .groupBy("retired_id", "person_id", "_now")
        .agg(F.count(F.lit(1)).alias("records"))
    )
    most = F.min_by("_now", F.struct((-F.col("records")).alias("n"), "_now")).alias("_now")
    found = counted.groupBy("retired_id", "person_id").agg(most)
    return aliases.select("retired_id", "person_id").join(found, on=["retired_id", "person_id"])
