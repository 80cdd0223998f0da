"""Who may be sent where: consent, an address, and the holdout, in this order."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.activation.config import FileDestination, HoldoutConfig
from clvspark.activation.tables import ASSIGNMENT

_BUCKETS = 10_000


def split_group(config: HoldoutConfig) -> Column:
    """`treatment` or `holdout` by a hash of the person and the salt, the same in every run."""
    bucket = F.pmod(F.xxhash64(F.lit(config.salt), "person_id"), F.lit(_BUCKETS))
    return F.when(bucket < round(config.percent * _BUCKETS / 100), "holdout").otherwise("treatment")


def judge_members(
    members: DataFrame, contacts: DataFrame, destination: FileDestination
) -> DataFrame:
    """Verdict on every member of the destination's audiences.

    In: ``audience_id, person_id`` of the members; contacts: one row a person with email, phone, split_group and
    ``consent_<channel>``. Out: the members with ``verdict`` (eligible, without_consent, without_identifier or
    held_out) and ``address``, the identifier as the destination wants it named.
    """
    joined = members.where(F.col("audience_id").isin(*destination.audiences)).join(
        contacts, on="person_id", how="left"
    )
    consenting = F.coalesce(F.col(f"consent_{destination.channel}"), F.lit(False))
    address = F.col(destination.identifier)
    verdict = (
        F.when(~consenting, "without_consent")
        .when(address.isNull(), "without_identifier")
        .when(F.col("split_group") == "holdout", "held_out")
        .otherwise("eligible")
    )
    return joined.select(
        "audience_id", "person_id", verdict.alias("verdict"), address.alias("address")
    )


def assign_members(judged: DataFrame, assigned: DataFrame, *, as_of: date) -> DataFrame:
    """New rows of activation.assignment: who could have been told on this day, and who of them is held out.

    In: verdicts over all destinations; the assignments so far, which stay as they are. Whoever may not be
    addressed, for want of consent or address, is in no group: acting could not have reached them.
    """
    could = judged.where("verdict IN ('eligible', 'held_out')")
    group = F.when(F.col("verdict") == "held_out", "holdout").otherwise("treatment")
    key = ["audience_id", "person_id"]
    today = could.select(*key, F.lit(as_of).alias("as_of_date"), group.alias("split_group"))
    before = assigned.where(F.col("as_of_date") == F.lit(as_of)).select(*key)
    return today.distinct().join(before, on=key, how="left_anti").select(*ASSIGNMENT.names)
