"""When somebody last bought of the categories that are bought most."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

MOST_CATEGORIES = 5
CATEGORY_FEATURES = tuple(f"since_category_{n}" for n in range(1, MOST_CATEGORIES + 1))
"""Days since the last purchase of the category in the n-th place."""


def list_categories(events: DataFrame, products: DataFrame) -> DataFrame:
    """``order_id, category`` of what was ordered, each once. In: sources.event, sources.product."""
    lines = events.where("event_type = 'order' AND product_id IS NOT NULL")
    known = products.where("category IS NOT NULL").select("product_id", "category")
    bought = lines.select("order_id", "product_id").join(F.broadcast(known), on="product_id")
    return bought.select("order_id", "category").distinct()


def category_features(
    bought: DataFrame, categories: DataFrame, *, dates: Sequence[date]
) -> DataFrame:
    """`CATEGORY_FEATURES` of each person and date; NULL where nothing of the category had been bought.

    In: purchases that stood on each date: ``order_id, person_id, features_on, ago``; rows of `list_categories`. Out:
    one row a person and date, who had bought of one of them. A category has one place for all dates: that by the number
    of orders before the first of the dates, of equal ones by its name. So no place tells of what came later.
    """
    named = bought.join(categories, on="order_id", how="inner")
    then = named.where(F.col("features_on") == F.lit(min(dates)))
    orders = then.groupBy("category").agg(F.count(F.lit(1)).alias("_orders"))
    # A row a category: few, whatever the number of customers.
    place = F.row_number().over(Window.orderBy(F.desc("_orders"), "category"))
    most = orders.select("category", place.alias("_place")).where(
        F.col("_place") <= MOST_CATEGORIES
    )
    placed = named.join(F.broadcast(most), on="category", how="inner")
    return placed.groupBy("person_id", "features_on").agg(
        *(
            F.min(F.when(F.col("_place") == n, F.col("ago"))).cast("double").alias(name)
            for n, name in enumerate(CATEGORY_FEATURES, 1)
        )
    )
