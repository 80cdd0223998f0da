"""Rules are data: what is not in the language is refused, never run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clvspark.audiences.config import AudiencesConfig
from clvspark.audiences.rules import AudienceDefinition, Decile, InAudience
from clvspark.config import read_config, shipped_config
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.load_config import parse_config


def audience(include: Any, **more: Any) -> dict[str, Any]:
    return {"id": "a", "name": "A", "include": include, **more}


def refuse(data: object, model: type = AudienceDefinition) -> str:
    with pytest.raises(ConfigError) as raised:
        parse_config(data, model, where="audience.yaml")
    return str(raised.value)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("reflect('java.lang.Runtime', 'getRuntime')", "include"),
        ({"sql": "reflect('java.lang.Runtime', 'getRuntime')"}, "unknown key"),
        ({"value": {"name": "reflect('a')", "at_least": 1}}, "'p_alive', 'expected_purchases'"),
        (
            {"value": {"name": "clv; DROP TABLE x", "at_least": 1}},
            "'p_alive', 'expected_purchases'",
        ),
        ({"value": {"name": "clv", "at_least": "(SELECT 1)"}}, "valid number"),
        ({"attribute": {"name": "`email`", "any_of": ["x"]}}, "'given_name', 'surname', 'city'"),
        ({"decile": {"metric": "clv", "atmost": 2}}, "Did you mean 'at_most'?"),
        (
            {"decile": {"metric": "clv", "at_least": 5, "at_most": 2}},
            "at least 5 and at most 2; swap",
        ),
        ({"value": {"name": "clv", "at_least": 500, "at_most": 2}}, "at least 500 and at most 2"),
        ({"value": {"name": "clv", "at_least": float("nan")}}, "finite number"),
        ({"survey": {"score_at_least": 9, "score_at_most": 6}}, "at least 9 and at most 6"),
        ({"event": {"type": "order", "at_least": 3, "at_most": 1}}, "at least 3 and at most 1"),
        ({"decile": {"metric": "clv", "at_most": 11}}, "less than or equal to 10"),
        ({"value": {"name": "clv"}}, "give 'at_least', 'at_most' or both"),
        ({"event": {"type": "order"}}, "'at_most: 0' means never"),
        ({"event": {"type": "ordr", "at_least": 1}}, "'order', 'refund', 'visit'"),
        ({"all": []}, "at least 1 item"),
        ({"all": [{"stage": {"any_of": ["new"]}}], "any": []}, "any"),
        ({"stage": {"any_of": ["new"]}, "consent": {"channel": "sms"}}, "exactly one of decile"),
        ({}, "exactly one of decile"),
        ({"decline": {"at_least": 0.5}}, "Did you mean 'decile'?"),
    ],
)
def test_what_is_not_in_the_language_is_refused(rule: Any, message: str) -> None:
    text = refuse(audience(rule))
    assert text.startswith("audience.yaml: ")
    assert message in text


@pytest.mark.parametrize("name", ["Top", "top customers", "1st", "a;b", "../a", ""])
def test_ids_are_plain_words(name: str) -> None:
    assert "id: string should match pattern" in refuse(
        audience({"consent": {"channel": "sms"}}) | {"id": name}
    )


def test_a_definition_knows_its_conditions_and_what_it_builds_on() -> None:
    nested = {
        "any": [{"audience": {"id": "b"}}, {"none": [{"decile": {"metric": "clv", "at_most": 2}}]}]
    }
    definition = AudienceDefinition.model_validate(
        audience(nested, exclude={"audience": {"id": "c"}})
    )
    assert definition.references == {"b", "c"}
    assert [type(condition) for condition in definition.conditions] == [
        InAudience,
        Decile,
        InAudience,
    ]


def definitions(**references: list[str]) -> dict[str, Any]:
    consent = {"consent": {"channel": "email"}}
    return {
        "definitions": [
            {
                "id": name,
                "name": name,
                "include": {"any": [consent, *({"audience": {"id": r}} for r in to)]},
            }
            for name, to in references.items()
        ]
    }


def test_audiences_come_after_those_they_build_on() -> None:
    config = AudiencesConfig.model_validate(definitions(a=["b", "c"], b=["c"], c=[], d=["a"]))
    assert [definition.id for definition in config.in_order] == ["c", "b", "a", "d"]


def test_a_circle_is_named() -> None:
    text = refuse(definitions(a=["b"], b=["c"], c=["a"], d=[]), AudiencesConfig)
    assert "in a circle: " in text
    circle = text.split("in a circle: ")[1].rstrip(".").split(" -> ")
    assert circle[0] == circle[-1]
    assert set(circle) == {"a", "b", "c"}


def test_an_audience_that_is_not_defined_or_defined_twice_is_named() -> None:
    assert "audience a builds on x, which is not defined" in refuse(
        definitions(a=["x"]), AudiencesConfig
    )
    twice = definitions(a=[])["definitions"] * 2
    assert "audience a is defined more than once" in refuse({"definitions": twice}, AudiencesConfig)


def test_another_rule_needs_another_version() -> None:
    top = {"decile": {"metric": "clv", "at_most": 2}}
    config = AudiencesConfig.model_validate({"definitions": [audience(top)]})
    same = config.definitions[0].model_dump(mode="json", exclude_none=True)
    other = audience({"decile": {"metric": "clv", "at_most": 1}})
    renamed = {**same, "name": "Best", "description": "customers"}
    assert not config.list_changed_rules({})
    assert not config.list_changed_rules({("a", 1): renamed, ("a", 2): other, ("b", 1): other})
    (fault,) = config.list_changed_rules({("a", 1): other, ("a", 3): same})
    assert fault.startswith("a: its rule is not the one that version 1 had")
    assert "'version: 4'" in fault
    (fault,) = config.list_changed_rules({("a", 1): {**same, "exclude": other["include"]}})
    assert "'version: 2'" in fault


def test_every_shipped_rule_is_known_again() -> None:
    definitions = read_config(shipped_config("demo.yaml")).audiences.definitions
    assert definitions
    for definition in definitions:
        assert definition.has_rule_of(json.loads(definition.model_dump_json(exclude_none=True)))
