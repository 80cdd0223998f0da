"""Value now against the value that was expected to be now: who declines, since when, and how sure that is."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.config import ClvConfig
from clvspark.clv.tables import VALUE_CHANGE


def compare_values(values: DataFrame, before: DataFrame, *, config: ClvConfig) -> DataFrame:
    """Change of the value of everyone who had bought `decline_days` ago.

    In: clv.customer_value of one date; ``person_id, is_declining, declining_since`` of the date before, see
    `read_last_state`. Out: clv.value_change. A value that meets its expectation has not changed, however much it fell:
    P(alive) falls between any two purchases (see `clvspark.clv.decline`). Somebody begins to decline where the value
    is below `decline.below` times its expectation and so few purchases are no accident, and goes on to until it is back
    at `decline.recovered_from`, so that nobody changes sides by chance.
    """
    bounds = config.decline
    ratio, chance = F.col("value_to_expected"), F.col("chance_of_so_few")
    begins = (ratio < bounds.below) & (chance <= bounds.chance)
    goes_on = F.coalesce("_was", F.lit(False)) & (ratio < bounds.recovered_from)
    expected = F.col("expected_residual_value")
    columns = {
        "is_declining": begins | goes_on,
        "expected_on": F.date_sub("as_of_date", config.decline_days),
        "value_change": F.col("residual_value") - expected,
        "value_change_low": F.col("residual_value_low") - expected,
        "value_change_high": F.col("residual_value_high") - expected,
    }
    known = before.select(
        "person_id", F.col("is_declining").alias("_was"), F.col("declining_since").alias("_since")
    )
    since = F.when(F.col("is_declining"), F.coalesce("_since", "as_of_date"))
    compared = (
        values.where("expected_residual_value > 0")
        .join(known, on="person_id", how="left")
        .withColumns(columns)
        .withColumn("declining_since", since)
    )
    return compared.select(*VALUE_CHANGE.names)


def read_last_state(changes: DataFrame, as_of: date) -> DataFrame:
    """``person_id, is_declining, declining_since`` of the newest date before `as_of`. In: clv.value_change."""
    earlier = changes.where(F.col("as_of_date") < F.lit(as_of))
    newest = earlier.agg(F.max("as_of_date").alias("as_of_date"))
    found = earlier.join(F.broadcast(newest), on="as_of_date", how="inner")
    return found.select("person_id", "is_declining", "declining_since")
