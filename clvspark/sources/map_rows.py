"""Landing rows become rows of a target table, each with the reasons that keep it out, if any."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from clvspark.lakehouse.contract import broken_rules
from clvspark.lakehouse.table import Table
from clvspark.lakehouse.texts import as_text
from clvspark.sources.amounts import complete_amounts, contradiction_of
from clvspark.sources.config import LandingFile, Output
from clvspark.sources.landing import REPLACEMENT_CHARACTER
from clvspark.sources.tables import CONDITION, PRICED, QUALIFIED, TARGETS
from clvspark.sources.tax import faults_of_tax, includes_tax, take_out_tax
from clvspark.sources.values import is_filled, text_of, typed

BOOKKEEPING = ("_system", "_drop", "_file", "_raw")
DERIVED = "_derived_"
LOST = "of_row_in_quarantine"
_AMOUNTS = ("gross_revenue", "discount", "tax", "net_revenue", "cost", "margin")


def map_rows(
    raw: DataFrame,
    *,
    system: str,
    file: LandingFile,
    output: Output,
    derived: Sequence[Output] = (),
) -> DataFrame:
    """Map landing rows to the target of `output`.

    Out: one row a landing row, the target's columns in order, then ``_system``, ``_drop`` (system and path),
    ``_file``, ``_raw`` (kept for bad rows only) and ``_reasons`` (empty for a good row). What the row is to become
    by the outputs `derived` travels with it, for `derive_rows`.
    """
    table = TARGETS[output.to]
    columns, bad_values = _read_values(raw, system, output)
    row_faults = [
        F.when(F.col("_malformed"), F.lit("malformed_row")),
        F.when(_is_garbled(F.col("_raw")), F.lit("wrong_encoding")),
    ]
    if file.unknown_columns == "quarantine":
        row_faults.append(F.when(F.col("_unknown").isNotNull(), F.lit("unknown_columns")))
    carried = {to: [o for o in derived if o.to == to] for to in sorted({o.to for o in derived})}
    mapped = raw.select(
        *columns,
        _told([*row_faults, *bad_values]).alias("_early"),
        F.lit(system).alias("_system"),
        F.lit(name_drop(system, file)).alias("_drop"),
        "_file",
        "_raw",
        *(
            F.array(*(_carry(raw, system, o) for o in outputs)).alias(f"{DERIVED}{to}")
            for to, outputs in carried.items()
        ),
    )
    judged = _judge(mapped, table, *(f"{DERIVED}{to}" for to in carried))
    # Other readers of Parquet refuse texts that are not UTF-8.
    shown = F.make_valid_utf8(F.col("_raw"))
    return judged.withColumn("_raw", F.when(F.size("_reasons") > 0, shown))


def derive_rows(rows: DataFrame, table: Table) -> DataFrame:
    """Rows of `table` that good rows of another target carry, as `map_rows` gives them.

    A row in quarantine makes nothing: what nobody could read in full is no proof of anybody.
    """
    return _inline(rows.where(F.size("_reasons") == 0), table)


def derive_lost_rows(rows: DataFrame, table: Table) -> DataFrame:
    """What `rows` of another target, which are in quarantine, would have made, with `LOST` among the reasons."""
    lost = _inline(rows, table)
    return lost.withColumn("_reasons", F.array_append("_reasons", F.lit(LOST)))


def _inline(rows: DataFrame, table: Table) -> DataFrame:
    carried = F.inline(f"{DERIVED}{table.name.split('.')[1]}")
    bare = rows.withColumn("_raw", F.lit(None).cast("string"))
    return _judge(bare.select(carried, *BOOKKEEPING), table)


def name_drop(system: str, file: LandingFile) -> str:
    """Name of all landing files of one kind of one system."""
    return f"{system}:{file.path}"


def _carry(raw: DataFrame, system: str, output: Output) -> Column:
    columns, bad_values = _read_values(raw, system, output)
    return F.struct(*columns, _told(bad_values).alias("_early"))


def _read_values(raw: DataFrame, system: str, output: Output) -> tuple[list[Column], list[Column]]:
    """Columns of the target, and for each that is no text the reason of a row where it cannot be read."""
    table = TARGETS[output.to]
    types = {spark.name: spark.dataType for spark in table.schema.fields}
    kinds = {spark.name: spark.dataType for spark in raw.schema.fields}
    texts = {
        name: text_of(rule, kinds, whole=name in table.required or table.column(name).identifier)
        for name, rule in output.fields.items()
    }
    values = {
        name: typed(texts[name], types[name], rule, kinds) for name, rule in output.fields.items()
    }
    # Y and Email are what y and email are.
    for column in table.columns:
        if column.allowed and column.name in values:
            values[column.name] = F.lower(F.trim(values[column.name]))
    if "currency" in values:
        values["currency"] = F.upper(F.trim(values["currency"]))
    values["source_system"] = values.get("source_system", F.lit(system))
    for name in QUALIFIED.get(output.to, ()):
        if name in values:
            values[name] = F.concat(F.lit(f"{system}:"), values[name])
    if output.attributes:
        pairs = [
            part
            for name in output.attributes
            for part in (F.lit(name), as_text(F.col(f"`{name}`"), kinds[name]))
        ]
        values["attributes"] = F.create_map(*pairs)
    bad_values = [
        F.when(texts[name].isNotNull() & values[name].isNull(), F.lit(f"bad_value:{name}"))
        for name in output.fields
        if not isinstance(types[name], StringType)
    ]
    # A derived row that lacks something is none; where a map does not know what was said, it is one, and a bad one.
    bad_values += [
        F.when(texts[name].isNull() & is_filled(rule.from_), F.lit(f"bad_value:{name}"))
        for name, rule in output.fields.items()
        if output.derived and rule.map and rule.from_ and name in table.required
    ]
    if output.to == "event":
        bad_values += _complete_event(values, includes_tax(output, kinds))
    if output.if_filled:
        bad_values.append(F.when(~is_filled(output.if_filled), F.lit(f"missing:{CONDITION}")))
    columns = [values.get(n, F.lit(None)).cast(types[n]).alias(n) for n in table.names]
    return columns, bad_values


def _complete_event(values: dict[str, Column], includes: Column | None) -> list[Column]:
    """Put the amounts that follow from what is said beside it; the reasons for which they cannot be believed.

    `includes` as `includes_tax` gives it.
    """
    said = {name: values[name] for name in _AMOUNTS if name in values}
    faults = []
    if said:
        plain = said if includes is None else take_out_tax(said, includes)
        faults.append(contradiction_of(said, plain))
        if includes is not None:
            is_sale = values["event_type"].isin(*PRICED)
            faults += faults_of_tax(said, includes, is_sale=is_sale)
        values |= complete_amounts(plain, None if includes is None else plain["net_revenue"])
    if said and "currency" in values:
        # An amount of an unknown currency is not one of the lakehouse's.
        unnamed = values["net_revenue"].isNotNull() & values["currency"].isNull()
        faults.append(F.when(unnamed, F.lit("missing:currency")))
    return faults


def _judge(mapped: DataFrame, table: Table, *carried: str) -> DataFrame:
    """Add ``_reasons``: those found while reading, then the rules of the contract that the row breaks."""
    late = []
    for name, broken in broken_rules(mapped.select(*table.names), table).items():
        column, _, kind = name.partition(" ")
        reason = f"missing:{column}" if kind == "is NULL" else f"check:{column}"
        badly_typed = F.array_contains("_early", f"bad_value:{column}")
        late.append(F.when(broken & ~badly_typed, F.lit(reason)))
    told = _told(late)
    reasons = F.when(F.size(told) == 0, F.col("_early")).otherwise(F.array_union("_early", told))
    return mapped.select(*table.names, *BOOKKEEPING, reasons.alias("_reasons"), *carried)


def _told(reasons: Sequence[Column]) -> Column:
    """Those of the reasons that are not NULL, each once; `array_compact` would interpret them row by row."""
    none = F.array().cast("array<string>")
    told = F.array_except(
        F.array(*reasons).cast("array<string>"), F.array(F.lit(None).cast("string"))
    )
    # Nearly all rows are good ones, and sets are dear to make.
    return F.when(F.coalesce(F.lit(None), *reasons).isNull(), none).otherwise(told)


def _is_garbled(text: Column) -> Column:
    """Not UTF-8: readers of texts keep the bytes, readers of CSV put the replacement character."""
    return ~F.is_valid_utf8(text) | F.contains(text, F.lit(REPLACEMENT_CHARACTER))
