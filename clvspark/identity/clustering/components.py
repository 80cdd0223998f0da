"""Connected components of the link graph, none larger than a bound."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SINGLE_TASK_EDGES = 2_000_000
# Weight of an edge that is certain: a trusted identifier, a decision.
CERTAIN = 1000.0
_WEIGHT_STEP = 2.0
_HIGHEST_WEIGHT = 60.0


def gather_edges(
    pairs: DataFrame, trusted: DataFrame | None, decisions: DataFrame | None
) -> DataFrame:
    """What connects records: ``unique_id_l, unique_id_r, match_weight``.

    In: scored pairs; pairs that share a trusted identifier; ``unique_id_l, unique_id_r, bond`` that people decided.
    """
    certain = F.lit(CERTAIN).alias("match_weight")
    parts = [pairs.select("unique_id_l", "unique_id_r", "match_weight")]
    if trusted is not None:
        parts.append(trusted.select("unique_id_l", "unique_id_r", certain))
    if decisions is not None:
        together = decisions.where("bond > 0")
        parts.append(together.select("unique_id_l", "unique_id_r", certain))
    return reduce(DataFrame.unionByName, parts)


def bounded_components(
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    weight: NDArray[np.float64],
    records: int,
    *,
    link_weight: float,
    max_records: int,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Component of each record (its smallest record), and whether it exceeds the bound all the same.

    A component of more than `max_records` keeps its stronger links only, two bits more at a time. One that
    certain links alone hold together cannot be divided so: it is marked, for people to look at.
    """
    labels = _label(left, right, records)
    bar = link_weight
    while True:
        oversized = np.bincount(labels, minlength=records)[labels] > max_records
        if bar >= _HIGHEST_WEIGHT or not oversized.any():
            return labels, oversized
        bar += _WEIGHT_STEP
        strong = oversized[left] & (weight >= bar)
        finer = _label(left[strong], right[strong], records)
        labels = np.where(oversized, finer, labels)


def _label(left: NDArray[np.int64], right: NDArray[np.int64], records: int) -> NDArray[np.int64]:
    matrix = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), (records, records))
    _, labels = connected_components(matrix, directed=False)
    _, first = np.unique(labels, return_index=True)
    return first[labels].astype(np.int64)


def label_components(
    edges: DataFrame,
    *,
    link_weight: float,
    max_records: int,
    single_task_edges: int = SINGLE_TASK_EDGES,
) -> DataFrame:
    """Component of every record that has an edge: ``unique_id, component, is_oversized``.

    In: ``unique_id_l, unique_id_r, match_weight``; ids are texts or numbers. A component is named by its smallest
    unique_id. Up to `single_task_edges` edges go to one task, which is far quicker than the rounds of shuffles that
    a larger graph takes; both give the same labels, those of `bounded_components`.
    """
    pairs = edges.select("unique_id_l", "unique_id_r", "match_weight").localCheckpoint()
    if pairs.count() > single_task_edges:
        return _label_in_rounds(pairs, link_weight, max_records)

    def label(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        received = [batch for batch in batches if batch.num_rows]
        if received:
            edges = pa.Table.from_batches(received)
            labels = label_table(edges, link_weight=link_weight, max_records=max_records)
            yield from labels.to_batches(max_chunksize=50_000)

    kind = pairs.schema["unique_id_l"].dataType.simpleString()
    schema = f"unique_id {kind}, component {kind}, is_oversized boolean"
    return pairs.coalesce(1).mapInArrow(label, schema).localCheckpoint()


def label_table(edges: pa.Table, *, link_weight: float, max_records: int) -> pa.Table:
    """Component of every record that has an edge, in one piece; see `label_components`."""
    # Sorted codes make the smallest code of a component the smallest id.
    ends = np.concatenate([edges["unique_id_l"].to_numpy(), edges["unique_id_r"].to_numpy()])
    codes, ids = pd.factorize(ends, sort=True)
    labels, oversized = bounded_components(
        codes[: len(edges)],
        codes[len(edges) :],
        edges["match_weight"].to_numpy(),
        len(ids),
        link_weight=link_weight,
        max_records=max_records,
    )
    columns = {
        "unique_id": pa.array(ids, edges.schema.field("unique_id_l").type),
        "component": pa.array(ids[labels], edges.schema.field("unique_id_l").type),
        "is_oversized": pa.array(oversized),
    }
    return pa.table(columns)


def _label_in_rounds(pairs: DataFrame, link_weight: float, max_records: int) -> DataFrame:
    components, bar = _label_by_stars(pairs), link_weight
    while True:
        sizes = components.groupBy("component").agg(
            (F.count(F.lit(1)) > max_records).alias("is_oversized")
        )
        sized = components.join(sizes, on="component").localCheckpoint()
        large = sized.where("is_oversized").select("unique_id")
        if bar >= _HIGHEST_WEIGHT or not large.limit(1).count():
            return sized.select("unique_id", "component", "is_oversized")
        bar += _WEIGHT_STEP
        ends = large.withColumnRenamed("unique_id", "unique_id_l")
        strong = pairs.join(ends, on="unique_id_l", how="left_semi").where(
            F.col("match_weight") >= bar
        )
        finer = _label_by_stars(strong)
        alone = large.join(finer, on="unique_id", how="left_anti")
        singles = alone.select("unique_id", F.col("unique_id").alias("component"))
        rest = sized.where("NOT is_oversized").select("unique_id", "component")
        components = rest.unionByName(finer).unionByName(singles).localCheckpoint()


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
