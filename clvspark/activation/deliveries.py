"""What each destination received for each audience on a date, and how many were left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.config import ActivationConfig
from clvspark.activation.tables import DELIVERY

_LIST = ["destination_id", "audience_id"]
_LEFT_OUT = ("without_consent", "without_identifier", "suppressed", "held_out")


def count_deliveries(
    judged: DataFrame,
    outbox: DataFrame,
    before: DataFrame,
    files: Mapping[tuple[str, str], str],
    config: ActivationConfig,
    *,
    as_of: date,
) -> DataFrame:
    """Rows of activation.delivery: one a destination and audience, also where nobody qualified.

    In: verdicts over all destinations; the outbox after the deliveries; activation.delivery so far, whose files of the
    date stay where no newer one was written; the newest files by destination and audience.
    """
    pairs = [
        (d.id, name, d.told_as, files.get((d.id, name)))
        for d in config.destinations
        for name in d.audiences
    ]
    lists = judged.sparkSession.createDataFrame(
        pairs, "destination_id string, audience_id string, identifier string, _newest string"
    )
    known = before.where(F.col("as_of_date") == F.lit(as_of))
    known = known.select(*_LIST, F.col("file_name").alias("_known"))
    members = judged.groupBy(*_LIST).agg(
        F.count(F.lit(1)).alias("members"),
        *(F.count_if(F.col("verdict") == verdict).alias(verdict) for verdict in _LEFT_OUT),
    )
    today = F.col("delivered_on") == F.lit(as_of)
    told = outbox.groupBy(*_LIST).agg(
        *(
            F.count_if(today & (F.col(column) == operation)).alias(f"{what}_{done}")
            for what, column in (("persons", "operation"), ("entries", "entry_operation"))
            for operation, done in (("add", "added"), ("remove", "removed"))
        ),
        F.count_if(F.col("status") == "pending").alias("waiting"),
        F.count_if(F.col("status") == "dead").alias("dead"),
    )
    rows = lists.join(known, on=_LIST, how="left")
    for counts in (members, told):
        rows = rows.join(counts, on=_LIST, how="left")
    return (
        rows.fillna(0)
        .withColumns({"as_of_date": F.lit(as_of), "file_name": F.coalesce("_newest", "_known")})
        .select(*DELIVERY.names)
    )
