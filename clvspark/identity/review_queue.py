"""The pairs that people are asked about."""

from __future__ import annotations

from pyspark.sql import functions as F

from clvspark.lakehouse import Lakehouse

_TABLE = "identity.review_pair"


def read_queue(lake: Lakehouse, limit: int) -> tuple[int, list[tuple[str, str, str, float, float]]]:
    """Number of pairs waiting, and the first `limit`: ids, reason, bits, priority."""
    contract = lake.tables.get(_TABLE)
    if contract is None or not lake.exists(contract):
        return 0, []
    pairs = lake.read(contract)
    first = pairs.orderBy(F.desc("priority"), "unique_id_l", "unique_id_r").limit(limit)
    rows = first.select("unique_id_l", "unique_id_r", "reason", "match_weight", "priority")
    return pairs.count(), [tuple(row) for row in rows.collect()]
