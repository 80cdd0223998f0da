"""Connected components of the link graph."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SINGLE_TASK_EDGES = 2_000_000
_SCHEMA = "unique_id string, component string"


def label_components(edges: DataFrame, *, single_task_edges: int = SINGLE_TASK_EDGES) -> DataFrame:
    """Component of every record that has an edge.

    In: ``unique_id_l``, ``unique_id_r``. Out: ``unique_id``, ``component`` (its smallest unique_id), one row
    a record. Up to `single_task_edges` edges go to one task, which is far quicker than the rounds of shuffles
    that a larger graph takes; both give the same labels.
    """
    pairs = edges.select("unique_id_l", "unique_id_r").localCheckpoint()
    if pairs.count() > single_task_edges:
        return _label_by_stars(pairs)
    return pairs.coalesce(1).mapInArrow(_label_in_one_task, _SCHEMA).localCheckpoint()


def _label_in_one_task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    edges = pa.Table.from_batches(received)
    left, right = edges["unique_id_l"].to_numpy(), edges["unique_id_r"].to_numpy()
    # Sorted codes make the smallest code of a component the smallest id.
    codes, ids = pd.factorize(np.concatenate([left, right]), sort=True)
    matrix = coo_array(
        (np.ones(len(left), dtype=np.int8), (codes[: len(left)], codes[len(left) :])),
        (len(ids),) * 2,
    )
    _, labels = connected_components(matrix, directed=False)
    _, first = np.unique(labels, return_index=True)
    table = pa.table(
        {
            "unique_id": pa.array(ids, pa.string()),
            "component": pa.array(ids[first[labels]], pa.string()),
        }
    )
    yield from table.to_batches(max_chunksize=50_000)


def _label_by_stars(pairs: DataFrame) -> DataFrame:
    """Alternating large-star and small-star until nothing moves (Kiveris et al. 2014, SoCC, algorithm 1)."""
    stars = pairs.select(F.col("unique_id_l").alias("u"), F.col("unique_id_r").alias("v")).where(
        "u <> v"
    )
    before = None
    while True:
        stars = _small_star(_large_star(stars)).localCheckpoint()
        state = stars.agg(
            F.count(F.lit(1)), F.sum(F.xxhash64("u", "v").cast("decimal(38,0)"))
        ).first()
        if state == before:
            break
        before = state
    roots = stars.select(F.col("v").alias("unique_id"), F.col("v").alias("component"))
    leaves = stars.select(F.col("u").alias("unique_id"), F.col("v").alias("component"))
    return leaves.unionByName(roots).distinct()


def _large_star(edges: DataFrame) -> DataFrame:
    both = edges.unionByName(edges.select(F.col("v").alias("u"), F.col("u").alias("v")))
    around = both.groupBy("u").agg(F.collect_set("v").alias("near"))
    center = F.least("u", F.array_min("near"))
    return (
        around.select("u", F.explode("near").alias("v"), center.alias("m"))
        .where("v > u")
        .selectExpr("v u", "m v")
    )


def _small_star(edges: DataFrame) -> DataFrame:
    down = edges.select(F.greatest("u", "v").alias("u"), F.least("u", "v").alias("v"))
    around = down.groupBy("u").agg(F.collect_set("v").alias("near"))
    center = F.array_min("near")
    members = F.explode(F.array_union("near", F.array("u")))
    return around.select(members.alias("u"), center.alias("v")).where("u <> v").distinct()
