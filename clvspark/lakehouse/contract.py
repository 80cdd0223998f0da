"""Verify data frames against the contracts of the tables they are about to be written to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, FloatType

from clvspark.lakehouse.table import Table


def verify_contract(df: DataFrame, table: Table, *, where: str | None = None) -> int:
    """Return the number of rows of `df`; raise ContractError if a key, a NULL or a check is violated.

    With `where`, a row for which it does not hold is a violation. One pass, whose only shuffle is of hashes of keys;
    where it finds something, a second one counts what. The message counts violations and never shows a value.
    """
    rules = broken_rules(df, table, where=where)
    is_broken = reduce(SparkColumn.__or__, rules.values(), F.lit(False))
    counts = [F.count(F.lit(1)).alias("_rows"), F.count_if(is_broken).alias("_broken")]
    if table.key:
        hashed = df.groupBy(F.xxhash64(*table.key).alias("_key")).agg(*counts)
        alike = F.count_if(F.col("_rows") > 1).alias("_alike")
        found = hashed.agg(F.sum("_rows"), F.sum("_broken"), alike).first()
    else:
        found = df.agg(*counts, F.lit(0).alias("_alike")).first()
    rows, *suspects = (int(value or 0) for value in found)  # type: ignore[union-attr]
    if any(suspects) and (faults := _count_faults(df, table, rules)):
        raise table.refusal(faults)
    return rows


def verify_contracts(
    frames: Sequence[tuple[DataFrame, Table | None]], *, where: str | None = None
) -> list[int]:
    """Numbers of rows of several frames, each of a table verified as by `verify_contract`, in one job for all.

    Of a job of a few rows planning it takes the most time. With `where`, a row of a table for which it does not hold is
    a violation.
    """
    parts = []
    for n, (df, table) in enumerate(frames):
        rules = broken_rules(df, table, where=where) if table else {}
        keyed = F.xxhash64(*table.key) if table and table.key else F.lit(None).cast("bigint")
        parts.append(
            df.select(
                F.lit(n).alias("_n"),
                keyed.alias("_key"),
                reduce(SparkColumn.__or__, rules.values(), F.lit(False)).alias("_is_broken"),
            )
        )
    if not parts:
        return []
    rows, broken = F.count(F.lit(1)), F.count_if("_is_broken")
    hashed = reduce(DataFrame.unionByName, parts).groupBy("_n", "_key")
    alike = F.count_if((F.col("_rows") > 1) & F.col("_key").isNotNull())
    sums = hashed.agg(rows.alias("_rows"), broken.alias("_broken")).groupBy("_n")
    counts = sums.agg(F.sum("_rows").alias("_rows"), F.sum("_broken") + alike).collect()
    numbers = {n: (int(rows), int(suspects)) for n, rows, suspects in counts}
    for n, (df, table) in enumerate(frames):
        if table and numbers.get(n, (0, 0))[1]:
            verify_contract(df, table, where=where)
    return [numbers.get(n, (0, 0))[0] for n in range(len(frames))]


def _count_faults(df: DataFrame, table: Table, rules: Mapping[str, SparkColumn]) -> list[str]:
    """Sentences that say how often each rule is broken, and how many keys occur more than once."""
    # One measure more, as Spark refuses to sum up nothing where a table has keys only.
    measures = [F.count_if(broken).alias(name) for name, broken in rules.items()]
    counts = df.agg(F.lit(0).alias("_nothing"), *measures).collect()[0].asDict()
    faults = [f"{table.name}.{name}: {count} rows" for name, count in counts.items() if count]
    twice = df.groupBy(*table.key).count().where("count > 1").count() if table.key else 0
    if twice:
        keys = ", ".join(table.key)
        faults.append(f"{table.name}: {twice} keys ({keys}) occur more than once")
    return faults


def broken_rules(
    df: DataFrame, table: Table, *, where: str | None = None
) -> dict[str, SparkColumn]:
    """One boolean column for each rule of the contract, and for `where`, true where a row breaks it."""
    rules = {f"{name} is NULL": F.col(name).isNull() for name in table.required}
    for spark in df.schema.fields:
        if isinstance(spark.dataType, DoubleType | FloatType):
            finite = F.isnan(spark.name) | (F.abs(F.col(spark.name)) == F.lit(float("inf")))
            rules[f"{spark.name} is not finite"] = F.coalesce(finite, F.lit(False))
    for name, predicate in table.predicates.items():
        rules[f"{name} breaks ({predicate})"] = ~F.coalesce(F.expr(predicate), F.lit(True))
    if where is not None:
        rules[f"row outside ({where})"] = ~F.coalesce(F.expr(where), F.lit(False))
    return {name.replace("`", ""): rule for name, rule in rules.items()}
