"""What rules count as orders and as refunds."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import SparkSession
from support import cancelled

from clvspark.audiences.profile import list_sales


@pytest.mark.parametrize(
    ("as_of", "orders"),
    [
        (date(2026, 3, 8), {("ann", 2), ("cid", 6)}),
        (date(2026, 3, 15), {("ann", 2), ("ann", 12)}),
        (date(2026, 3, 21), {("ann", 2)}),
    ],
)
def test_orders_are_those_that_stand_on_the_date(
    spark: SparkSession, as_of: date, orders: set[tuple[str, int]]
) -> None:
    found = list_sales(cancelled.orders(spark), as_of=as_of).where("type = 'order'").collect()
    assert {(row["person_id"], row["at"].day) for row in found} == orders


def test_only_refunds_are_refunds(spark: SparkSession) -> None:
    sales = list_sales(cancelled.orders(spark), as_of=date(2026, 4, 1))
    refunds = sales.where("type = 'refund'").collect()
    assert [(row["person_id"], row["at"].day) for row in refunds] == [("ann", 5)]
