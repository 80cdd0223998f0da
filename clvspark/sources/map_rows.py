"""Landing rows become rows of a target table, each with the reasons that keep it out, if any."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import (
    DataType,
    DateType,
    DecimalType,
    LongType,
    StringType,
    TimestampType,
)

from clvspark.lakehouse.contract import broken_rules
from clvspark.lakehouse.table import Table
from clvspark.sources.config import FieldRule, LandingFile, Output, Transform
from clvspark.sources.tables import TARGETS

BOOKKEEPING = ("_system", "_file", "_raw", "_reasons")
_REPLACEMENT_CHARACTER = "\ufffd"
_TRANSFORMS: dict[Transform, Callable[[Column], Column]] = {
    "trim": F.trim,
    "lower": F.lower,
    "upper": F.upper,
    "digits": lambda text: F.regexp_replace(text, r"\D", ""),
    "sha256": lambda text: F.sha2(text, 256),
}


def map_rows(raw: DataFrame, *, system: str, file: LandingFile, output: Output) -> DataFrame:
    """Map landing rows to the target of `output`.

    Out: one row a landing row, the target's columns in order, then ``_system``, ``_file``, ``_raw`` (kept
    for bad rows only) and ``_reasons`` (empty for a good row).
    """
    table = TARGETS[output.to]
    types = {spark.name: spark.dataType for spark in table.schema.fields}
    kinds = {spark.name: spark.dataType for spark in raw.schema.fields}
    texts = {
        name: _text(rule, kinds, whole=name in table.required)
        for name, rule in output.fields.items()
    }
    values = {
        name: _typed(texts[name], types[name], rule, kinds) for name, rule in output.fields.items()
    }
    values["source_system"] = values.get("source_system", F.lit(system))
    if output.attributes:
        pairs = [
            part
            for name in output.attributes
            for part in (F.lit(name), F.col(f"`{name}`").cast("string"))
        ]
        values["attributes"] = F.create_map(*pairs)
    bad_values = [
        F.when(texts[name].isNotNull() & values[name].isNull(), F.lit(f"bad_value:{name}"))
        for name in output.fields
        if not isinstance(types[name], StringType)
    ]
    row_faults = [
        F.when(F.col("_malformed"), F.lit("malformed_row")),
        F.when(_is_garbled(F.col("_raw")), F.lit("wrong_encoding")),
    ]
    if file.unknown_columns == "quarantine":
        row_faults.append(F.when(F.col("_unknown").isNotNull(), F.lit("unknown_columns")))
    columns = [values.get(n, F.lit(None)).cast(types[n]).alias(n) for n in table.names]
    mapped = raw.select(
        *columns,
        F.array_compact(F.array(*row_faults, *bad_values)).alias("_early"),
        "_file",
        "_raw",
    )
    late = _contract_reasons(mapped, table)
    reasons = F.array_distinct(F.concat("_early", F.array_compact(F.array(*late))))
    judged = mapped.select(
        *table.names, F.lit(system).alias("_system"), "_file", "_raw", reasons.alias("_reasons")
    )
    # Other readers of Parquet refuse texts that are not UTF-8.
    shown = F.make_valid_utf8(F.col("_raw"))
    return judged.withColumn("_raw", F.when(F.size("_reasons") > 0, shown))


def map_field(raw: DataFrame, rule: FieldRule, kind: DataType) -> Column:
    """The value that a rule makes of a landing row, NULL where it cannot be read as `kind`."""
    kinds = {spark.name: spark.dataType for spark in raw.schema.fields}
    return _typed(_text(rule, kinds, whole=False), kind, rule, kinds)


def quarantine_repeats(mapped: DataFrame, table: Table) -> DataFrame:
    """Give every good row but the first of each key the reason ``duplicate_key``.

    The first is the smallest by content, so that the order in which files arrive does not matter.
    """
    content = F.xxhash64(*(F.col(name) for name in table.names if name != "attributes"))
    good = F.size("_reasons") == 0
    order = Window.partitionBy(*table.key, good).orderBy(content, "_file")
    repeated = good & (F.row_number().over(order) > 1)
    payload = F.to_json(F.struct(*table.names))
    return mapped.withColumns(
        {
            "_raw": F.when(repeated, payload).otherwise(F.col("_raw")),
            "_reasons": F.when(repeated, F.array(F.lit("duplicate_key"))).otherwise(
                F.col("_reasons")
            ),
        }
    )


def keep_first_of_key(mapped: DataFrame, table: Table) -> DataFrame:
    """One good row a key, for outputs whose rows repeat keys by nature; the fullest row wins."""
    filled = reduce(Column.__add__, [F.col(name).isNotNull().cast("int") for name in table.names])
    content = F.xxhash64(*(F.col(name) for name in table.names if name != "attributes"))
    best = F.max_by(F.struct(*mapped.columns), F.struct(filled, content)).alias("_best")
    good = mapped.where(F.size("_reasons") == 0)
    return (
        good.groupBy(*(F.col(name).alias(f"_{name}") for name in table.key))
        .agg(best)
        .select("_best.*")
    )


def _contract_reasons(mapped: DataFrame, table: Table) -> list[Column]:
    reasons = []
    for name, broken in broken_rules(mapped.select(*table.names), table).items():
        column, _, kind = name.partition(" ")
        reason = f"missing:{column}" if kind == "is NULL" else f"check:{column}"
        badly_typed = F.array_contains("_early", f"bad_value:{column}")
        reasons.append(F.when(broken & ~badly_typed, F.lit(reason)))
    return reasons


def _text(rule: FieldRule, kinds: dict[str, DataType], *, whole: bool) -> Column:
    """The value before its cast; Parquet values keep their type unless a text step needs a text.

    `whole`: parts that are missing make the joined text missing, as a key of half its parts is no key.
    """
    if rule.value is not None:
        return F.lit(rule.value)
    if rule.from_ and rule.is_plain:
        plain = F.col(f"`{rule.from_}`")
        if not isinstance(kinds[rule.from_], StringType):
            return plain
    parts = [_blank_to_null(F.col(f"`{name}`").cast("string")) for name in rule.columns]
    text = F.concat_ws(rule.separator, *parts)
    complete = reduce(
        Column.__and__ if whole else Column.__or__, [part.isNotNull() for part in parts]
    )
    text = F.when(complete, text)
    for name in rule.transforms:
        text = _TRANSFORMS[name](text)
    if rule.map:
        pairs = F.create_map(*(F.lit(part) for pair in rule.map.items() for part in pair))
        text = F.element_at(pairs, text)
    return F.concat(F.lit(rule.prefix), text) if rule.prefix else text


def _is_garbled(text: Column) -> Column:
    """Not UTF-8: readers of texts keep the bytes, readers of CSV put the replacement character."""
    return ~F.is_valid_utf8(text) | F.contains(text, F.lit(_REPLACEMENT_CHARACTER))


def _blank_to_null(text: Column) -> Column:
    return F.nullif(F.trim(text), F.lit(""))


def _typed(text: Column, kind: DataType, rule: FieldRule, kinds: dict[str, DataType]) -> Column:
    if isinstance(kind, TimestampType | DateType):
        is_number = rule.is_plain and isinstance(kinds[rule.from_ or ""], LongType)
        instant = _instant(text) if is_number else text.try_cast("timestamp")
        if rule.formats:
            instant = F.coalesce(
                *(F.try_to_timestamp(text.cast("string"), F.lit(f)) for f in rule.formats)
            )
        if rule.timezone != "UTC":
            instant = F.to_utc_timestamp(instant, rule.timezone)
        return instant.cast(kind)
    return _exact_decimal(text, kind) if isinstance(kind, DecimalType) else text.try_cast(kind)


def _instant(number: Column) -> Column:
    """An instant kept as a number since 1970, its unit told by its size.

    Seconds, milli-, micro- or nanoseconds: their sizes do not overlap from 1973 to 5138. Spark reads the
    nanoseconds that pandas writes to Parquet as such a number.
    """
    size = F.abs(number)
    micros_of_nanos = F.round((number - F.pmod(number, F.lit(1000))) / 1000).cast("bigint")
    micros = (
        F.when(size < 10**11, number * 10**6)
        .when(size < 10**14, number * 10**3)
        .when(size < 10**17, number)
        .otherwise(micros_of_nanos)
    )
    return F.timestamp_micros(micros)


def _exact_decimal(text: Column, kind: DecimalType) -> Column:
    """The value as a decimal, NULL where it would have to be rounded.

    A cast would round 12.345 silently; money with a third decimal is a fault of the sender.
    """
    value = text.try_cast(kind)
    exact = text.cast("string").try_cast("decimal(38,10)")
    return F.when(F.abs(exact - value) < F.lit(1e-6), value)
