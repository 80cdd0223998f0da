"""Rows and revenue of the landing files are held against what became of them, to the cent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import reduce

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from clvspark.lakehouse import Run
from clvspark.lakehouse.errors import ContractError
from clvspark.lakehouse.table import MONEY, Table
from clvspark.sources.amounts import SAID, net_revenue_of
from clvspark.sources.compare_rows import COPY, DUPLICATE, SUPERSEDED
from clvspark.sources.config import LandingFile, Output
from clvspark.sources.map_rows import name_drop
from clvspark.sources.tables import EVENT, TARGETS
from clvspark.sources.tax import includes_tax, take_out_tax
from clvspark.sources.values import map_field

FATES = ("kept", "quarantined", "erased")


def measure_received(raw: DataFrame, system: str, file: LandingFile, output: Output) -> DataFrame:
    """Rows and revenue without tax of one kind of landing file, before rows are judged; one row."""
    amount = _net_revenue(raw, output) if TARGETS[output.to] is EVENT else F.lit(None)
    return raw.agg(
        F.lit(name_drop(system, file)).alias("drop"),
        F.count(F.lit(1)).alias("rows"),
        F.sum(amount.cast(MONEY)).alias("revenue"),
        F.count("_unknown").alias("unknown_rows"),
        F.max("_unknown").alias("unknown_names"),
        _name_columns_without_value(file, output).alias("without_value"),
    )


def _net_revenue(raw: DataFrame, output: Output) -> Column:
    rules = output.fields
    if not rules.keys() & set(SAID):
        return F.lit(None)
    money = EVENT.schema["net_revenue"].dataType
    said = {n: map_field(raw, rules[n], money) for n in (*SAID, "tax") if n in rules}
    includes = includes_tax(output, {spark.name: spark.dataType for spark in raw.schema.fields})
    return net_revenue_of(said) if includes is None else take_out_tax(said, includes)["net_revenue"]


def _name_columns_without_value(file: LandingFile, output: Output) -> Column:
    """Columns that no row has a value of; only JSON says nothing where a mapping names what does not exist."""
    read = sorted(output.columns) if file.format == "jsonl" else []
    silent = [F.when(F.count(F.col(f"`{name}`")) == 0, F.lit(name)) for name in read]
    return F.array_compact(F.array(*silent).cast("array<string>"))


def _measure_fates(df: DataFrame, table: Table) -> DataFrame:
    """Rows and revenue of a judged frame by drop, fate (kept, quarantined or erased) and first reason.

    ``revenue`` in the currency of the lakehouse, ``written`` in whatever currency each row was written.
    """
    fate = (
        F.when(F.col("_erased"), "erased")
        .when(F.size("_reasons") > 0, "quarantined")
        .otherwise("kept")
    )
    is_priced = table is EVENT
    revenue = F.col("net_revenue") if is_priced else F.lit(None)
    written = F.col("original_net_revenue") if is_priced else F.lit(None)
    groups = df.where("NOT _derived").groupBy(
        F.lit(table.name).alias("target"),
        F.col("_drop").alias("drop"),
        fate.alias("fate"),
        F.get("_reasons", F.lit(0)).alias("reason"),
    )
    return groups.agg(
        F.count(F.lit(1)).alias("rows"),
        F.sum(revenue.cast(MONEY)).alias("revenue"),
        F.sum(written.cast(MONEY)).alias("written"),
    )


def reconcile(run: Run, drops: Sequence[Row], frames: Mapping[str, DataFrame]) -> None:
    """Record rows and revenue received, kept, quarantined and erased; ContractError if they do not add up.

    In: rows of `measure_received`; judged frames by target. Amounts are held against each other as they were written,
    whatever their currency, and recorded in that of the lakehouse.
    """
    measured = [_measure_fates(df, TARGETS[name]) for name, df in frames.items()]
    found = reduce(DataFrame.unionByName, measured).collect()
    rows, revenue = dict.fromkeys(FATES, 0), dict.fromkeys(FATES, Decimal(0))
    written = dict.fromkeys(FATES, Decimal(0))
    for row in found:
        rows[row["fate"]] += row["rows"]
        revenue[row["fate"]] += row["revenue"] or 0
        written[row["fate"]] += row["written"] or 0
    landed_rows = sum(drop["rows"] for drop in drops)
    landed_revenue = sum((drop["revenue"] or Decimal(0) for drop in drops), Decimal(0))
    if landed_rows != sum(rows.values()) or landed_revenue != sum(written.values()):
        raise ContractError(
            f"{EVENT.name}: {landed_rows} landing rows with revenue {landed_revenue} became {rows} with {written}. "
            "Rows were lost or counted twice: please report this. Nothing was written."
        )
    run.metric("rows_received", landed_rows)
    run.metric("revenue_received", float(sum(revenue.values())))
    for fate in FATES:
        run.metric(f"rows_{fate}", rows[fate])
        run.metric(f"revenue_{fate}", float(revenue[fate]))
    # The rows of a file are received once for each of its outputs.
    unknown = {drop["drop"]: drop["unknown_rows"] for drop in drops}
    run.metric("rows_with_unknown_columns", sum(unknown.values()))
    for warning in [*warn_of_columns(drops), *warn_of_mappings(found), *warn_of_event_ids(found)]:
        run.warn(warning)


def warn_of_columns(drops: Sequence[Row]) -> list[str]:
    """A sentence for the columns of a drop that nothing reads, and for those that are read and hold nothing.

    In: ``drop, rows, unknown_rows, unknown_names, without_value``, one row an output.
    """
    warnings = []
    for drop, outputs in _by_drop(drops).items():
        first = outputs[0]
        if first["unknown_rows"]:
            warnings.append(
                f"{drop}: {first['unknown_rows']:,} of {first['rows']:,} rows have columns that nothing reads, e.g. "
                f"{first['unknown_names']}. Next step: map them, or name them under 'ignore' of this file."
            )
        silent = sorted({name for output in outputs for name in output["without_value"]})
        if silent and first["rows"]:
            warnings.append(
                f"{drop}: no row has a value of {', '.join(silent)}. Next step: see whether the mapping of this file "
                "spells these columns as the file does."
            )
    return warnings


def _by_drop(drops: Sequence[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in drops:
        grouped.setdefault(row["drop"], []).append(row)
    return dict(sorted(grouped.items()))


def warn_of_mappings(found: list[Row]) -> list[str]:
    """A sentence for each mapping of which more than half of the rows are in quarantine.

    In: ``target, drop, fate, reason, rows``. Copies are no fault of a mapping, as in dumps that repeat everything. Nor
    are older versions, but for those of events: what happened hardly ever changes, so that many of them are rather ids
    that start again in every file.
    """
    every: Counter[tuple[str, str]] = Counter()
    bad: dict[tuple[str, str], Counter[str]] = {}
    for row in found:
        mapping = (row["drop"], row["target"])
        every[mapping] += row["rows"]
        is_version = row["reason"] == COPY
        is_version |= row["reason"] == SUPERSEDED and row["target"] != EVENT.name
        if row["fate"] == "quarantined" and not is_version:
            bad.setdefault(mapping, Counter())[row["reason"]] += row["rows"]
    warnings = []
    for (drop, target), reasons in sorted(bad.items()):
        count = sum(reasons.values())
        if 2 * count > every[drop, target]:
            reason, times = min(reasons.items(), key=lambda item: (-item[1], item[0]))
            warnings.append(
                f"{drop} to {target}: {count:,} of {every[drop, target]:,} rows are in quarantine, {times:,} of them "
                f"with the reason {reason}. Next step: look at such rows in sources.quarantine (column raw), correct "
                "the mapping of this file under 'sources.systems', then run again."
            )
    return warnings


def warn_of_event_ids(found: list[Row]) -> list[str]:
    """A sentence for each mapping whose events have the id of another one.

    In: as `warn_of_mappings`. What happened has an id of its own; that of a message is one of its sending and of all
    that followed.
    """
    return [
        f"{row['drop']} to {row['target']}: {row['rows']:,} rows have the id of another row and are something else; "
        "one of each stays. Next step: if these are ids of messages, orders or visits, map 'event_id' with 'join', of "
        "the id and of what happened, then run again."
        for row in sorted(found, key=lambda row: row["drop"])
        if row["target"] == EVENT.name and row["reason"] == DUPLICATE
    ]
