"""Persons keep their ids from run to run: created, absorbed, merged, split."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from clvspark.identity.tables import PERSON_CHANGE, PERSON_LINK


def assign_person_ids(clusters: DataFrame, current: DataFrame, *, changed_on: date) -> DataFrame:
    """Person id of every record.

    In: clusters: ``unique_id``, ``cluster``; current: ``unique_id``, ``person_id``, ``valid_from`` of the links
    in force. Out: ``unique_id``, ``cluster``, ``person_id``. An id stays with the cluster that holds most of its
    records (then the smallest cluster); of the ids that so fall to one cluster survives that with most records,
    then the oldest, then the smallest. Any other cluster gets a new id, a digest of its smallest record.
    """
    shared = (
        clusters.join(current, on="unique_id", how="inner")
        .groupBy("cluster", "person_id")
        .agg(F.count(F.lit(1)).alias("records"), F.min("valid_from").alias("since"))
    )
    heaviest = Window.partitionBy("person_id").orderBy(F.desc("records"), "cluster")
    survivor = Window.partitionBy("cluster").orderBy(F.desc("records"), "since", "person_id")
    kept = (
        shared.where("records > 0")
        .withColumn("_home", F.row_number().over(heaviest))
        .where("_home = 1")
        .withColumn("_rank", F.row_number().over(survivor))
        .where("_rank = 1")
        .select("cluster", "person_id")
    )
    known = shared.select("cluster").distinct().withColumn("_known", F.lit(True))
    # A cluster of records that had persons before may start with the record that minted one of them.
    salt = F.when(F.col("_known"), F.lit(f"@{changed_on}")).otherwise(F.lit(""))
    minted = F.concat(F.lit("p"), F.substring(F.sha2(F.concat("cluster", salt), 256), 1, 19))
    return (
        clusters.join(kept, on="cluster", how="left")
        .join(known, on="cluster", how="left")
        .select("unique_id", "cluster", F.coalesce("person_id", minted).alias("person_id"))
    )


def update_links(links: DataFrame, assigned: DataFrame, *, changed_on: date) -> DataFrame:
    """The whole of identity.person_link after a run.

    In: links: the table before; assigned: one row a record with person_id, reason, probability. A record whose
    person has not changed keeps its row; else the old row is closed on `changed_on` and a new one opened. A row
    opened on the very same day is replaced. Records that are gone are closed.
    """
    day = F.lit(changed_on)
    history = links.where(F.col("valid_to").isNotNull())
    open_ = links.where(F.col("valid_to").isNull()).select(
        "source_system",
        "source_record_id",
        F.col("valid_from").alias("_since"),
        F.col("person_id").alias("_person"),
        F.col("reason").alias("_reason"),
        F.col("probability").alias("_probability"),
    )
    both = assigned.join(open_, on=["source_system", "source_record_id"], how="full_outer")
    same = F.col("person_id") == F.col("_person")
    now = both.where(F.col("person_id").isNotNull()).select(
        "source_system",
        "source_record_id",
        F.when(same, F.col("_since")).otherwise(day).alias("valid_from"),
        F.lit(None).cast("date").alias("valid_to"),
        "person_id",
        "reason",
        "probability",
    )
    moved = F.col("_person").isNotNull() & ~F.coalesce(same, F.lit(False)) & (F.col("_since") < day)
    closed = both.where(moved).select(
        "source_system",
        "source_record_id",
        F.col("_since").alias("valid_from"),
        day.alias("valid_to"),
        F.col("_person").alias("person_id"),
        F.col("_reason").alias("reason"),
        F.col("_probability").alias("probability"),
    )
    return history.unionByName(now).unionByName(closed).select(*PERSON_LINK.names)


def list_changes(assigned: DataFrame, current: DataFrame, *, changed_on: date) -> DataFrame:
    """What became of person ids, as identity.person_change.

    In: assigned: ``unique_id``, ``person_id`` now; current: ``unique_id``, ``person_id`` before.
    """
    before = current.select("unique_id", F.col("person_id").alias("old"))
    moves = assigned.select("unique_id", F.col("person_id").alias("new")).join(
        before, on="unique_id", how="left"
    )
    old_ids = before.select(F.col("old").alias("id")).distinct()
    new_ids = assigned.select(F.col("person_id").alias("id")).distinct()
    born = new_ids.join(old_ids, on="id", how="left_anti").withColumn("_born", F.lit(True))
    gone = old_ids.join(new_ids, on="id", how="left_anti").withColumn("_gone", F.lit(True))
    flows = moves.groupBy("new").agg(F.array_compact(F.collect_set("old")).alias("origins"))
    created = flows.join(born, flows["new"] == born["id"], "inner").select(
        F.col("new").alias("person_id"),
        F.when(F.size("origins") > 0, "split").otherwise("created").alias("change_type"),
        F.array_min("origins").alias("other_person_id"),
    )
    ended = moves.where("old <> new").select("old", "new").distinct()
    ended = ended.join(gone, ended["old"] == gone["id"], "inner")
    absorbed = ended.select(
        F.col("old").alias("person_id"),
        F.lit("absorbed").alias("change_type"),
        F.col("new").alias("other_person_id"),
    )
    merged = ended.select(
        F.col("new").alias("person_id"),
        F.lit("merged").alias("change_type"),
        F.col("old").alias("other_person_id"),
    )
    identity = F.concat_ws(
        "|", "person_id", "change_type", "other_person_id", F.lit(str(changed_on))
    )
    changes = created.unionByName(absorbed).unionByName(merged)
    return changes.select(
        F.sha2(identity, 256).alias("change_id"), "*", F.lit(changed_on).alias("changed_on")
    ).select(*PERSON_CHANGE.names)
