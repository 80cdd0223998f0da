"""Random rules on random histories: the compiler and a slow, obvious interpreter agree on every member."""

from __future__ import annotations

from random import Random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from support import rule_interpreter
from support.random_rules import TODAY, draw_definitions, draw_person
from support.rule_evidence import build_evidence, deal_buckets

from clvspark.audiences.config import AudiencesConfig
from clvspark.audiences.evaluate import evaluate_audiences
from clvspark.audiences.profile import build_profiles


# A seed that fails is told as it is: no smaller number is a simpler example.
@settings(max_examples=4, phases=[Phase.generate])
@given(st.integers(0, 2**32))
def test_members_are_those_of_a_slow_interpreter(spark: SparkSession, seed: int) -> None:
    random = Random(seed)
    persons = [draw_person(random, f"p{n}") for n in range(40)]
    definitions = draw_definitions(random, 50)
    config = AudiencesConfig.model_validate({"definitions": definitions})
    conditions = [c for definition in config.definitions for c in definition.conditions]
    deal_buckets(spark, persons)
    evidence = build_evidence(spark, persons, conditions)
    profiles = build_profiles(evidence, conditions, as_of=TODAY).localCheckpoint()
    rows = evaluate_audiences(profiles, config.in_order, as_of=TODAY).collect()

    found = {(row["audience_id"], row["person_id"]) for row in rows}
    by_id = {definition["id"]: definition for definition in definitions}
    expected = {
        (definition["id"], person["person_id"])
        for definition in definitions
        for person in persons
        if rule_interpreter.is_member(definition, person, TODAY, by_id)
    }
    differing = sorted({name for name, _ in found ^ expected})
    assert found == expected, [by_id[name] for name in differing]
    assert len(found) == len(rows), "a member is told once"
