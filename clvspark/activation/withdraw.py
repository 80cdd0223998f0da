"""Whoever is on a list and may not be told any more leaves it, whatever the list is of."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.config import ActivationConfig
from clvspark.activation.outbox import list_held, write_instructions
from clvspark.activation.people import judge_all

_LIST = ["destination_id", "audience_id", "person_id"]


def withdraw(
    outbox: DataFrame, contacts: DataFrame, config: ActivationConfig, *, as_of: date
) -> DataFrame:
    """New removals, pending, as activation.outbox, of those on a list whom the gate lets pass no more.

    In: all instructions about some persons; contacts, of at least these. Nobody is added; a destination that is not
    configured is left alone.
    """
    here = outbox.where(F.col("destination_id").isin([d.id for d in config.destinations]))
    held = list_held(here)
    nowhere = F.lit(None).cast("string").alias("channel")
    members = held.select("audience_id", "person_id", nowhere).distinct()
    may = judge_all(members, contacts, config).where("verdict = 'eligible'")
    refused = held.join(may, on=_LIST, how="left_anti").select(*_LIST)
    return write_instructions(
        here.join(refused, on=_LIST, how="left_semi"), may.limit(0), as_of=as_of
    )
