"""What people are asked to look at: what guards did, and the pairs whose answer would teach most."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.identity.settings import IdentitySettings
from clvspark.identity.tables import PAIR, REVIEW, REVIEW_PAIR

_LARGE_GROUP = 3
# Beyond these odds a pair inside a person teaches nothing.
_CERTAIN_BITS = 8.0


def list_divided(clusters: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Components that a guard has taken apart, as identity.review. In: `component, is_divided` of every record."""
    counted = (
        clusters.where("is_divided")
        .groupBy("component")
        .agg(F.count(F.lit(1)).cast("int").alias("records"))
    )
    detail = (
        f"records taken apart, or left apart: a person of more than {settings.max_person_records} records, or more "
        f"than {settings.max_component_records} connected ones"
    )
    return counted.select(
        component_review(),
        F.lit("oversized_component").alias("guard"),
        "records",
        F.lit(detail).alias("detail"),
    ).select(*REVIEW.names)


def component_review() -> Column:
    """Review id of a ``component``, which does not tell its records."""
    return F.concat(F.lit("component:"), F.hex(F.xxhash64("component"))).alias("review_id")


def list_hot(blocks: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Blocks that are too large to be compared whole, as identity.review. In: see `sizes.hot_blocks`."""
    rules = F.array(*(F.lit(", ".join(rule)) for rule in settings.blocking_rules))
    detail = F.format_string(
        f"block of the rule [%s] with more than {settings.max_block_records} records, refined",
        F.get(rules, F.col("rule")),
    )
    return blocks.select(
        block_review(),
        F.lit("hot_block").alias("guard"),
        F.col("records").cast("int").alias("records"),
        detail.alias("detail"),
    ).select(*REVIEW.names)


def block_review() -> Column:
    """Review id of the block of a ``key``."""
    return F.concat(F.lit("block:"), F.hex("key")).alias("review_id")


def prioritise(pairs: DataFrame, clusters: DataFrame, bonds: DataFrame | None) -> DataFrame:
    """Pairs with the priority and reason to ask people about them, as identity.pair; NULL where nothing is to ask.

    In: pairs of whole components; ``unique_id, cluster, is_divided`` of their records; decisions.

    The priority is the expected number of pairs of records that the answer would change. Of two persons these are all
    pairs between them, if the two records turn out to be one, which the model gives `match_probability`. A pair of
    one person parts one record at least from the others, if the answer is no; how uncertain that is, 4 p (1 - p)
    tells.
    """
    size = F.count(F.lit(1)).over(Window.partitionBy("cluster"))
    sized = clusters.withColumn("_records", size)
    joined = pairs
    for end in ("l", "r"):
        joined = joined.join(
            sized.select(
                F.col("unique_id").alias(f"unique_id_{end}"),
                F.col("cluster").alias(f"_cluster_{end}"),
                F.col("_records").alias(f"_records_{end}"),
                F.col("is_divided").alias(f"_divided_{end}"),
            ),
            on=f"unique_id_{end}",
            how="inner",
        )
    apart = F.col("_cluster_l") != F.col("_cluster_r")
    p = F.col("match_probability")
    between = F.col("_records_l") * F.col("_records_r")
    inside = 4 * p * (1 - p) * (F.col("_records_l") - 1)
    large = F.least("_records_l", "_records_r") >= _LARGE_GROUP
    reason = (
        F.when(~apart, "uncertain")
        .when(F.col("_divided_l") & F.col("_divided_r"), "guard")
        .when(large, "bridge")
        .otherwise("separated")
    )
    is_asked = apart | (F.abs("match_weight") < _CERTAIN_BITS)
    if bonds is not None:
        decided = bonds.select("unique_id_l", "unique_id_r", F.lit(True).alias("_decided"))
        joined = joined.join(F.broadcast(decided), on=["unique_id_l", "unique_id_r"], how="left")
        is_asked &= F.col("_decided").isNull()
    return joined.select(
        "unique_id_l",
        "unique_id_r",
        "match_weight",
        "match_probability",
        F.when(is_asked, F.when(apart, p * between).otherwise(inside)).alias("priority"),
        F.when(is_asked, reason).alias("reason"),
    ).select(*PAIR.names)


def take_first(pairs: DataFrame, *, limit: int) -> DataFrame:
    """The `limit` pairs of identity.pair whose answer would teach most, as identity.review_pair."""
    ranked = pairs.where("priority IS NOT NULL").orderBy(
        F.desc("priority"), "unique_id_l", "unique_id_r"
    )
    return ranked.limit(limit).select(*REVIEW_PAIR.names)
