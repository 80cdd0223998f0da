"""Three customers with four orders, of which two are cancelled later and one on its own day."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, SparkSession

from clvspark.history.person_day import summarise_person_days
from clvspark.history.tables import INTERACTION, ORDER, PERSON_DAY


def sale(
    order: str, person: str, row_type: str, placed: str, at: str, amount: int
) -> dict[str, Any]:
    """One row of history.order, days being of March 2026; half of the revenue is margin."""
    return {
        "order_id": order, "person_id": person, "row_type": row_type, "is_purchase": row_type == "purchase",
        "purchased_at": f"2026-03-{placed} 12:00:00", "ordered_at": f"2026-03-{at} 12:00:00",
        "channel": "web", "lines": 1, "net_revenue": amount, "cost": amount / 2, "margin": amount / 2,
    }  # fmt: skip


SALES = [
    sale("stays", "ann", "purchase", "02", "02", 10),
    sale("stays", "ann", "adjustment", "02", "04", 2),
    sale("stays", "ann", "refund", "02", "05", -4),
    sale("late", "ann", "purchase", "12", "12", 100),
    sale("late", "ann", "cancellation", "12", "20", -100),
    sale("alone", "bob", "purchase", "03", "03", 50),
    sale("alone", "bob", "cancellation", "03", "03", -50),
    sale("regretted", "cid", "purchase", "06", "06", 20),
    sale("regretted", "cid", "cancellation", "06", "08", -20),
]
"""On the 15th ann has bought twice; on the 21st once. Of bob and cid no order stands."""


def orders(spark: SparkSession) -> DataFrame:
    """history.order of `SALES`."""
    return ORDER.rows(spark, SALES)


def days(spark: SparkSession) -> DataFrame:
    """history.person_day of `SALES`."""
    contacts = spark.createDataFrame([], INTERACTION.schema)
    return PERSON_DAY.conform(summarise_person_days(orders(spark), contacts))
