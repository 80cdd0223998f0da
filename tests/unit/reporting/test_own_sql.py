"""The SQL of users' own tables: one SELECT of known parts, and nothing that could do harm."""

from __future__ import annotations

from datetime import date

import pytest

from clvspark.reporting.own_sql import find_faults, tables_of, with_views
from clvspark.reporting.own_tables import OwnTable

CITIES = """
SELECT :as_of AS as_of_date, channel, count(DISTINCT person_id) AS persons
FROM history.order o
WHERE to_date(ordered_at) < :as_of AND channel LIKE 'w%'
GROUP BY channel
"""


@pytest.mark.parametrize(
    "statement",
    [
        CITIES,
        "WITH a AS (SELECT * FROM history.order) SELECT year(d) y, count(*) n FROM a GROUP BY 1",
        "SELECT * FROM history.order UNION ALL SELECT * FROM history.order",
        "SELECT CASE WHEN a > 1 AND NOT b THEN 1 ELSE 2 END, CAST(x AS int), a IN (1, 2), x % 2 FROM clv.model",
        "SELECT sum(v) OVER (PARTITION BY p ORDER BY d) s, coalesce(a, 0), date_trunc('MONTH', d) FROM clv.model",
    ],
)
def test_a_select_over_tables_is_allowed(statement: str) -> None:
    assert list(find_faults(statement)) == []


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "SELECT reflect('java.lang.System', 'exit') FROM history.order",
            "the function 'reflect' is not",
        ),
        (
            "SELECT java_method('a', 'b') FROM history.order",
            "the function 'java_method' is not allowed",
        ),
        ("SELECT transform(a) USING 'rm' FROM history.order", "QUERYTRANSFORM is not allowed"),
        (
            "SELECT input_file_name() FROM history.order",
            "the function 'input_file_name' is not allowed",
        ),
        ("SELECT current_user() FROM history.order", "is not allowed"),
        ("SELECT * FROM parquet.`/etc/passwd`", "is no table"),
        ("SELECT * FROM delta.`s3://x/y`", "is no table"),
        ("SELECT * FROM other.history.order", "is no table"),
        ("SELECT * FROM range(10)", "the function 'range' is not allowed"),
        ("SELECT * FROM history.order LATERAL VIEW explode(a) t AS c", "LATERAL is not allowed"),
        ("DROP TABLE history.order", "DROP is not allowed"),
        ("INSERT INTO history.order SELECT 1", "INSERT is not allowed"),
        ("SELECT 1 FROM history.order; SELECT 2 FROM history.order", "there are 2 statements"),
        ("SELECT 1", "it reads no table"),
        ("SELECT :password FROM history.order", ":password is not known"),
        ("SELECT (", "line 1, column 8: the SQL cannot be read"),
        ("", "there are 0 statements"),
    ],
)
def test_anything_else_is_refused_with_the_reason(statement: str, told: str) -> None:
    assert told in " ".join(find_faults(statement))


def test_tables_become_views_and_the_day_a_literal() -> None:
    assert tables_of(CITIES) == ["history.order"]
    statement = (
        "SELECT o.a, `order`.b FROM history.order o JOIN history.order USING (a) WHERE a < :as_of"
    )
    assert with_views(statement, {"history.order": "v"}, as_of=date(2026, 4, 1)) == (
        "SELECT o.a, `order`.b FROM v AS o JOIN v AS order USING (a) WHERE a < CAST('2026-04-01' AS DATE)"
    )


def own(**changes: object) -> OwnTable:
    """An own fact, with changes."""
    columns = [
        {"name": "as_of_date", "type": "date", "key": True},
        {"name": "channel", "type": "string", "key": True},
        {"name": "persons", "type": "bigint", "at_least": 0},
    ]
    given = {
        "name": "fact_web",
        "comment": "Web.",
        "columns": columns,
        "persons": "persons",
        "sql": CITIES,
    }
    return OwnTable.model_validate({**given, **changes})


def test_an_own_table_has_a_contract_like_the_others() -> None:
    contract = own().contract
    assert (contract.name, contract.key) == ("reporting.fact_web", ["as_of_date", "channel"])
    assert contract.predicates == {"persons": "persons >= 0.0"}
    assert own().sources == ["history.order"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "web"}, "name"),
        ({"name": "fact_profile"}, "a table that clvspark makes"),
        ({"sql": None}, "made by 'sql' or by 'function'"),
        ({"function": "a:b"}, "made by 'sql' or by 'function'"),
        ({"persons": "people"}, "'persons' names no column"),
        (
            {"columns": [{"name": "persons", "type": "bigint"}]},
            "at least one column needs 'key: true'",
        ),
        ({"sql": "SELECT reflect(1) FROM history.order"}, "'sql': the function 'reflect'"),
        ({"sql": None, "function": "os.system"}, "function"),
    ],
)
def test_an_own_table_that_is_wrong_says_why(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        own(**changes)


def test_a_source_that_is_no_table_is_named() -> None:
    (fault,) = own().unknown_sources({"clv.model"})
    assert fault == "fact_web: 'history.order' is no table of the lakehouse. Allowed: clv.model"
