"""Every condition of the rule language, on five profiles, and memberships over time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.audiences.config import AudiencesConfig
from clvspark.audiences.evaluate import evaluate_audiences
from clvspark.audiences.membership import list_transitions, update_membership
from clvspark.audiences.profile import Evidence, build_profiles
from clvspark.audiences.rules import AudienceDefinition
from clvspark.audiences.sizes import count_pairs, describe_sizes, sum_members
from clvspark.audiences.tables import (
    DECILE,
    ESTIMATE,
    MEMBERSHIP,
    MEMBERSHIP_EVENT,
    members_on,
    membership_on,
)
from clvspark.clv.tables import CUSTOMER_VALUE, VALUE_CHANGE
from clvspark.history.tables import RELATIONSHIP
from clvspark.identity.tables import PERSON

JANUARY, APRIL, MAY = date(2026, 1, 1), date(2026, 4, 1), date(2026, 5, 1)


def value(
    person: str,
    on: date,
    residual: float,
    stage: str = "core",
    clv: float = 100,
    expected: float | None = None,
    chance: float = 0.5,
) -> dict[str, Any]:
    return {
        "expected_residual_value": expected, "chance_of_so_few": chance,
        "value_to_expected": residual / expected if expected else None,
        "person_id": person, "as_of_date": on, "residual_value": residual, "clv": clv, "p_alive": 0.5,
        "lifecycle_stage": stage, "horizon_days": 364, "model_id": "m",
    }  # fmt: skip


def decile(person: str, metric: str, tenth: int, on: date = APRIL) -> dict[str, Any]:
    return {
        "person_id": person,
        "metric": metric,
        "as_of_date": on,
        "value": 1,
        "rank": 1,
        "decile": tenth,
    }


@pytest.fixture(scope="module")
def profiles(spark: SparkSession) -> DataFrame:
    """Ann is valuable, Bob declines, Cat lapsed, Dan is new, Eve is only a contact."""
    people = [
        ("ann", "York", 3),
        ("bob", "York", 1),
        ("cat", "Leeds", 2),
        ("dan", None, 1),
        ("eve", "Leeds", 1),
    ]
    persons = spark.createDataFrame(
        [
            (
                name,
                name,
                None,
                None,
                f"{name}@example.org",
                None,
                None,
                city,
                None,
                n,
                None,
                None,
                None,
            )
            for name, city, n in people
        ],
        PERSON.schema,
    )
    values = [
        value("ann", APRIL, 50, clv=500, expected=60), value("ann", JANUARY, 50), value("bob", JANUARY, 40),
        value("bob", APRIL, 20, expected=40, chance=0.04),
        value("cat", APRIL, 0, "lapsed", 90), value("dan", APRIL, 5, "new", 10), value("bob", date(2025, 1, 1), 0),
        value("ann", MAY, 1),
    ]  # fmt: skip
    deciles = [decile("ann", "clv", 1), decile("bob", "clv", 2), decile("cat", "clv", 3), decile("dan", "clv", 10),
               decile("bob", "revenue_month_1", 9), decile("cat", "clv", 1, JANUARY)]  # fmt: skip
    consent = [("ann", True, False, False), ("bob", False, True, False), ("cat", True, False, True)]

    def on(*day: int) -> datetime:
        return datetime(*day, tzinfo=UTC)

    surveys = [
        ("ann", "r1", 9, on(2026, 3, 1)),
        ("ann", "r0", 2, on(2026, 2, 1)),
        ("cat", "r2", 3, on(2024, 1, 1)),
        ("bob", "r3", 0, on(2026, 4, 2)),
    ]
    happened = [
        ("ann", "order", on(2026, 3, 31)),
        ("ann", "order", on(2025, 1, 1)),
        ("bob", "order", on(2026, 3, 1)),
        ("cat", "visit", on(2026, 3, 20)),
        ("cat", "order", on(2026, 4, 1)),
    ]
    evidence = Evidence(
        persons=persons,
        values=CUSTOMER_VALUE.rows(spark, values),
        deciles=DECILE.rows(spark, deciles),
        consent=spark.createDataFrame(
            consent,
            "person_id string, consent_email boolean, consent_push boolean, consent_sms boolean",
        ),
        # Somebody who shares Cat's address has refused.
        addresses={
            "email": spark.createDataFrame(
                [("ann@example.org", True), ("bob@example.org", False), ("cat@example.org", False)],
                "entry string, consent_email boolean",
            ),
            "phone": spark.createDataFrame([], "entry string, consent_sms boolean"),
        },
        surveys=spark.createDataFrame(
            surveys, "person_id string, response_id string, score int, answered_at timestamp"
        ),
        happenings=spark.createDataFrame(
            happened, "person_id string, type string, at timestamp"
        ).withColumn("status", F.lit(None).cast("string")),
        relationships=RELATIONSHIP.rows(spark, []),
        changes=VALUE_CHANGE.rows(spark, []),
        groups=spark.createDataFrame([], "name string, person_id string"),
        memberships=spark.createDataFrame(
            [("stays", "ann"), ("stays", "cat"), ("stays", "eve"), ("other", "dan")],
            "audience_id string, person_id string",
        ),
    )
    conditions = [
        condition
        for _, rule, _ in RULES
        for condition in AudienceDefinition(id="a", name="a", include=rule).conditions
    ]
    return build_profiles(evidence, conditions, as_of=APRIL).persist()


def members(profiles: DataFrame, *definitions: dict[str, Any]) -> dict[str, set[str]]:
    config = AudiencesConfig.model_validate({"definitions": list(definitions)})
    found: dict[str, set[str]] = {definition["id"]: set() for definition in definitions}
    for row in evaluate_audiences(profiles, config.in_order, as_of=APRIL).collect():
        found[row["audience_id"]].add(row["person_id"])
    return found


CLV_2 = {"decile": {"metric": "clv", "at_most": 2}}
YORK = {"attribute": {"name": "city", "any_of": ["York"]}}
EMAIL = {"consent": {"channel": "email"}}
RULES: list[tuple[str, dict[str, Any], str]] = [
    ("decile", CLV_2, "ann bob"),
    ("decile_range", {"decile": {"metric": "clv", "at_least": 2, "at_most": 3}}, "bob cat"),
    ("decile_other", {"decile": {"metric": "revenue_month_1", "at_least": 5}}, "bob"),
    ("value", {"value": {"name": "clv", "at_least": 100}}, "ann bob"),
    ("value_range", {"value": {"name": "clv", "at_least": 10, "at_most": 90}}, "cat dan"),
    ("decline", {"value": {"name": "value_to_expected", "at_most": 0.5}}, "bob"),
    ("decline_slight", {"value": {"name": "value_to_expected", "at_most": 0.9}}, "ann bob"),
    ("decline_sure", {"value": {"name": "chance_of_so_few", "at_most": 0.05}}, "bob"),
    ("decline_rich", {"value": {"name": "expected_residual_value", "at_least": 41}}, "ann"),
    ("stage", {"stage": {"any_of": ["lapsed", "new"]}}, "cat dan"),
    ("consent", EMAIL, "ann cat"),
    ("consent_push", {"consent": {"channel": "push"}}, "bob"),
    ("survey_newest", {"survey": {"score_at_least": 9}}, "ann"),
    ("survey_detractor", {"survey": {"score_at_most": 6}}, "cat"),
    ("survey_recent", {"survey": {"score_at_most": 6, "within_days": 365}}, ""),
    ("event", {"event": {"type": "order", "at_least": 2}}, "ann"),
    ("event_window", {"event": {"type": "order", "at_least": 1, "within_days": 30}}, "ann"),
    (
        "event_never",
        {"event": {"type": "visit", "at_most": 0, "within_days": 30}},
        "ann bob dan eve",
    ),
    ("attribute", YORK, "ann bob"),
    ("attribute_number", {"attribute": {"name": "records", "any_of": [2, "3"]}}, "ann cat"),
    ("all", {"all": [CLV_2, EMAIL]}, "ann"),
    ("any", {"any": [EMAIL, YORK]}, "ann bob cat"),
    ("none", {"none": [EMAIL, YORK]}, "dan eve"),
    ("none_of_unknown", {"none": [CLV_2]}, "cat dan eve"),
    ("nested", {"all": [{"any": [EMAIL, YORK]}, {"none": [CLV_2]}]}, "cat"),
    ("audience", {"audience": {"id": "any"}}, "ann bob cat"),
]


@pytest.fixture(scope="module")
def evaluated(profiles: DataFrame) -> dict[str, set[str]]:
    definitions = [{"id": name, "name": name, "include": rule} for name, rule, _ in RULES]
    definitions.append(
        {"id": "excluded", "name": "x", "include": {"any": [EMAIL, YORK]}, "exclude": CLV_2}
    )
    definitions.append(
        {"id": "but", "name": "x", "include": YORK, "exclude": {"audience": {"id": "all"}}}
    )
    return members(profiles, *definitions)


@pytest.mark.parametrize(("name", "people"), [(name, people) for name, _, people in RULES])
def test_each_condition(evaluated: dict[str, set[str]], name: str, people: str) -> None:
    assert evaluated[name] == set(people.split())


def test_excluded_persons_are_out_all_the_same(evaluated: dict[str, set[str]]) -> None:
    assert evaluated["excluded"] == {"cat"}
    assert evaluated["but"] == {"bob"}


def test_who_was_in_stays_while_the_weaker_rule_holds(profiles: DataFrame) -> None:
    def declined(share: float) -> dict[str, Any]:
        return {"value": {"name": "value_to_expected", "at_most": share}}

    rule = {"name": "x", "include": declined(0.5)}
    kept, other = {"id": "stays", "stay": declined(0.9)}, {"id": "fresh", "stay": declined(0.9)}
    found = members(profiles, {**rule, **kept}, {**rule, **other}, {**rule, "id": "plain"})
    assert found == {"stays": {"ann", "bob"}, "fresh": {"bob"}, "plain": {"bob"}}
    out = members(profiles, {**rule, **kept, "exclude": {"consent": {"channel": "email"}}})
    assert out["stays"] == {"bob"}, "who is excluded does not stay"


def test_an_audience_is_evaluated_after_what_it_builds_on(profiles: DataFrame) -> None:
    first = {"id": "a", "name": "a", "include": {"audience": {"id": "b"}}}
    second = {"id": "b", "name": "b", "include": {"none": [{"audience": {"id": "c"}}]}}
    third = {"id": "c", "name": "c", "include": EMAIL}
    assert members(profiles, first, second, third)["a"] == {"bob", "dan", "eve"}


def member_rows(spark: SparkSession, *rows: tuple[str, int, str]) -> DataFrame:
    return spark.createDataFrame(list(rows), "audience_id string, version int, person_id string")


def test_members_enter_leave_and_come_back(spark: SparkSession) -> None:
    days = [date(2026, month, 1) for month in (1, 2, 3, 4)]
    steps = [
        [("a", 1, "ann"), ("a", 1, "bob")],
        [("a", 1, "ann")],
        [("a", 2, "ann"), ("a", 2, "bob")],
        [],
    ]
    state = spark.createDataFrame([], MEMBERSHIP.schema)
    log: list[list[tuple[str, str]]] = []
    states = []
    events = spark.createDataFrame([], MEMBERSHIP_EVENT.schema)
    for day, step in zip(days, steps, strict=True):
        after = MEMBERSHIP.conform(
            update_membership(state, member_rows(spark, *step), as_of=day)
        ).localCheckpoint()
        before = members_on(events, day - timedelta(days=1))
        found = MEMBERSHIP_EVENT.conform(
            list_transitions(before, after, as_of=day)
        ).localCheckpoint()
        events = events.unionByName(found)
        moved = found.collect()
        assert len({row["event_id"] for row in moved}) == len(moved)
        log.append(sorted((row["transition"], row["person_id"]) for row in moved))
        states.append({row["person_id"]: row for row in after.collect()})
        state = after
        kept = ["audience_id", "person_id", "status", "qualified_on", "exited_on"]
        told = membership_on(events, day).select(*kept)
        assert sorted(told.collect()) == sorted(after.select(*kept).collect()), "the events say all"
    assert log == [
        [("enter", "ann"), ("enter", "bob")], [("exit", "bob")], [("enter", "bob")], [("exit", "ann"), ("exit", "bob")]
    ]  # fmt: skip
    assert (states[1]["bob"]["status"], states[1]["bob"]["exited_on"]) == ("exited", days[1])
    back, stayed = states[2]["bob"], states[2]["ann"]
    assert (back["status"], back["qualified_on"], back["exited_on"], back["version"]) == (
        "realized",
        days[2],
        None,
        2,
    )
    assert (stayed["qualified_on"], stayed["version"]) == (days[0], 2)
    assert states[3]["ann"]["exited_on"] == days[3]
    for day, step in zip(days, steps, strict=True):
        who = {tuple(row) for row in members_on(events, day).collect()}
        assert who == {(audience, person) for audience, _, person in step}, "as on that day"


def test_a_second_evaluation_of_a_date_undoes_the_first(spark: SparkSession) -> None:
    def evaluate(
        events: DataFrame, day: date, *members: tuple[str, int, str]
    ) -> tuple[DataFrame, DataFrame]:
        then = membership_on(events, day - timedelta(days=1))
        after = MEMBERSHIP.conform(update_membership(then, member_rows(spark, *members), as_of=day))
        before = then.where("status = 'realized'").select("audience_id", "person_id")
        moves = MEMBERSHIP_EVENT.conform(list_transitions(before, after, as_of=day))
        rest = events.where(F.col("happened_on") != F.lit(day))
        return rest.unionByName(moves).localCheckpoint(), after.localCheckpoint()

    events, _ = evaluate(spark.createDataFrame([], MEMBERSHIP_EVENT.schema), APRIL, ("a", 1, "ann"))
    right, expected = evaluate(events, MAY, ("a", 1, "ann"))
    wrong, _ = evaluate(events, MAY, ("a", 1, "bob"))
    again, found = evaluate(wrong, MAY, ("a", 1, "ann"))
    assert (again.collect(), found.collect()) == (right.collect(), expected.collect())
    (ann,) = found.collect()
    assert (ann["person_id"], ann["status"], ann["qualified_on"]) == ("ann", "realized", APRIL)


def test_evaluating_the_same_again_moves_nobody(spark: SparkSession) -> None:
    nobody, step = spark.createDataFrame([], MEMBERSHIP.schema), member_rows(spark, ("a", 1, "ann"))
    once = update_membership(nobody, step, as_of=APRIL).localCheckpoint()
    twice = update_membership(once, step, as_of=MAY).localCheckpoint()
    assert once.collect() == twice.collect()
    assert list_transitions(step, twice, as_of=MAY).count() == 0


def test_estimates_count_members_reach_and_value(spark: SparkSession, profiles: DataFrame) -> None:
    rows = member_rows(spark, ("a", 1, "ann"), ("a", 1, "bob"), ("a", 1, "cat"))
    nobody = spark.createDataFrame([], MEMBERSHIP.schema)
    moves = list_transitions(nobody, update_membership(nobody, rows, as_of=APRIL), as_of=APRIL)
    audiences = spark.createDataFrame(
        [("a", 1, APRIL), ("empty", 2, APRIL)], "audience_id string, version int, evaluated_on date"
    )
    sums = sum_members(rows, profiles)
    found = ESTIMATE.conform(
        describe_sizes(audiences, sums, moves, profiles=5, as_of=APRIL)
    ).collect()
    by_id = {row["audience_id"]: row for row in found}
    full = by_id["a"]
    assert (full["profiles_read"], full["profiles_matched"], full["contactable_email"]) == (5, 3, 1)
    assert (full["clv"], full["entered"], full["exited"]) == (690.0, 3, 0)
    assert (by_id["empty"]["profiles_matched"], by_id["empty"]["clv"]) == (0, 0.0)


def test_pairs_of_audiences_share_persons(spark: SparkSession) -> None:
    told = {"ann": "abc", "bob": "ab", "cat": "a", "dan": "bc"}
    rows = member_rows(
        spark, *((name, 1, person) for person, names in told.items() for name in names)
    )
    found = {tuple(row) for row in count_pairs(rows).collect()}
    assert found == {("a", "b", 2), ("a", "c", 1), ("b", "c", 2)}


def test_a_definition_is_compiled_without_any_sql_text() -> None:
    text = {
        "attribute": {"name": "city", "any_of": ["x' OR reflect('java.lang.System','exit') = '"]}
    }
    definition = AudienceDefinition.model_validate({"id": "a", "name": "a", "include": text})
    assert definition.conditions[0].any_of[0].startswith("x' OR")
