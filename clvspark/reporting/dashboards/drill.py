"""The queries that widgets show to whoever may read the lakehouse: Python or SQL over tables and columns that are."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from clvspark.lakehouse.table import Table
from clvspark.reporting.dashboards.parts import PLACEHOLDERS
from clvspark.reporting.datasets import did_you_mean

_SAMPLE = {**dict.fromkeys(PLACEHOLDERS, "1"), "as_of": "2026-04-01"}
_HOW = 'write lake.table("schema.table") and what narrows it, or a SELECT over schema.table'
# Methods of a data frame whose texts are expressions over its columns, and those whose texts name new columns.
_ASKING = {"where", "filter", "select", "selectExpr", "groupBy", "orderBy", "sort"}
_NAMING = {"alias", "withColumn", "withColumnRenamed", "toDF"}


@dataclass
class _Named:
    """What a query names, in small letters but for the tables: of columns those that it asks for and that it makes."""

    tables: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    made: set[str] = field(default_factory=set)

    def read(self, sql: str) -> Self:
        """Add what a statement or an expression names."""
        part = sqlglot.parse_one(sql, read="spark")
        sources = list(part.find_all(exp.Table))
        ctes = {cte.alias_or_name for cte in part.find_all(exp.CTE)}
        self.tables += [
            f"{t.db}.{t.name}" if t.db else t.name for t in sources if t.db or t.name not in ctes
        ]
        aliases = {table.alias_or_name for table in sources}
        self.made |= {alias.alias.lower() for alias in part.find_all(exp.Alias)}
        self.made |= {
            one.name.lower() for alias in part.find_all(exp.TableAlias) for one in alias.columns
        }
        # Before the point may also stand a column that has parts.
        self.asked += [
            column.name.lower()
            for column in part.find_all(exp.Column)
            if not column.table or column.table in aliases
        ]
        return self


def find_drill_faults(drill: str, tables: Mapping[str, Table]) -> Iterator[str]:
    """Why a query finds nothing: it cannot be read, or names a table or column that is not there."""
    try:
        query = drill.format(**_SAMPLE).strip()
    except (LookupError, AttributeError, ValueError):  # of its placeholders another check tells
        return
    try:
        named = _Named().read(query) if _is_sql(query) else _read_python(query)
    except (SyntaxError, ParseError, TokenError, ValueError):
        yield f"the query cannot be read; {_HOW}"
        return
    if not named.tables:
        yield f"the query names no table; {_HOW}"
    unknown = [name for name in dict.fromkeys(named.tables) if name not in tables]
    for name in unknown:
        hint = did_you_mean(name, tables)
        yield f"there is no table {name!r}.{hint} Allowed: {', '.join(sorted(tables))}"
    if not unknown:
        columns = list(dict.fromkeys(c for name in named.tables for c in tables[name].names))
        for name in dict.fromkeys(named.asked):
            if name not in {*columns} | named.made:
                hint = did_you_mean(name, columns)
                yield f"{', '.join(named.tables)} has no column {name!r}.{hint} Columns: {', '.join(columns)}"


def _is_sql(query: str) -> bool:
    return query.lower().startswith(("select", "with ", "with\n"))


def _read_python(query: str) -> _Named:
    named = _Named()
    for node in ast.walk(ast.parse(query)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        texts = [
            a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
        ]
        if node.func.attr == "table":
            named.tables += texts
        elif node.func.attr in _NAMING:
            named.made |= {text.lower() for text in texts}
        elif node.func.attr in _ASKING:
            for text in texts:
                named.read(text)
    return named
