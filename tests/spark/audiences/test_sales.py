"""What rules count as orders and as refunds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from support import cancelled

from clvspark.audiences.compile.matching import matches
from clvspark.audiences.happenings import list_happenings
from clvspark.audiences.rules import Event
from clvspark.history.tables import INTERACTION

EVERY = ["completed", "updated", "cancelled", "partly_refunded", "refunded"]


@pytest.mark.parametrize(
    ("told", "days"),
    [
        ({"type": "order"}, {("ann", 2)}),
        ({"type": "order", "status": "cancelled"}, {("ann", 12), ("bob", 3), ("cid", 6)}),
        ({"type": "order", "status": EVERY}, {("ann", 2), ("ann", 12), ("bob", 3), ("cid", 6)}),
        ({"type": "refund"}, {("ann", 5)}),
        (
            {"type": ["order", "order_cancelled"]},
            {("ann", 2), ("ann", 12), ("ann", 20), ("bob", 3), ("cid", 6), ("cid", 8)},
        ),
    ],
)
def test_a_cancelled_order_is_none_unless_it_is_asked_for(
    spark: SparkSession, told: dict[str, Any], days: set[tuple[str, int]]
) -> None:
    orders = cancelled.orders(spark)
    of = orders.where("row_type = 'cancellation'").select(
        "order_id", F.lit("cancelled").alias("_s")
    )
    status = F.coalesce("_s", F.lit("partly_refunded"))
    orders = orders.join(of, "order_id", "left").withColumn("status", status).drop("_s")
    rows = list_happenings(orders, INTERACTION.rows(spark, []))
    found = rows.where(matches(Event.model_validate({**told, "at_least": 1}))).collect()
    assert {(row["person_id"], day_of(row["at"])) for row in found} == days


def day_of(at: datetime) -> int:
    return at.day
