"""Who may be sent where: consent, an address, and the holdout, in this order."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.activation.config import FileDestination, HoldoutConfig

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
    ``consent_<channel>``. Out: the members with ``verdict``: eligible, without_consent, without_identifier or
    held_out.
    """
    joined = members.where(F.col("audience_id").isin(*destination.audiences)).join(
        contacts, on="person_id", how="left"
    )
    consenting = F.coalesce(F.col(f"consent_{destination.channel}"), F.lit(False))
    verdict = (
        F.when(~consenting, "without_consent")
        .when(F.col(destination.identifier).isNull(), "without_identifier")
        .when(F.col("split_group") == "holdout", "held_out")
        .otherwise("eligible")
    )
    return joined.select("audience_id", "person_id", verdict.alias("verdict"))
