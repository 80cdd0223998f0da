"""Sizes of blocks before anything is compared: what a rule would cost, which blocks are hot, who meets whom.

Whether two records meet depends on their own evidence and on whether the blocks they share are hot, see
`blocking`. A record that comes or goes can make a block hot, or cool: then all records of the block meet others than
before, and are touched. The same holds for the parts into which refining columns divide a hot block.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.identity.blocking.candidates import rule_keys
from clvspark.identity.settings import IdentitySettings
from clvspark.lakehouse.elements import known_elements
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.subsets import rows_among


@dataclass(frozen=True)
class Meetings:
    """Blocks that touched records are in.

    Parameters
    ----------
    met : ``unique_id`` of the untouched records that are in a block with a touched one.
    more : ``unique_id`` of untouched records of blocks that became hot or cooled down, now touched as well.
    sizes : ``rule, key, records, touched`` after the run of each block that a touched record is or was in.
    """

    met: DataFrame
    more: DataFrame
    sizes: DataFrame


def list_block_keys(evidence: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Blocks of each record: ``unique_id, rule, key``; `rule` is the number of the blocking rule."""
    types = settings.columns
    plain: list[Column] = []
    cells: list[Column] = []
    for number, rule in enumerate(settings.blocking_rules):
        keys = rule_keys(rule, number, types)
        if any(types[name].startswith("array") for name in rule):
            keys = known_elements(keys, "bigint")  # an array may hold a value twice
            zipped = F.arrays_zip(F.array_repeat(F.lit(number), F.size(keys)), keys)
            cells.append(zipped.cast("array<struct<rule:int,key:bigint>>"))
        else:
            key = F.get(keys, F.lit(0)).alias("key")
            plain.append(F.struct(F.lit(number).alias("rule"), key))
    if plain:
        cells.append(F.array(*plain))
    listed = evidence.select("unique_id", F.inline(F.concat(*cells)))
    return listed.where("key IS NOT NULL")


def count_all_blocks(evidence: DataFrame, settings: IdentitySettings) -> DataFrame:
    """``rule, key, records, touched`` of all blocks of more than one record, where every record is touched."""
    counted = (
        list_block_keys(evidence, settings)
        .groupBy("key")
        .agg(F.first("rule").alias("rule"), F.count(F.lit(1)).alias("records"))
    )
    return counted.where("records > 1").select(
        "rule", "key", "records", F.col("records").alias("touched")
    )


def refuse_explosion(sizes: DataFrame, settings: IdentitySettings) -> None:
    """ConfigError naming the rules, if the blocks would make more than `max_pairs` pairs with a touched record.

    Hot blocks are left out: they are refined. One aggregation to one row a rule.
    """
    fits = F.col("records") <= settings.max_block_records
    untouched = F.col("records") - F.col("touched")
    pairs = F.expr("touched * (touched - 1) / 2") + F.col("touched") * untouched
    rows = sizes.where(fits).groupBy("rule").agg(F.sum(pairs).cast("long").alias("pairs")).collect()
    if sum(row["pairs"] for row in rows) <= settings.max_pairs:
        return
    worst = sorted(rows, key=lambda row: -row["pairs"])
    raise ConfigError(
        "identity.settings.blocking_rules",
        [
            *(
                f"[{', '.join(settings.blocking_rules[row['rule']])}] would compare {row['pairs']:,} pairs"
                for row in worst
            ),
            f"max_pairs allows {settings.max_pairs:,} in all: add a column to the first of these rules, or raise it",
        ],
    )


def hot_blocks(sizes: DataFrame, settings: IdentitySettings) -> DataFrame:
    """``rule, key, records`` of blocks that are too large and are refined."""
    return sizes.where(F.col("records") > settings.max_block_records).select(
        "rule", "key", "records"
    )


def find_meetings(
    touched: DataFrame, before: DataFrame, kept: DataFrame, settings: IdentitySettings
) -> Meetings:
    """Who meets the touched records, and whose blocks became hot or cooled down.

    In: evidence of the touched records; of them and of those that are gone before the run; of all others, `kept`.
    """
    now = list_block_keys(touched, settings)
    then = list_block_keys(before, settings)
    keys = now.unionByName(then).select("key").distinct().localCheckpoint(eager=False)
    near = list_block_keys(kept, settings)
    near = rows_among(near, keys, "key").localCheckpoint(eager=False)
    counted = _compare(near, now, then, ["key"]).localCheckpoint(eager=False)
    limit = settings.max_block_records
    was_hot, is_hot = F.col("before") > limit, F.col("after") > limit
    crossed = rows_among(near, counted.where(was_hot != is_hot), "key").select("unique_id")
    hot = counted.where(was_hot & is_hot).select("key").localCheckpoint(eager=False)
    if settings.refiners and hot.limit(1).count():
        part = ["key", "column", "value"]
        near_parts = _list_parts(near, kept, hot, settings)
        refined = _compare(
            near_parts,
            _list_parts(now, touched, hot, settings),
            _list_parts(then, before, hot, settings),
            part,
        )
        cut = refined.where((F.col("before") > limit) != (F.col("after") > limit))
        crossed = crossed.unionByName(rows_among(near_parts, cut, *part).select("unique_id"))
    sizes = counted.select(
        "rule", "key", F.col("after").alias("records"), F.col("new").alias("touched")
    )
    return Meetings(
        near.select("unique_id").distinct().localCheckpoint(eager=False),
        crossed.distinct().localCheckpoint(eager=False),
        sizes,
    )


def _compare(kept: DataFrame, now: DataFrame, then: DataFrame, key: list[str]) -> DataFrame:
    """Records of each group before and after the run; ``new`` of them are touched."""
    names = [*key, "rule"]
    zero, one = F.lit(0), F.lit(1)
    parts = [
        frame.select(*names, old.alias("_old"), new.alias("_new"))
        for frame, old, new in ((kept, zero, zero), (now, zero, one), (then, one, zero))
    ]
    both = parts[0].unionByName(parts[1]).unionByName(parts[2])
    stays = F.count_if((F.col("_old") == 0) & (F.col("_new") == 0))
    return both.groupBy(*key).agg(
        F.first("rule").alias("rule"),
        (stays + F.sum("_old")).alias("before"),
        (stays + F.sum("_new")).alias("after"),
        F.sum("_new").alias("new"),
    )


def _list_parts(
    listed: DataFrame, rows: DataFrame, hot: DataFrame, settings: IdentitySettings
) -> DataFrame:
    """Parts of hot blocks by the value of a refining column: ``unique_id, key, rule, column, value``."""
    members = rows_among(listed, hot, "key")
    cells = [
        F.struct(F.lit(name).alias("column"), F.col(name).cast("string").alias("value"))
        for name in settings.refiners
    ]
    values = rows.select("unique_id", F.array(*cells).alias("cells"))
    joined = members.join(values, on="unique_id", how="inner")
    return joined.select("unique_id", "key", "rule", F.inline("cells")).where("value IS NOT NULL")
