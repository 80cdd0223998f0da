"""Configuration of the sources: one YAML file for each system, no code."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import cache
from typing import Literal
from zoneinfo import available_timezones

from pydantic import Field, field_validator, model_validator

from clvspark.lakehouse.strict_model import StrictModel, check, repeated
from clvspark.lakehouse.table import Column
from clvspark.sources.constants import faults_of_constants, faults_of_pattern, is_numeric
from clvspark.sources.tables import MADE, TARGETS

# Listing them reads folders, and every field of every mapping has a zone.
_zone_names = cache(available_timezones)
CORRUPT = "_corrupt_record"
# Columns that ingest puts beside those of a landing file.
INCLUDES_TAX = "prices_include_tax"
_OF_INGEST = {"_file", "_raw", "_malformed", "_unknown", "_metadata", CORRUPT}
Encoding = Literal[
    "UTF-8",
    "UTF-16",
    "ISO-8859-1",
    "ISO-8859-2",
    "ISO-8859-15",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "windows-1257",
    "Shift_JIS",
    "GB18030",
    "Big5",
    "EUC-KR",
]
Transform = Literal["trim", "lower", "upper", "digits", "sha256"]


class NumberFormat(StrictModel):
    """How a system writes numbers as text; a text that is not written so cannot be read, it is never guessed."""

    decimal: Literal[".", ","] = Field(
        ".", description="what parts the whole number from its fraction"
    )
    thousands: Literal[".", ",", " ", "'"] | None = Field(
        None,
        description="what parts groups of three digits; it may be left out of a number, not misplaced",
    )
    currency: list[str] = Field(
        [],
        description="spellings of the lakehouse's currency that may stand before or behind the number, e.g. [$, USD]",
    )

    @check
    def _marks_differ(self) -> Iterator[str]:
        if self.decimal == self.thousands:
            yield f"'decimal' and 'thousands' are both {self.decimal!r}; a number needs two different marks"

    @check
    def _currency_is_no_number(self) -> Iterator[str]:
        wrong = [
            sign for sign in self.currency if not sign.strip() or set(sign) & set("0123456789+-.,")
        ]
        if wrong:
            yield (
                f"'currency' has {', '.join(map(repr, wrong))}; allowed are signs and codes without digits, "
                "'+', '-', '.' and ','"
            )


class FieldRule(StrictModel):
    """How one column of the target is made: from a landing column, several joined, or a constant.

    Steps are applied in this order: `from`/`join`, `transforms`, `map`, `prefix`, then the cast to the target's
    type (numbers by `number`, dates and instants by `formats` and `timezone`). A `value` takes no step. A `join`
    leaves out what is missing; an id or a required column is missing as a whole then.
    """

    from_: str | None = Field(
        None, alias="from", description="landing column; a dot reaches into nested fields"
    )
    join: list[str] | None = Field(None, min_length=2)
    separator: str = ":"
    value: str | int | None = None
    transforms: list[Transform] = Field(default_factory=list)
    map: dict[str, str] | None = None
    prefix: str = ""
    number: NumberFormat | None = None
    formats: list[str] | None = None
    timezone: str = Field(
        "UTC",
        description="zone of times that name none; of a date column, the zone in which an instant has its day. A date "
        "without a zone is the day as it is written",
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in _zone_names() and not re.fullmatch(r"[+-]\d{2}:\d{2}", name):
            close = difflib.get_close_matches(name, sorted(_zone_names()), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else "."
            raise ValueError(f"is no time zone{hint} Give a name such as Europe/Berlin, or +01:00")
        return name

    @field_validator("formats")
    @classmethod
    def _readable_formats(cls, patterns: list[str] | None) -> list[str] | None:
        faults = [fault for pattern in patterns or [] for fault in faults_of_pattern(pattern)]
        if faults:
            raise ValueError("; ".join(faults))
        return patterns

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, rule: object) -> object:
        return {"from": rule} if isinstance(rule, str) else rule

    @check
    def _one_origin(self) -> Iterator[str]:
        if sum(origin is not None for origin in (self.from_, self.join, self.value)) != 1:
            yield "set exactly one of 'from', 'join', 'value'"

    @check
    def _constants_take_no_step(self) -> Iterator[str]:
        if self.value is not None and (self.transforms or self.map or self.prefix or self.number):
            yield (
                "'value' is taken as it is; remove 'transforms', 'map', 'prefix' and 'number', "
                "or read a landing column with 'from'"
            )

    @property
    def is_plain(self) -> bool:
        """Whether the landing column is taken as it is, but for the cast."""
        return self.from_ is not None and not (self.transforms or self.map or self.prefix)

    @property
    def columns(self) -> list[str]:
        """Landing columns that the rule reads."""
        return [self.from_] if self.from_ else list(self.join or [])


class Output(StrictModel):
    """What the rows of a landing file become."""

    to: str
    fields: dict[str, FieldRule]
    attributes: list[str] = Field([], description="landing columns kept in the map `attributes`")
    derived: bool = Field(
        False,
        description="rows repeat a key by nature; the newest of each key is kept, of several the fullest",
    )
    if_filled: str | None = Field(
        None,
        description="landing column of a derived output; a row that has nothing there makes none, e.g. no refusal "
        "where unsubscribed_at is empty; for a flag, where 0 or false is something as well, use a map",
    )
    prices_include_tax: bool | FieldRule = Field(
        False,
        description="whether gross_revenue, discount and net_revenue of events are written with tax, which is taken "
        "out of them by the line's 'tax'; true, false, or a landing column that says so of each row",
    )

    @field_validator("to")
    @classmethod
    def _is_a_target(cls, to: str) -> str:
        if to not in TARGETS:
            raise ValueError(f"must be one of {', '.join(TARGETS)}")
        return to

    @check
    def _columns_of_the_target(self) -> Iterator[str]:
        table = TARGETS[self.to]
        if unknown := sorted(set(self.fields) - set(table.names)):
            yield f"{self.to} has no column {', '.join(unknown)}; it has {', '.join(table.names)}"
        if absent := sorted(set(table.required) - set(self.fields) - {"source_system"}):
            yield f"{self.to} requires {', '.join(absent)}; map them under 'fields'"

    @check
    def _columns_that_are_read(self) -> Iterator[str]:
        for name, instead in MADE.get(self.to, {}).items():
            if name in self.fields:
                yield f"{name} of {self.to} is made by ingest; {instead}"

    @check
    def _currencies_of_rows_that_land(self) -> Iterator[str]:
        if self.derived and self.to == "event" and "currency" in self.fields:
            yield "amounts of a derived event are not converted; map its 'currency' in an output that is not derived"

    @check
    def _taxes_of_prices(self) -> Iterator[str]:
        rule = self.prices_include_tax
        if rule is False:
            return
        if self.to != "event":
            yield f"'{INCLUDES_TAX}' is for prices of events; remove it"
        elif "tax" not in self.fields or not self.fields.keys() & {"gross_revenue", "net_revenue"}:
            yield (
                f"'{INCLUDES_TAX}' needs the tax of each line, which is taken out; map 'tax', and 'gross_revenue' or "
                "'net_revenue', under 'fields'"
            )
        if isinstance(rule, FieldRule):
            made = {*(rule.map or {}).values(), *([str(rule.value)] if rule.value else [])}
            if wrong := sorted(made - {"true", "false"}):
                yield f"{INCLUDES_TAX}: {', '.join(map(repr, wrong))} is not allowed; allowed are 'true', 'false'"

    @check
    def _rows_that_may_make_none(self) -> Iterator[str]:
        if self.if_filled and not self.derived:
            yield "'if_filled' goes with 'derived: true'; every row of another output is kept or in quarantine"

    @check
    def _values_that_columns_take(self) -> Iterator[str]:
        table = TARGETS[self.to]
        for name in self.fields.keys() & set(table.names):
            yield from _faults_of_rule(table.column(name), self.fields[name])

    @property
    def columns(self) -> set[str]:
        """Landing columns that the output reads."""
        read = {column for rule in self.fields.values() for column in rule.columns}
        if isinstance(self.prices_include_tax, FieldRule):
            read |= set(self.prices_include_tax.columns)
        return read | set(self.attributes) | ({self.if_filled} if self.if_filled else set())


def _faults_of_rule(column: Column, rule: FieldRule) -> list[str]:
    """What a rule says that the column can never take."""
    if rule.formats:  # what they read is not known here
        return []
    if rule.value is not None:
        return faults_of_constants(column, {"value": str(rule.value)})
    if rule.number and not is_numeric(column):
        return [
            f"fields.{column.name}.number: the column is {column.type}, not a number; remove it"
        ]
    made = {f"map.{key}": rule.prefix + value for key, value in (rule.map or {}).items()}
    return faults_of_constants(column, made)


class LandingFile(StrictModel):
    """One kind of file that a system drops."""

    path: str = Field(description="glob below the landing folder")
    format: Literal["csv", "jsonl", "parquet", "delta"]
    delimiter: str = Field(",", min_length=1, max_length=1)
    encoding: Encoding = Field(
        "UTF-8", description="of CSV; the other formats have one of their own"
    )
    multiline: bool = False
    ignore: list[str] = Field([], description="columns known to be there and not used")
    unknown_columns: Literal["report", "quarantine"] = "report"
    outputs: list[Output] = Field(min_length=1)

    @field_validator("path")
    @classmethod
    def _stays_below(cls, path: str) -> str:
        if path.startswith("/") or ".." in path.split("/") or ":" in path:
            raise ValueError("must be a path below the landing folder, without '..' or a scheme")
        return path

    @check
    def _encodings_of_csv(self) -> Iterator[str]:
        if self.encoding != "UTF-8" and self.format != "csv":
            yield f"'encoding' is for csv; {self.format} has one of its own, remove it"

    @check
    def _leaves_names_of_ingest(self) -> Iterator[str]:
        taken = sorted(_OF_INGEST & {name.lower() for name in self.columns})
        if taken:
            yield (
                f"reads columns named {', '.join(taken)}, which ingest keeps its own notes in; "
                "rename them in the file"
            )

    @property
    def columns(self) -> list[str]:
        """Landing columns that the outputs read."""
        return sorted(set().union(*(output.columns for output in self.outputs)))


class SourceSystem(StrictModel):
    """One system and the files it drops."""

    system: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str = ""
    files: list[LandingFile] = Field(min_length=1)


class SourcesConfig(StrictModel):
    """Landing folder and the systems that drop files there."""

    landing: str = Field(
        description="folder; 'package:NAME/FOLDER' reads data that an installed package carries"
    )
    systems: list[SourceSystem] = Field(min_length=1)
    removed_files: Literal["refuse", "accept"] = Field(
        "refuse",
        description="whether ingest goes on where files are gone that it has read before, and loses what they said",
    )

    @check
    def _each_system_once(self) -> Iterator[str]:
        if twice := repeated(system.system for system in self.systems):
            yield f"system {', '.join(twice)} is declared more than once"
