"""Verify a data frame against the contract of the table it is about to be written to."""

from __future__ import annotations

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, FloatType

from clvspark.lakehouse.table import Table


def verify_contract(df: DataFrame, table: Table, *, where: str | None = None) -> int:
    """Return the number of rows of `df`; raise ContractError if a key, a NULL or a check is violated.

    With `where`, a row for which it does not hold is a violation. One pass with one aggregation by key. The
    message counts violations and never shows a value.
    """
    rules = broken_rules(df, table)
    if where is not None:
        rules[f"row outside ({where})"] = ~F.coalesce(F.expr(where), F.lit(False))
    violations = {name: F.count_if(broken) for name, broken in rules.items()}
    measures = [F.count(F.lit(1)).alias("_rows"), *(c.alias(n) for n, c in violations.items())]
    if table.key:
        grouped = df.groupBy(*table.key).agg(*measures)
        totals = [
            F.sum("_rows").alias("_rows"),
            F.count_if(F.col("_rows") > 1).alias("_duplicates"),
        ]
        found = grouped.agg(*totals, *(F.sum(F.col(f"`{n}`")).alias(n) for n in violations)).first()
    else:
        found = df.agg(*measures, F.lit(0).alias("_duplicates")).first()
    counts = {name: int(value or 0) for name, value in found.asDict().items()}  # type: ignore[union-attr]
    faults = [f"{table.name}.{name}: {counts[name]} rows" for name in violations if counts[name]]
    if counts["_duplicates"]:
        faults.append(
            f"{table.name}: {counts['_duplicates']} keys ({', '.join(table.key)}) occur more than once"
        )
    if faults:
        raise table.refusal(faults)
    return counts["_rows"]


def broken_rules(df: DataFrame, table: Table) -> dict[str, SparkColumn]:
    """One boolean column for each rule of the contract, true where a row breaks it."""
    rules = {f"{name} is NULL": F.col(name).isNull() for name in table.required}
    for spark in df.schema.fields:
        if isinstance(spark.dataType, DoubleType | FloatType):
            finite = F.isnan(spark.name) | (F.abs(F.col(spark.name)) == F.lit(float("inf")))
            rules[f"{spark.name} is not finite"] = F.coalesce(finite, F.lit(False))
    for name, predicate in table.predicates.items():
        rules[f"{name} breaks ({predicate})"] = ~F.coalesce(F.expr(predicate), F.lit(True))
    return {name.replace("`", ""): rule for name, rule in rules.items()}
