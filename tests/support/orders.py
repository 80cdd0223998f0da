"""Orders that tests need only because there must be some."""

from __future__ import annotations

from datetime import date

from clvspark.history.tables import ORDER
from clvspark.lakehouse import Lakehouse


def land_order(lake: Lakehouse, day: date) -> None:
    """The newest order there is: data are known up to its day."""
    order = {
        "order_id": "o", "channel": "web", "is_purchase": True, "row_type": "purchase", "lines": 1, "net_revenue": 1,
        "cost": 0, "margin": 1, "ordered_at": day,
    }  # fmt: skip
    lake.overwrite(ORDER, ORDER.rows(lake.spark, [order]))
