"""The pairs that people are asked about."""

from __future__ import annotations

from pyspark.sql import functions as F

from clvspark.identity.tables import REVIEW_PAIR
from clvspark.lakehouse import Lakehouse


def read_queue(lake: Lakehouse, limit: int) -> tuple[int, list[tuple[str, str, str, float, float]]]:
    """Number of pairs waiting, and the first `limit`: ids, reason, bits, priority."""
    pairs = lake.read_or_empty(REVIEW_PAIR)
    first = pairs.orderBy(F.desc("priority"), "unique_id_l", "unique_id_r").limit(limit)
    rows = first.select("unique_id_l", "unique_id_r", "reason", "match_weight", "priority")
    return pairs.count(), [tuple(row) for row in rows.collect()]
