"""The SQL of users' own tables: one SELECT over named tables with functions that are allowed, and nothing else.

A list of what is forbidden would not be enough: `reflect` alone calls any method of Java. So the statement is parsed,
and every part of it must be known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

FUNCTIONS = frozenset((
    "abs", "add_months", "any_value", "approx_distinct", "approx_quantile", "avg", "case", "cast", "ceil",
    "coalesce", "concat", "concat_ws", "count", "count_if", "date", "date_add", "date_diff", "date_sub",
    "date_trunc", "datediff", "day", "day_of_month", "day_of_week", "day_of_year", "dense_rank", "exists",
    "exp", "extract", "first", "first_value", "floor", "greatest", "if", "initcap", "lag", "last",
    "last_value", "lead", "least", "length", "ln", "log", "lower", "lpad", "ltrim", "max", "max_by",
    "median", "min", "min_by", "month", "months_between", "ntile", "nullif", "nvl", "percentile",
    "percentile_approx", "power", "quantile", "quarter", "rank", "regexp_like", "replace", "round",
    "row_number", "rpad", "rtrim", "sign", "sqrt", "stddev", "stddev_pop", "stddev_samp", "str_position",
    "substring", "sum", "time_to_str", "timestamp_trunc", "to_date", "trim", "trunc", "try_cast",
    "ts_or_ds_add", "ts_or_ds_diff", "ts_or_ds_to_date", "upper", "variance", "variance_pop", "week",
    "week_of_year", "year",
))  # fmt: skip
"""Functions that a statement may call, by the names that sqlglot knows them by."""

_NAME = re.compile(r"[a-z_]+\.[a-z_0-9]+")
# Parts of a statement that are known; whatever else a SELECT may hold, as TRANSFORM that starts a program, is refused.
_PARTS = (
    exp.Select, exp.SetOperation, exp.Subquery, exp.With, exp.CTE, exp.From, exp.Join, exp.Where, exp.Group,
    exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Distinct, exp.Alias, exp.TableAlias, exp.Table, exp.Column,
    exp.Identifier, exp.Star, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Tuple, exp.Binary, exp.Unary,
    exp.Between, exp.In, exp.Case, exp.DataType, exp.DataTypeParam, exp.Interval, exp.Var, exp.Window,
    exp.WindowSpec, exp.Filter, exp.Placeholder, exp.Func,
)  # fmt: skip


def find_faults(statement: str) -> Iterator[str]:
    """Why a statement is not allowed, a sentence each; none: it is one SELECT over tables by schema and name."""
    parsed = _parse(statement)
    if isinstance(parsed, str):
        yield parsed
        return
    if not any(table.db for table in parsed.find_all(exp.Table)):
        yield "it reads no table; write schema.table, e.g. history.order"
    for node in parsed.walk():
        if not isinstance(node, _PARTS):
            yield f"{node.key.upper()} is not allowed in the SELECT of a table"
        elif isinstance(node, exp.Table):
            yield from _refuse_table(node, parsed)
        elif isinstance(node, exp.Func) and not isinstance(node, exp.Connector):
            yield from _refuse_function(node)
        elif isinstance(node, exp.Placeholder) and node.name != "as_of":
            yield f":{node.name or '?'} is not known; a statement may use :as_of alone"


def tables_of(statement: str) -> list[str]:
    """The tables that an allowed statement names, by their first mention."""
    parsed = sqlglot.parse_one(statement, read="spark")
    names = [f"{t.db}.{t.name}" for t in parsed.find_all(exp.Table) if t.db]
    return list(dict.fromkeys(names))


def with_views(statement: str, views: Mapping[str, str], *, as_of: date) -> str:
    """An allowed statement over views in place of its tables, with the day in place of ``:as_of``."""
    parsed = sqlglot.parse_one(statement, read="spark")
    for placeholder in [*parsed.find_all(exp.Placeholder)]:
        placeholder.replace(exp.cast(exp.Literal.string(as_of.isoformat()), "date"))
    for table in [*parsed.find_all(exp.Table)]:
        if table.db:
            view = exp.to_table(views[f"{table.db}.{table.name}"])
            table.replace(exp.alias_(view, table.alias or table.name, table=True))
    return parsed.sql(dialect="spark")


def _parse(statement: str) -> exp.Query | str:
    try:
        found = [one for one in sqlglot.parse(statement, read="spark") if one is not None]
    except (ParseError, TokenError) as error:
        place = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
        at = f"line {place['line']}, column {place['col']}: " if "line" in place else ""
        return f"{at}the SQL cannot be read; write one SELECT as Spark has it"
    if len(found) != 1:
        return f"there are {len(found)} statements; write one SELECT"
    if not isinstance(found[0], exp.Query):
        return f"{found[0].key.upper()} is not allowed; write one SELECT"
    return found[0]


def _refuse_table(table: exp.Table, parsed: exp.Query) -> Iterator[str]:
    ctes = {cte.alias for cte in parsed.find_all(exp.CTE)}
    name = ".".join(part.name for part in table.parts)
    plain = isinstance(table.this, exp.Identifier)
    if plain and not table.db and not table.catalog and name in ctes:
        return
    if not plain or table.catalog or not _NAME.fullmatch(name):
        shown = name if plain else table.sql(dialect="spark")[:60]
        yield f"{shown!r} is no table; write schema.table, e.g. history.order"


def _refuse_function(node: exp.Func) -> Iterator[str]:
    name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
    if name not in FUNCTIONS:
        yield f"the function {name!r} is not allowed. Allowed: {', '.join(sorted(FUNCTIONS))}"
