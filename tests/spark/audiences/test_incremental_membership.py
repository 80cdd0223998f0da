"""A second evaluation of a date looks at those whom a change can reach, and comes to what a full one comes to."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from support import rule_interpreter
from support.audience_lake import evaluate, write_persons
from support.random_rules import TODAY, draw_definitions, draw_person
from support.rule_evidence import deal_buckets

from clvspark.audiences import save_audience, stage
from clvspark.audiences.change import describe_states, find_moved
from clvspark.audiences.compile.names import metric_column
from clvspark.audiences.rules import Decile, Event, Value
from clvspark.lakehouse import Lakehouse

TABLES = ("membership", "membership_event", "estimate", "overlap", "state", "decile")


def contents(lake: Lakehouse) -> dict[str, list[Any]]:
    """Rows of the tables; sums of values to the millionth, as they are added up in another order."""
    found = {}
    for name in TABLES:
        rows = lake.table(f"audiences.{name}")
        for column, kind in rows.dtypes:
            if kind == "double":
                rows = rows.withColumn(column, F.round(column, 6))
        found[name] = sorted(map(str, rows.collect()))
    return found


def change(random: Random, person: dict[str, Any]) -> dict[str, Any]:
    """Something else about the person: events, value, consent, or all of it."""
    fresh = draw_person(random, person["person_id"])
    what = random.choice(
        [("events",), ("values",), ("consent",), ("answers",), ("city",), tuple(fresh)]
    )
    kept = {name: fresh[name] for name in what if name not in {"member_of", "saved", "deciles"}}
    return {**copy.deepcopy(person), **kept}


@pytest.mark.slow
def test_renewed_members_are_those_of_a_full_evaluation(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of so few persons a change reaches more than a tenth.
    monkeypatch.setattr(stage, "RENEWED_SHARE", 0.2)
    random = Random(20260301)
    persons = [draw_person(random, f"p{n}") for n in range(60)]
    deal_buckets(lake.spark, persons)
    # Deciles are ranked by the stage itself, and there is no day before.
    definitions = [d for d in draw_definitions(random, 40) if "saved" not in str(d)]
    known = {d["id"] for d in definitions}
    definitions = [d for d in definitions if set(_named(d)) <= known]
    write_persons(lake, persons)
    evaluate(lake, definitions)
    changed = random.sample(range(60), 6)
    for n in changed:
        persons[n] = change(random, persons[n]) | {"buckets": persons[n]["buckets"]}
    write_persons(lake, [persons[n] for n in changed])
    report = evaluate(lake, definitions)
    assert 1 <= report.metrics["persons_reached"] <= 12, "and no full evaluation"
    renewed = contents(lake)
    full = evaluate(lake, definitions, force=True)
    assert "persons_reached" not in full.metrics
    assert renewed == contents(lake)
    _compare_with_interpreter(lake, definitions, persons)


def _named(rule: Any) -> list[str]:
    if isinstance(rule, dict):
        own = [rule["audience"]["id"]] if "audience" in rule else []
        return own + [name for part in rule.values() for name in _named(part)]
    return [name for part in rule for name in _named(part)] if isinstance(rule, list) else []


def _compare_with_interpreter(
    lake: Lakehouse, definitions: list[dict[str, Any]], persons: list[dict[str, Any]]
) -> None:
    ranks: dict[str, dict[str, int]] = {}
    for row in lake.table("audiences.decile").collect():
        ranks.setdefault(row["person_id"], {})[row["metric"]] = row["decile"]
    for person in persons:
        person["member_of"], person["deciles"] = set(), ranks.get(person["person_id"], {})
    by_id = {d["id"]: d for d in definitions}
    rows = lake.table("audiences.membership").where("status = 'realized'").collect()
    assert {(row["audience_id"], row["person_id"]) for row in rows} == {
        (d["id"], p["person_id"])
        for d in definitions
        for p in persons
        if rule_interpreter.is_member(d, p, TODAY, by_id)
    }


@pytest.mark.slow
def test_a_new_list_is_evaluated_for_everybody(lake: Lakehouse) -> None:
    random = Random(1)
    write_persons(lake, [draw_person(random, f"p{n}") for n in range(10)])
    staged = [{"id": "a", "name": "a", "include": {"stage": {"any_of": ["core", "new", "lapsed"]}}}]
    evaluate(lake, staged)
    save_audience(lake, "few", lake.table("identity.person").where("person_id < 'p4'"))
    report = evaluate(lake, staged)
    assert report.metrics["persons_reached"] == 10
    assert {r["person_id"] for r in lake.table("audiences.membership").where("audience_id = 'few'").collect()} == {
        "p0", "p1", "p2", "p3"
    }  # fmt: skip


def test_who_crosses_no_bound_that_is_asked_for_has_not_moved(spark: SparkSession) -> None:
    conditions = [
        Decile(metric="revenue_all", at_most=5),
        Value(name="p_alive", at_least=0.5),
        Event(type="order", at_least=1),
    ]
    were = {"a": (6, 0.9), "b": (5, 0.9), "c": (6, 0.6), "d": (None, 0.1), "gone": (1, 0.9)}
    are = {"a": (7, 0.6), "b": (6, 0.9), "c": (6, 0.4), "d": (10, None), "new": (1, 0.9)}

    def states(known: dict[str, tuple[int | None, float | None]]) -> DataFrame:
        columns = "person_id string, metric_revenue_all int, p_alive double, member_of array<string>, clv double"
        reach = "reach_email boolean, reach_sms boolean, reach_push boolean"
        rows = [(name, *told, None, 1.0, True, True, True) for name, told in known.items()]
        standings = spark.createDataFrame(rows, f"{columns}, {reach}")
        standings = standings.withColumnRenamed("metric_revenue_all", metric_column("revenue_all"))
        return describe_states(standings, conditions, as_of=TODAY)

    moved = {row["person_id"] for row in find_moved(states(are), states(were)).collect()}
    assert moved == {"b", "c", "gone", "new"}
