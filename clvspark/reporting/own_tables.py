"""Users' own dimensions and facts: one YAML each, made by a SELECT or by a function of theirs."""

from __future__ import annotations

import importlib
import re
import uuid
from collections.abc import Callable, Collection, Iterator
from datetime import date
from typing import Literal

from pydantic import Field
from pyspark.sql import DataFrame

from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.strict_model import StrictModel, check, repeated
from clvspark.lakehouse.table import Column, Table
from clvspark.reporting import own_sql
from clvspark.reporting.datasets import AS_OF, DATASETS, ROOM

_PLAIN = re.compile(r"[\w .-]+")
Read = Callable[[str], DataFrame]
_TYPES = Literal[
    "string", "int", "bigint", "double", "boolean", "date", "timestamp", "decimal(18,2)"
]


class OwnColumn(StrictModel):
    """One column of the contract of an own table."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    type: _TYPES
    key: bool = False
    required: bool = False
    allowed: list[str] = Field([], description="the only values of a text")
    at_least: float | None = Field(None, description="of a number")
    unit: str | None = None
    comment: str = ""
    references: str | None = Field(
        None, description="dimension that the values are keys of, e.g. dim_audience"
    )

    @property
    def contract(self) -> Column:
        """The same as tables have it."""
        return Column(
            self.name,
            self.type,
            self.comment,
            key=self.key,
            required=self.required,
            check=None if self.at_least is None else f"{self.name} >= {self.at_least!r}",
            unit=self.unit,
            references=f"{ROOM}{self.references}" if self.references else None,
            allowed=tuple(self.allowed),
        )

    @check
    def _plain_values(self) -> Iterator[str]:
        if self.allowed and self.type != "string":
            yield "'allowed' goes with the type string"
        if self.at_least is not None and self.type in ("string", "boolean", "date", "timestamp"):
            yield "'at_least' goes with numbers"
        if any(not _PLAIN.fullmatch(value) for value in self.allowed):
            yield "values of 'allowed' are of letters, digits, spaces, points, - and _"

    @check
    def _dimension_of_the_star(self) -> Iterator[str]:
        if self.references and not self.references.startswith("dim_"):
            yield "'references' names a dimension of the star schema, e.g. dim_audience"


class OwnTable(StrictModel):
    """A dimension or a fact beside those delivered."""

    name: str = Field(pattern=r"^(dim|fact)_[a-z][a-z0-9_]{0,58}$")
    comment: str = Field(min_length=1, description="what a row is")
    columns: list[OwnColumn] = Field(min_length=1, max_length=60)
    persons: str | None = Field(
        description="column that counts the persons of a row, so that few are not told; null: none does"
    )
    sql: str | None = Field(None, description="one SELECT; :as_of is the day that is reported")
    function: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="package.module:name of a function (read, as_of) -> DataFrame",
    )
    reads: list[str] = Field([], description="tables that the function reads, e.g. history.order")

    @property
    def contract(self) -> Table:
        """The contract that the rows are held to."""
        columns = tuple(column.contract for column in self.columns)
        return Table(f"{ROOM}{self.name}", self.comment, columns)

    @property
    def sources(self) -> list[str]:
        """Names of the tables that it is made of."""
        return own_sql.tables_of(self.sql) if self.sql else self.reads

    @check
    def _made_in_one_way(self) -> Iterator[str]:
        if (self.sql is None) == (self.function is None):
            yield "a table is made by 'sql' or by 'function', one of them"
        if self.reads and self.function is None:
            yield "'reads' goes with 'function'; a SELECT names its tables itself"

    @check
    def _columns_that_agree(self) -> Iterator[str]:
        names = [column.name for column in self.columns]
        for twice in repeated(names):
            yield f"the column {twice!r} stands twice"
        if not any(column.key for column in self.columns):
            yield "at least one column needs 'key: true': what tells the rows apart"
        if self.persons is not None and self.persons not in names:
            yield f"'persons' names no column; it has {', '.join(names)}"
        if self.name.startswith("fact_") and AS_OF not in names:
            yield f"a fact needs the column {AS_OF}, of type date and part of the key, so that every date is kept"

    @check
    def _statement_that_is_allowed(self) -> Iterator[str]:
        if self.sql is not None:
            yield from (f"'sql': {fault}" for fault in own_sql.find_faults(self.sql))

    @check
    def _another_name(self) -> Iterator[str]:
        if self.name in DATASETS:
            yield f"{self.name} is a table that clvspark makes; take another name"

    def unknown_sources(self, tables: Collection[str]) -> Iterator[str]:
        """A sentence for each table that it is made of and that is none of the lakehouse."""
        for name in self.sources:
            if name not in tables:
                yield f"{self.name}: {name!r} is no table of the lakehouse. Allowed: {', '.join(sorted(tables))}"


def build_own_table(own: OwnTable, read: Read, *, as_of: date) -> DataFrame:
    """The rows of an own table, cast to its contract.

    In: `read` gives a table by name, without the columns that hold personal data. Out: the columns of the contract;
    ConfigError where one is missing.
    """
    made = _select(own, read, as_of) if own.sql else _call(own, read, as_of)
    contract = own.contract
    missing = [name for name in contract.names if name not in made.columns]
    if missing:
        raise ConfigError(
            "reporting.own_tables",
            [
                f"{own.name} has no column {', '.join(missing)}; its rows have {', '.join(made.columns)}"
            ],
        )
    cast = [made[column.name].cast(column.type).alias(column.name) for column in contract.columns]
    return made.select(*cast)


def _select(own: OwnTable, read: Read, as_of: date) -> DataFrame:
    frames = {name: read(name) for name in own.sources}
    views = {name: f"own_{uuid.uuid4().hex}" for name in frames}
    for name, df in frames.items():
        df.createOrReplaceTempView(views[name])
    spark = next(iter(frames.values())).sparkSession
    try:
        return spark.sql(own_sql.with_views(own.sql or "", views, as_of=as_of))
    finally:
        for view in views.values():
            spark.catalog.dropTempView(view)


def _call(own: OwnTable, read: Read, as_of: date) -> DataFrame:
    module, _, name = (own.function or "").partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            "reporting.own_tables",
            [
                f"{own.name}: {own.function} cannot be imported ({type(error).__name__}); put it on PYTHONPATH"
            ],
        ) from None

    def read_declared(table: str) -> DataFrame:
        if table not in own.reads:
            raise ConfigError(
                "reporting.own_tables",
                [
                    f"{own.name}: {own.function} reads {table}; add it to 'reads', so that a change of it is seen"
                ],
            )
        return read(table)

    found: DataFrame = function(read_declared, as_of)
    return found
