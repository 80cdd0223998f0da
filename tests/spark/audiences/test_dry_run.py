"""Before a rule is published, and after: sizes, differences, explanations. Nothing is written."""

from __future__ import annotations

import json
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import SparkSession
from support.audience_lake import evaluate, write_persons
from support.random_rules import TODAY, draw_person
from typer.testing import CliRunner

from clvspark import cli
from clvspark.audiences.config import AudiencesConfig
from clvspark.audiences.differ import diff_audiences
from clvspark.audiences.dry_run import choose_definitions
from clvspark.audiences.estimate import estimate_sizes
from clvspark.audiences.explain import explain_membership
from clvspark.catalogue import TABLES
from clvspark.lakehouse import Lakehouse, LakehouseConfig
from clvspark.lakehouse.errors import ConfigError, MissingInputError

RICH = {"value": {"name": "clv", "at_least": 400}}
EMAIL = {"consent": {"channel": "email"}}
VERSION_1 = {"id": "good", "name": "Good", "include": EMAIL}
VERSION_2 = {
    "id": "good", "name": "Good", "version": 2,
    "include": {"all": [RICH, {"none": [{"audience": {"id": "york"}}]}]},
    "exclude": {"event": {"type": "order", "at_least": 100}},
}  # fmt: skip
YORK = {"id": "york", "name": "York", "include": {"attribute": {"name": "city", "any_of": "York"}}}


def config(*definitions: dict[str, Any]) -> AudiencesConfig:
    return AudiencesConfig.model_validate({"definitions": list(definitions)})


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    """Eight persons worth 0 to 700; the first four may be e-mailed, p5 lives in York. Version 1 is published.

    Nothing here writes into it.
    """
    root = str(tmp_path_factory.mktemp("shop"))
    lake = Lakehouse(spark, LakehouseConfig(root=root), TABLES)  # type: ignore[call-arg]
    random = Random(1)
    persons = [draw_person(random, f"p{n}") for n in range(8)]
    for n, person in enumerate(persons):
        person["consent"] = {"email": n < 4, "push": n % 2 == 0, "sms": False}
        person["has_email"], person["has_phone"] = n != 0, False
        person["values"] = {"clv": 100.0 * n, "lifecycle_stage": "core"}
        person["city"] = "York" if n == 5 else "Leeds"
        person["events"] = []
    write_persons(lake, persons)
    evaluate(lake, [VERSION_1, YORK])
    return lake


def test_a_difference_tells_who_would_come_and_go(shop: Lakehouse) -> None:
    versions = {t.name: shop.version(t) for t in shop.tables.values()}
    chosen, names = choose_definitions(config(VERSION_2, YORK), ["good"])
    (found,) = diff_audiences(shop, chosen, names, as_of=TODAY)
    assert (found.audience_id, found.version) == ("good", 2)
    assert [found.now.persons, found.entries.persons, found.exits.persons, found.then.persons] == [
        4,
        3,
        4,
        3,
    ]
    assert (found.now.clv, found.then.clv) == (0 + 100 + 200 + 300, 400 + 600 + 700)
    assert found.now.contactable == {"email": 3, "push": 2, "sms": 0}
    assert found.then.contactable == {"email": 0, "push": 2, "sms": 0}
    assert {t.name: shop.version(t) for t in shop.tables.values()} == versions


def test_sizes_are_exact_of_everybody_and_sure_of_a_sample(shop: Lakehouse) -> None:
    chosen, names = choose_definitions(config(VERSION_2, YORK), [])
    good, york = sorted(
        estimate_sizes(shop, chosen, names, as_of=TODAY), key=lambda e: e.audience_id
    )
    assert (good.estimated_size, good.state, good.standard_error) == (3, "exact", 0)
    assert (york.estimated_size, york.confidence_interval) == (1, (1, 1))
    sampled, _ = estimate_sizes(shop, chosen, names, as_of=TODAY, share=0.5)
    assert sampled.state == "sampled"
    assert 0 < sampled.profiles_read < sampled.total_rows == 8
    low, high = sampled.confidence_interval
    assert low <= 3 <= high


def test_an_explanation_judges_every_condition_as_of_any_version(shop: Lakehouse) -> None:
    now = config(VERSION_2, YORK)
    found = explain_membership(shop, now, "good", "p5", as_of=TODAY)
    assert (found.is_member, found.version) == (False, 2)
    assert [(v.depth, v.says, v.holds, v.observed) for v in found.verdicts] == [
        (0, "include: all of", False, None),
        (1, "value: at_least 400, name clv", True, "500.0"),
        (1, "none of", False, None),
        (2, "audience: id york", True, "true"),
        (0, "exclude: event: type [order], at_least 100", False, "0"),
    ]
    old = explain_membership(shop, now, "good", "p5", as_of=TODAY, version=1)
    assert (old.is_member, [v.says for v in old.verdicts]) == (
        False,
        ["include: consent: channel email"],
    )
    assert explain_membership(shop, now, "good", "p1", as_of=TODAY, version=1).is_member


def test_who_and_what_is_not_there_is_said(shop: Lakehouse) -> None:
    now = config(VERSION_2, YORK)
    with pytest.raises(ConfigError, match="no good in version 7; there is versions 1, 2"):
        explain_membership(shop, now, "good", "p5", as_of=TODAY, version=7)
    with pytest.raises(ConfigError, match="no audience bad; there are good, york"):
        choose_definitions(now, ["bad"])
    with pytest.raises(MissingInputError, match="no person 'nobody'"):
        explain_membership(shop, now, "good", "nobody", as_of=TODAY)


@pytest.mark.slow
def test_the_commands_show_what_was_found(shop: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SimpleNamespace(
        audiences=config(VERSION_2, YORK), as_of=TODAY, lakehouse=SimpleNamespace(currency="USD")
    )
    monkeypatch.setattr("clvspark.config.read_config", lambda _: settings)
    monkeypatch.setattr("clvspark.pipeline.open_lakehouse", lambda _: shop)

    def shown(*arguments: str) -> str:
        result = CliRunner().invoke(cli.app, ["audiences", *arguments])
        assert result.exit_code == 0, result.exception
        return result.stdout

    (difference,) = json.loads(shown("diff", "good", "--json"))
    assert (difference["entries"]["persons"], difference["then"]["clv"]) == (3, 1700)
    explained = json.loads(shown("explain", "good", "p5", "--json"))
    assert (explained["is_member"], explained["as_of"]) == (False, "2026-03-01")
    sizes = json.loads(shown("estimate", "york", "--json"))
    assert [size["estimated_size"] for size in sizes] == [1]
    assert "good (version 2)" in shown("diff")
    assert "1 to 1" in shown("estimate", "york")
    assert "p5 is not in good (version 2)" in shown("explain", "good", "p5")
