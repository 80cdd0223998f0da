"""Take components apart where their records, all compared with each other, do not hold together.

A component grows by chaining: a shared family e-mail joins two people although every comparison of their own
records speaks against it. Average linkage over all pairs of the component undoes that.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame

_SCHEMA = "unique_id string, cluster string, raised_cut boolean"


def split_components(
    pairs: DataFrame, *, cut_weight: float, clip_weight: float, max_records: int
) -> DataFrame:
    """Clusters of each component by average linkage.

    In: ``component``, ``unique_id_l``, ``unique_id_r``, ``match_weight``: all pairs of each component.
    Out: ``unique_id``, ``cluster`` (its smallest unique_id), ``raised_cut`` (the size guard had to cut higher).
    Two groups stay together while the mean of their clipped weights is at least `cut_weight`.
    """

    def split(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        received = [batch for batch in batches if batch.num_rows]
        if received:
            frame = (
                pa.Table.from_batches(received).to_pandas().sort_values("component", kind="stable")
            )
            yield from _split_all(frame, cut_weight, clip_weight, max_records).to_batches()

    shards = pairs.repartition("component")
    return shards.select("component", "unique_id_l", "unique_id_r", "match_weight").mapInArrow(
        split, _SCHEMA
    )


def _split_all(pairs: pd.DataFrame, cut: float, clip: float, max_records: int) -> pa.Table:
    """Split every component of a frame sorted by component."""
    left, right = pairs["unique_id_l"].to_numpy(object), pairs["unique_id_r"].to_numpy(object)
    weights = np.clip(pairs["match_weight"].to_numpy(float), -clip, clip)
    component = pairs["component"].to_numpy(object)
    starts = np.flatnonzero(np.r_[True, component[1:] != component[:-1]])
    unique_ids: list[str] = []
    clusters: list[str] = []
    raised: list[bool] = []
    for start, end in zip(starts, np.r_[starts[1:], len(pairs)], strict=True):
        ids = np.unique(np.r_[left[start:end], right[start:end]])
        matrix = np.zeros((len(ids), len(ids)))
        i, j = np.searchsorted(ids, left[start:end]), np.searchsorted(ids, right[start:end])
        matrix[i, j] = matrix[j, i] = weights[start:end]
        labels, cut_higher = average_linkage(matrix, cut=cut, clip=clip, max_records=max_records)
        # The ids are sorted: the first of a label is its smallest.
        _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
        unique_ids += ids.tolist()
        clusters += ids[first[inverse]].tolist()
        raised += cut_higher.tolist()
    columns = {"unique_id": unique_ids, "cluster": clusters, "raised_cut": raised}
    return pa.table(
        columns,
        schema=pa.schema(
            [("unique_id", pa.string()), ("cluster", pa.string()), ("raised_cut", pa.bool_())]
        ),
    )


def average_linkage(
    weights: np.ndarray, *, cut: float, clip: float, max_records: int
) -> tuple[np.ndarray, np.ndarray]:
    """Labels of the records, and which of them a raised cut has separated.

    `weights` is symmetric, within +-clip; 0 says nothing about a pair and is left out of the mean. The cut is
    raised bit by bit for a cluster of more than `max_records` records; at the top it falls into single records.
    """
    labels = _merge_groups(weights, cut)
    raised = np.zeros(len(labels), dtype=bool)
    for higher in np.arange(cut + 1, clip + 2):
        large = np.bincount(labels)[labels] > max_records
        if not large.any():
            break
        labels = np.where(large, labels.max() + 1 + _merge_groups(weights, higher), labels)
        raised |= large
    return labels, raised


def _merge_groups(weights: np.ndarray, cut: float) -> np.ndarray:
    """Merge the two groups with the highest mean weight while it reaches `cut` (UPGMA on the known pairs)."""
    total, known = weights.copy(), (weights != 0).astype(float)
    labels, alive = np.arange(len(weights)), np.ones(len(weights), dtype=bool)
    np.fill_diagonal(total, 0.0)
    while True:
        mean = np.divide(total, known, out=np.full_like(total, -np.inf), where=known > 0)
        mean[~alive] = -np.inf
        np.fill_diagonal(mean, -np.inf)
        first, second = divmod(int(np.argmax(mean)), len(weights))
        if mean[first, second] < cut:
            return labels
        keep, drop = min(first, second), max(first, second)
        for matrix in (total, known):
            matrix[keep] += matrix[drop]
            matrix[:, keep] += matrix[:, drop]
            matrix[drop] = matrix[:, drop] = matrix[keep, keep] = 0.0
        alive[drop] = False
        labels[labels == drop] = keep
