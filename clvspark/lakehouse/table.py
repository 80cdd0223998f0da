"""The contract of a table: what every read and write is held to, and what the data dictionary is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from clvspark.lakehouse.errors import ContractError

MONEY = "decimal(18,2)"
"""Type of amounts of money, which sum exactly; sums of it are cast back to it."""

# Types of which Delta keeps the least and the greatest value.
_ORDERED = ("string", "int", "bigint", "double", "decimal", "date", "timestamp")
_TIMES = ("date", "timestamp")


@dataclass(frozen=True)
class Column:
    """One column of a contract.

    Parameters
    ----------
    type : Spark DDL type, e.g. ``decimal(18,2)``.
    key : part of the primary key; a key column is never NULL.
    required : may not be NULL.
    check : SQL predicate that every non-NULL value must satisfy.
    allowed : the only values of a text; the check follows from them.
    identifier : its values tell things apart, so that a part of one is none; keys, references and identifiers of
        persons are without being declared so.
    kept : no part of what a row says; a later version of the row keeps the value of the first one.
    unit, comment, references : for the data dictionary.
    pii : kind of personal data held (``name``, ``email`` ...), or None.
    """

    name: str
    type: str
    comment: str = ""
    key: bool = False
    required: bool = False
    check: str | None = None
    unit: str | None = None
    pii: str | None = None
    references: str | None = None
    allowed: tuple[str, ...] = ()
    identifier: bool = False
    kept: bool = False

    def __post_init__(self) -> None:
        """Let what follows from other properties follow: the check, and that it is an identifier."""
        if self.allowed:
            values = ", ".join(f"'{value}'" for value in self.allowed)
            object.__setattr__(self, "check", f"{self.name} IN ({values})")
        if self.key or self.references or self.pii == "identifier":
            object.__setattr__(self, "identifier", True)


@dataclass(frozen=True, eq=False)
class Table:
    """Contract of one Delta table: `schema.table`, its columns, key and checks.

    Parameters
    ----------
    deletion_vectors : a MERGE writes the rows it changes and leaves the files they were in, so that it costs what
        changed and not what there is. For large tables of which a run changes little.
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    cluster_by: tuple[str, ...] = ()
    change_feed: bool = False
    deletion_vectors: bool = False
    checks: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a contract that contradicts itself."""
        if self.name.count(".") != 1:
            raise ContractError(f"{self.name}: a table is named 'schema.table'")
        if len(set(self.names)) != len(self.names):
            raise ContractError(f"{self.name}: a column is declared twice")
        unknown = set(self.cluster_by) - set(self.names)
        if unknown:
            raise ContractError(f"{self.name}: cluster_by names no column: {sorted(unknown)}")

    @property
    def room(self) -> str:
        """The room, and schema, that owns the table."""
        return self.name.split(".")[0]

    @property
    def names(self) -> list[str]:
        """Column names in the order of the contract."""
        return [column.name for column in self.columns]

    @property
    def key(self) -> list[str]:
        """Names of the primary key's columns."""
        return [column.name for column in self.columns if column.key]

    @property
    def kept(self) -> list[str]:
        """Names of the columns whose first value stays."""
        return [column.name for column in self.columns if column.kept]

    @property
    def said(self) -> list[str]:
        """Names of the columns that make the content of a row: all that are not `kept`."""
        return [column.name for column in self.columns if not column.kept]

    @property
    def required(self) -> list[str]:
        """Names of the columns that may not be NULL, keys included."""
        return [column.name for column in self.columns if column.key or column.required]

    @property
    def properties(self) -> dict[str, str]:
        """Delta properties that the table is created with."""
        wanted = {
            "delta.enableChangeDataFeed": self.change_feed,
            "delta.enableDeletionVectors": self.deletion_vectors,
        }
        found = {name: "true" for name, is_on in wanted.items() if is_on}
        return {**found, "delta.dataSkippingStatsColumns": ",".join(self._looked_up)}

    @property
    def _looked_up(self) -> list[str]:
        """Names of the columns by which rows are looked up, so that files without them are skipped.

        Delta's log keeps their least and greatest value in each file; of personal data it keeps none, as no erasure
        reaches the log.
        """
        return [
            column.name
            for column in self.columns
            if column.type.startswith(_ORDERED)
            and not column.pii
            and (column.key or column.name in self.cluster_by or column.type in _TIMES)
        ]

    @property
    def predicates(self) -> dict[str, str]:
        """All row checks by name: SQL predicates that a row must not make false."""
        of_columns = {column.name: column.check for column in self.columns if column.check}
        return {**of_columns, **self.checks}

    @cached_property
    def schema(self) -> StructType:
        """Spark schema; needs an active session to parse the types."""
        ddl = ", ".join(f"`{column.name}` {column.type}" for column in self.columns)
        parsed = cast("StructType", StructType.fromDDL(ddl))
        return StructType(
            [
                StructField(spark.name, spark.dataType, True, {"comment": ours.comment})
                for spark, ours in zip(parsed.fields, self.columns, strict=True)
            ]
        )

    @property
    def types(self) -> dict[str, str]:
        """Types by column, as Spark names them: whether an array may hold NULLs is not part of a contract."""
        return {field.name: field.dataType.simpleString() for field in self.schema.fields}

    def column(self, name: str) -> Column:
        """Return the contract of one column."""
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(f"{self.name} has no column {name!r}; it has {', '.join(self.names)}")

    def refusal(self, faults: list[str]) -> ContractError:
        """The error for a frame that breaks the contract in these ways."""
        return ContractError(
            f"{'; '.join(faults)}. Nothing was written. Next step: mend the rows, or compare the frame with the "
            f"contract of {self.name} in docs/data-dictionary.md."
        )

    def fill(self, df: DataFrame) -> DataFrame:
        """Select the contract's columns in its order; one that the frame lacks is NULL, another one is left out."""
        present = set(df.columns)
        return df.select(
            *(
                F.col(c.name) if c.name in present else F.lit(None).cast(c.type).alias(c.name)
                for c in self.columns
            )
        )

    def conform(self, df: DataFrame) -> DataFrame:
        """Select the contract's columns in its order; a missing, extra or retyped column is an error."""
        actual = {spark.name: spark.dataType.simpleString() for spark in df.schema.fields}
        faults = [f"column {name} is missing" for name in self.names if name not in actual]
        faults += [
            f"column {name} is not in the contract" for name in actual if name not in self.names
        ]
        faults += [
            f"column {name} is {actual[name]}, the contract says {wanted}"
            for name, wanted in self.types.items()
            if actual.get(name, wanted) != wanted
        ]
        if faults:
            raise self.refusal([f"{self.name}: {'; '.join(faults)}"])
        return df.select(
            *(
                F.col(spark.name).alias(spark.name, metadata=spark.metadata)
                for spark in self.schema.fields
            )
        )

    def rows(self, spark: SparkSession, rows: Iterable[Mapping[str, Any]]) -> DataFrame:
        """Build a data frame of this contract from literal rows; a column not given is NULL.

        Values, but those of arrays and maps, may be strings; they are cast to the contract's type. Meant for tests and
        examples.
        """
        nested = {c.name: c.type for c in self.columns if "<" in c.type}
        kinds = ", ".join(f"`{name}` {nested.get(name, 'string')}" for name in self.names)
        data = [
            tuple(
                row.get(n) if n in nested or row.get(n) is None else str(row[n]) for n in self.names
            )
            for row in rows
        ]
        df = spark.createDataFrame(data, kinds)
        return df.select(*(F.col(c.name).cast(c.type).alias(c.name) for c in self.columns))
