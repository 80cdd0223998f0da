"""The stage: members of every kind of audience, turns, and what a rerun does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyspark.sql import functions as F
from support.audience_lake import evaluate, members_now, write_persons
from support.random_rules import TODAY, draw_person

from clvspark.audiences import delete_audience, save_audience
from clvspark.identity.tables import ALIAS
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError, MissingInputError


def people(count: int = 6) -> list[dict[str, Any]]:
    """Persons of whom only the consent differs: the first half may be e-mailed."""
    random = Random(1)
    found = [draw_person(random, f"p{n}") for n in range(count)]
    for n, person in enumerate(found):
        person["consent"] = {"email": n < count // 2, "push": True, "sms": False}
        person["has_email"], person["has_phone"] = True, False
        person["values"] = {"clv": 100.0 * n, "lifecycle_stage": "core", "p_alive": 0.5}
        person["frequency"] = 1
    return found


def audience(name: str, rule: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "include": rule, **more}


EMAIL = {"consent": {"channel": "email"}}
RICH = {"value": {"name": "clv", "at_least": 400}}


def of(lake: Lakehouse, name: str) -> set[str]:
    return {person for audience, person in members_now(lake) if audience == name}


@pytest.mark.slow
def test_lists_saved_and_uploaded_are_audiences_and_parts_of_others(
    lake: Lakehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_persons(lake, people())
    sha = "5f3a6e2c0b7b6f5a"  # no digest of anybody
    rows = ["mail,id", " P1@Example.ORG ,crm:p0", f"{sha},crm:p5", "nobody@example.org,crm:x"]
    Path("vip.csv").write_text("\n".join(rows) + "\n")
    count = save_audience(
        lake, "guests", "SELECT person_id FROM {clv.customer_value} WHERE clv > 250"
    )
    definitions = [
        audience("listed", {"listed": {"file": "vip.csv", "column": "mail"}}),
        audience(
            "by_record", {"listed": {"file": "vip.csv", "column": "id", "identifier": "record"}}
        ),
        audience("both", {"all": [EMAIL, {"saved": {"id": "guests"}}]}),
        audience("others", {"none": [{"saved": {"id": "guests"}}]}),
        audience("half", {"bucket": {"salt": "x", "percent": 50}}),
        audience("other_half", {"bucket": {"salt": "x", "percent": 50, "start": 50}}),
    ]
    evaluate(lake, definitions)
    assert count == 3
    assert of(lake, "guests") == {"p3", "p4", "p5"}, "a saved list is an audience by itself"
    assert of(lake, "listed") == {"p1"}
    assert of(lake, "by_record") == {"p0", "p5"}
    assert of(lake, "both") == set()
    assert of(lake, "others") == {"p0", "p1", "p2"}
    halves = of(lake, "half"), of(lake, "other_half")
    assert halves[0] | halves[1] == {f"p{n}" for n in range(6)}
    assert not halves[0] & halves[1]

    with pytest.raises(ConfigError, match="both, others build on guests"):
        delete_audience(lake, "guests")
    with pytest.raises(ConfigError, match="saved as nobody; there are guests"):
        evaluate(lake, [audience("a", {"saved": {"id": "nobody"}})])
    evaluate(lake, [audience("a", EMAIL)])
    delete_audience(lake, "guests")
    evaluate(lake, [audience("a", EMAIL)], force=True)
    assert members_now(lake) == {("a", "p0"), ("a", "p1"), ("a", "p2")}

    with pytest.raises(ConfigError, match="has no column 'post'; it has mail, id"):
        evaluate(lake, [audience("b", {"listed": {"file": "vip.csv", "column": "post"}})])
    Path("vip.csv").unlink()
    with pytest.raises(MissingInputError, match=r"The list vip\.csv"):
        evaluate(lake, definitions[:1])


@pytest.mark.slow
def test_a_changed_list_is_a_reason_to_evaluate_again(
    lake: Lakehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_persons(lake, people())
    listed = [
        audience("a", {"listed": {"file": "ids.csv", "column": "id", "identifier": "person_id"}})
    ]
    Path("ids.csv").write_text("id\np1\n")
    evaluate(lake, listed)
    assert evaluate(lake, listed).status == "unchanged"
    Path("ids.csv").write_text("id\np1\np2\n")
    assert evaluate(lake, listed).status == "success"
    assert of(lake, "a") == {"p1", "p2"}


@pytest.mark.slow
def test_between_its_turns_an_audience_rests(lake: Lakehouse) -> None:
    persons = people()
    weekly = audience("weekly", RICH, schedule="weekly")
    each = audience("each", RICH)
    write_persons(lake, persons)
    evaluate(lake, [weekly, each])
    days = [TODAY + timedelta(days=n) for n in (1, 7)]
    for n, day in enumerate(days):
        persons[5 - n]["values"]["clv"] = 0.0
        write_persons(lake, persons, day=day)
        evaluate(lake, [weekly, each], day=day)
        now = of(lake, "weekly"), of(lake, "each")
        assert now == (({"p4", "p5"}, {"p4"}) if n == 0 else (set(), set()))
    told = lake.table("audiences.estimate").where("audience_id = 'weekly'").orderBy("as_of_date")
    assert [row["evaluated_on"] for row in told.collect()] == [TODAY, TODAY, days[1]]
    another = {**weekly, "version": 2, "include": EMAIL}
    write_persons(lake, persons, day=days[1] + timedelta(days=1))
    evaluate(lake, [another, each], day=days[1] + timedelta(days=1))
    assert of(lake, "weekly") == {"p0", "p1", "p2"}, "a new version does not wait"


@pytest.mark.slow
def test_who_absorbed_a_member_is_one_and_stays(lake: Lakehouse) -> None:
    """p0 is in by consent; p5 absorbs p0 and stays in by the weaker rule, though no longer by the first."""
    rule = audience("a", EMAIL, stay={"value": {"name": "clv", "at_least": 0}})
    persons = people()
    write_persons(lake, persons)
    evaluate(lake, [rule])
    assert of(lake, "a") == {"p0", "p1", "p2"}
    absorbed = {
        "retired_id": "p0",
        "person_id": "p5",
        "retired_on": TODAY,
        "recorded_at": "2026-03-01 06:00:00",
    }
    lake.overwrite(ALIAS, ALIAS.rows(lake.spark, [absorbed]))
    lake.overwrite(
        lake.tables["identity.person"], lake.table("identity.person").where("person_id <> 'p0'")
    )
    day = TODAY + timedelta(days=1)
    later = lake.table("clv.customer_value").withColumn("as_of_date", F.lit(day))
    lake.append(lake.tables["clv.customer_value"], later.where("person_id <> 'p0'"))
    evaluate(lake, [rule], day=day)
    assert of(lake, "a") == {"p1", "p2", "p5"}


@pytest.mark.slow
def test_similar_people_are_those_who_look_like_the_core(lake: Lakehouse) -> None:
    """Twenty heavy buyers are the core, twenty others buy as much; the other sixty do not."""
    persons = people(100)
    for n, person in enumerate(persons):
        is_heavy = n < 40
        person["values"] |= {
            "clv": 1000.0 + n if is_heavy else 10.0 + n,
            "p_alive": 0.9 if is_heavy else 0.2,
        }
        person["frequency"] = 5 if is_heavy else 1
        person["city"] = "York" if n < 20 else "Leeds"
    write_persons(lake, persons)
    core = audience("core", {"attribute": {"name": "city", "any_of": "York"}})
    alike = audience("alike", {"similar": {"to": "core", "percent": 25}})
    few = audience("few", {"attribute": {"name": "city", "any_of": "Paris"}})
    none = audience("none_alike", {"similar": {"to": "few", "percent": 25}})
    evaluate(lake, [alike, core, none, few])
    assert of(lake, "alike") == {f"p{n}" for n in range(20, 40)}
    assert of(lake, "none_alike") == set()
