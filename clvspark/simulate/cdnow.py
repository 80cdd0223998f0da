"""The real purchases of the demo: CDNOW master, moved by 28 years."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from clvspark.lakehouse.errors import MissingInputError
from clvspark.simulate.settings import WINDOW_END

CUSTOMERS: Final = 23_570
SHIFT_WEEKS: Final = 1461  # exactly 28 years, so that weekdays and leap days stay in place
BASKETS_PER_PERSON: Final = 1024  # basket_key = person_key * this + sequence


def cdnow_path() -> Path:
    """Return the file of 23,570 customers and 69,659 purchases in the Lifetimes distribution.

    Raises MissingInputError if the distribution is not installed.
    """
    try:
        found = distribution("Lifetimes")
    except PackageNotFoundError:
        raise MissingInputError(
            "The demo's purchases are not installed. Next step: pip install 'clvspark[demo]'"
        ) from None
    return Path(str(found.locate_file("lifetimes/datasets/CDNOW_master.txt")))


def read_cdnow(spark: SparkSession, customers: int | None = None) -> DataFrame:
    """Read one basket per row of the file, of the first `customers` customers or of all.

    Columns: BASKET_COLUMNS of `baskets`; the person's key is the customer's number. Equal rows
    of one customer are interchangeable, so their order does not matter.
    """
    cells = F.split(F.trim("value"), r"\s+")
    rows = spark.read.text(cdnow_path().as_uri()).where(F.col("value").rlike(r"^\s*\d"))
    date = F.to_date(cells[1], "yyyyMMdd")
    parsed = rows.select(
        cells[0].cast("long").alias("person_key"),
        F.date_add(date, SHIFT_WEEKS * 7).alias("day"),
        cells[2].cast("int").alias("quantity"),
        (cells[3].cast("decimal(12,2)") * 100).cast("long").alias("cents"),
    )
    if customers is not None:
        parsed = parsed.where(F.col("person_key") <= customers)
    order = Window.partitionBy("person_key").orderBy("day", "cents", "quantity")
    sequence = F.row_number().over(order)
    return parsed.select(
        (F.col("person_key") * BASKETS_PER_PERSON + sequence).alias("basket_key"),
        "person_key",
        "day",
        "quantity",
        "cents",
        F.lit(None).cast("int").alias("campaign"),
    )


def summarise_relationships(baskets: DataFrame) -> DataFrame:
    """Return person_key, first_on, purchase_rate (baskets a week so far) and lifetime_weeks."""
    weeks = F.datediff(F.lit(WINDOW_END), F.min("day")) / 7.0
    return baskets.groupBy("person_key").agg(
        F.min("day").alias("first_on"),
        (F.count("*") / weeks).alias("purchase_rate"),
        F.lit(None).cast("double").alias("lifetime_weeks"),
    )
