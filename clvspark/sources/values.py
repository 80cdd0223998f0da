"""The value that one rule of a mapping makes of a landing row, by native functions only."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    DataType,
    DateType,
    DecimalType,
    NumericType,
    StringType,
    TimestampType,
)

from clvspark.lakehouse.texts import as_text
from clvspark.sources.config import FieldRule, NumberFormat, Transform

_TRANSFORMS: dict[Transform, Callable[[Column], Column]] = {
    "trim": F.trim,
    "lower": F.lower,
    "upper": F.upper,
    "digits": lambda text: F.regexp_replace(text, r"\D", ""),
    "sha256": lambda text: F.sha2(text, 256),
}
_WHOLE_DATE = r"^\s*\d{4}-\d{1,2}-\d{1,2}([ T]|\s*$)"
# Whatever Spark reads behind the time is an offset or the name of a zone.
_OWN_ZONE = r"\d:\d{2}(:\d{2}(\.\d+)?)?\s*[A-Za-z+-]"
# Systems write narrow and non-breaking spaces, and either apostrophe.
_SAME_MARKS = {" ": " \u00a0\u202f", "'": "'\u2019"}


def map_field(raw: DataFrame, rule: FieldRule, kind: DataType) -> Column:
    """The value that a rule makes of a landing row, NULL where it cannot be read as `kind`."""
    kinds = {spark.name: spark.dataType for spark in raw.schema.fields}
    return typed(text_of(rule, kinds, whole=False), kind, rule, kinds)


def text_of(rule: FieldRule, kinds: dict[str, DataType], *, whole: bool) -> Column:
    """The value before its cast; Parquet values keep their type unless a text step needs a text.

    `whole`: parts that are missing make the joined text missing, as a key of half its parts is no key.
    """
    if rule.value is not None:
        return F.lit(rule.value)
    if rule.from_ and rule.is_plain:
        plain = F.col(f"`{rule.from_}`")
        if not isinstance(kinds[rule.from_], StringType):
            return plain
    parts = [_blank_to_null(as_text(F.col(f"`{name}`"), kinds[name])) for name in rule.columns]
    text = F.concat_ws(rule.separator, *parts)
    complete = reduce(
        Column.__and__ if whole else Column.__or__, [part.isNotNull() for part in parts]
    )
    text = F.when(complete, text)
    for name in rule.transforms:
        text = _blank_to_null(_TRANSFORMS[name](text))
    if rule.map:
        pairs = F.create_map(*(F.lit(part) for pair in rule.map.items() for part in pair))
        text = F.element_at(pairs, text)
    return F.concat(F.lit(rule.prefix), text) if rule.prefix else text


def _blank_to_null(text: Column) -> Column:
    return F.nullif(F.trim(text), F.lit(""))


def is_filled(column: str) -> Column:
    """Whether a landing column holds anything, be it readable or not."""
    return _blank_to_null(F.col(f"`{column}`").cast("string")).isNotNull()


def typed(text: Column, kind: DataType, rule: FieldRule, kinds: dict[str, DataType]) -> Column:
    """The text as `kind`, NULL where it cannot be read so; `kinds` are the types of the landing columns."""
    if isinstance(kind, TimestampType | DateType):
        plain = kinds[rule.from_ or ""] if rule.is_plain else StringType()
        return _typed_time(text, plain, rule, is_day=isinstance(kind, DateType)).cast(kind)
    if rule.number and isinstance(kinds.get(rule.from_ or "", StringType()), StringType):
        text = _plain_number(text, rule.number)
        if not isinstance(kind, DecimalType):
            number = text.try_cast("decimal(38,10)")
            return F.when(number == F.floor(number), number).try_cast(kind)
    if isinstance(kind, DecimalType):
        return _exact_decimal(text, kind)
    if isinstance(kind, StringType) and rule.is_plain:
        return as_text(text, kinds[rule.from_ or ""])
    return text.try_cast(kind)


def _typed_time(value: Column, kind: DataType, rule: FieldRule, *, is_day: bool) -> Column:
    """The value as an instant in UTC or, where a date is wanted (`is_day`), as local time of the rule's zone.

    Only what names no zone of its own is local time already: a date is the day as it is written. Instants are what
    names an offset or a zone, numbers, which count from 1970 in UTC, and timestamps of Parquet unless they are kept
    without zone. A text must begin with a whole date: Spark would put today before a bare time of day.
    """
    zone = rule.timezone

    def local(time: Column) -> Column:
        return time if is_day or zone == "UTC" else F.to_utc_timestamp(time, zone)

    def known(instant: Column) -> Column:
        return F.from_utc_timestamp(instant, zone) if is_day and zone != "UTC" else instant

    if rule.formats:
        text = value.cast("string")
        read = [(pattern, F.try_to_timestamp(text, F.lit(pattern))) for pattern in rule.formats]
        return F.coalesce(
            *(known(time) if _names_zone(pattern) else local(time) for pattern, time in read)
        )
    if isinstance(kind, NumericType):
        return known(_instant(value.try_cast("decimal(38,6)")))
    if isinstance(kind, TimestampType):
        return known(value)
    if not isinstance(kind, StringType):
        return local(value.try_cast("timestamp"))
    time = F.when(value.rlike(_WHOLE_DATE), value.try_cast("timestamp"))
    return F.when(value.rlike(_OWN_ZONE), known(time)).otherwise(local(time))


def _names_zone(pattern: str) -> bool:
    """Whether a pattern of Spark's reads a zone or an offset."""
    return bool(re.search("[VzOXxZ]", re.sub("'[^']*'", "", pattern)))


def _instant(number: Column) -> Column:
    """An instant kept as a number since 1970, its unit told by its size.

    Seconds, milli-, micro- or nanoseconds: their sizes do not overlap from 1973 to 5138. Smaller numbers are no
    instants: 0 stands for nothing, 19800101 for a date that needs a format. Spark reads the nanoseconds that pandas
    writes to Parquet as such a number.
    """
    size = F.abs(number)
    micros_of_nanos = F.floor(number / 1000)
    micros = (
        F.when(size < 10**8, F.lit(None))
        .when(size < 10**11, number * 10**6)
        .when(size < 10**14, number * 10**3)
        .when(size < 10**17, number)
        .otherwise(micros_of_nanos)
    )
    return F.timestamp_micros(micros.try_cast("bigint"))


def _exact_decimal(text: Column, kind: DecimalType) -> Column:
    """The value as a decimal, NULL where it would have to be rounded.

    A cast would round 12.345 silently; money with a third decimal is a fault of the sender.
    """
    value = text.try_cast(kind)
    exact = text.cast("string").try_cast("decimal(38,10)")
    return F.when(F.abs(exact - value) < F.lit(1e-6), value)


def _plain_number(text: Column, number: NumberFormat) -> Column:
    """A number with its marks taken out and a decimal point, NULL where it is not written as `number` says.

    A sign may stand before or behind the currency; groups between marks have three digits, so that 1.23 is not
    taken for 123 where the point parts thousands.
    """
    signs = "|".join(re.escape(sign.strip()) for sign in number.currency)
    money = rf"(?:{signs})?" if signs else ""
    marks = "".join(rf"\x{{{ord(mark):x}}}" for mark in _marks(number.thousands))
    grouped = rf"\d{{1,3}}(?:[{marks}]\d{{3}})+|" if marks else ""
    whole, fraction = rf"({grouped}\d+)", rf"(?:\{number.decimal}(\d+))?"
    pattern = rf"^[\s\x{{a0}}]*([+-]?){money}[\s\x{{a0}}]*([+-]?){whole}{fraction}[\s\x{{a0}}]*{money}[\s\x{{a0}}]*$"
    part = [F.regexp_extract(text, pattern, group) for group in range(5)]
    digits = F.regexp_replace(part[3], r"\D", "")
    plain = F.concat(part[1], part[2], digits, F.lit("."), part[4], F.lit("0"))
    return F.when(part[3] != "", plain)


def _marks(mark: str | None) -> str:
    return _SAME_MARKS.get(mark, mark) if mark else ""
