"""What the language says, what it refuses, and where it says so."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from clvspark.audiences.config import AudiencesConfig
from clvspark.audiences.rules import AudienceDefinition
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.json_schema import publish_schema
from clvspark.lakehouse.load_config import load_config, parse_config

ROOT = Path(__file__).resolve().parents[3]
ORDER = {"type": "order", "at_least": 1}


def define(rule: dict[str, Any], **more: Any) -> AudienceDefinition:
    return AudienceDefinition.model_validate({"id": "a", "name": "A", "include": rule, **more})


def refusal(rule: dict[str, Any], **more: Any) -> str:
    data = {"id": "a", "name": "A", "include": rule, **more}
    with pytest.raises(ConfigError) as raised:
        parse_config(data, AudienceDefinition, where="audience.yaml")
    return str(raised.value)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"event": {**ORDER, "within_days": 1, "within_hours": 1}}, "either 'within_days' or 'within_hours'"),
        ({"event": {**ORDER, "since": "2026-02-02", "until": "2026-02-01"}}, "swap the dates"),
        ({"event": {**ORDER, "within_days": 30, "until_days_ago": 30}}, "make the window longer"),
        ({"event": {**ORDER, "campaign": "spring"}}, "orders carry no campaign"),
        ({"event": {"type": "view", "at_least": 1, "store": "s1"}}, "have a store"),
        ({"event": {**ORDER, "product": "P1", "category": "Food"}}, "either 'product' or 'category'"),
        ({"event": {"type": "order_cancelled", "at_most": 0, "product": "P"}}, "order_cancelled have no lines"),
        ({"event": {"type": [], "at_least": 1}}, "at least 1 item"),
        ({"amount": {"type": "order", "of": "net_revenue"}}, "give 'at_least', 'at_most', 'above' or 'below'"),
        ({"amount": {"type": "order", "of": "net_revenue", "above": 5, "below": 5}}, "nothing lies between 5 and 5"),
        ({"amount": {"type": "order", "of": "score", "at_least": 5}}, "only survey_answer has a score"),
        ({"amount": {"type": "view", "of": "margin", "at_least": 5}}, "have margin"),
        ({"amount": {"type": "order", "of": "margin", "category": "Food", "at_least": 5}}, "use net_revenue or units"),
        ({"amount": {"type": "order", "of": "net_revenue", "by": "median", "at_least": 5}}, "'sum', 'average'"),
        ({"sequence": {"steps": [{"type": "view"}]}}, "two steps or more"),
        ({"sequence": {"steps": [{"type": "view", "within_days": 1}, {"type": "cart"}]}}, "comes after nothing"),
        ({"sequence": {"steps": [{"type": "view"}, {"type": "cart", "after_days": 2, "within_hours": 4}]}}, "swap"),
        ({"attribute": {"name": "city"}}, "give a comparison: is_known, any_of"),
        ({"attribute": {"name": "city", "at_least": 3}}, "unknown key. Allowed: any_of, contains"),
        ({"attribute": {"name": "city", "is_known": False, "any_of": ["York"]}}, "compares with nothing"),
        ({"attribute": {"name": "records", "any_of": ["many"]}}, "valid number"),
        ({"attribute": {"name": "birth_date", "since": "yesterday"}}, "valid date"),
        ({"decile": {"metric": "clv", "channel": "web", "at_most": 2}}, "what is predicted has no channel"),
        ({"bucket": {"salt": "x", "percent": 60, "start": 50}}, "start + percent must be at most 100"),
        ({"listed": {"file": "../vip.csv", "column": "email"}}, "name a CSV file without '..'"),
        ({"similar": {"to": "a b", "percent": 5}}, "should match pattern"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(rule: dict[str, Any], message: str) -> None:
    assert message in refusal(rule)


@pytest.mark.parametrize(
    "text",
    [
        "reflect('java.lang.System', 'exit')",
        "(SELECT email FROM identity.person)",
        "1; DROP TABLE x",
        "`email`",
        "^(a+)+$",
        "${jndi:ldap://x}",
    ],
)
def test_what_looks_like_code_is_a_text_or_nothing(text: str) -> None:
    """In the place of a name it is refused with the names there are; as a value it is compared, letter by letter."""
    for key in ("attribute", "value"):
        assert f"include.leaf.{key}" in refusal({key: {"name": text, "any_of": ["x"]}})
    assert "input should be 'order', 'refund'" in refusal({"event": {"type": text, "at_least": 1}})
    assert "valid number" in refusal({"value": {"name": "clv", "at_least": text}})
    for key in ("regex", "sql", "expression"):
        assert "unknown key" in refusal({"attribute": {"name": "city", key: text}})
    harmless = define({"attribute": {"name": "city", "contains": text}})
    assert harmless.conditions[0].contains == text


def test_a_fault_names_file_line_key_and_what_is_allowed(tmp_path: Path) -> None:
    file = tmp_path / "audiences" / "a.yaml"
    file.parent.mkdir()
    file.write_text(
        "id: a\nname: A\ninclude:\n  all:\n    - consent: {channel: email}\n    - decile:\n        metric: clv\n"
        "        atmost: 2\n"
    )
    top = tmp_path / "top.yaml"
    top.write_text("definitions: !include audiences/*.yaml\n")
    with pytest.raises(ConfigError) as raised:
        load_config(top, AudiencesConfig)
    assert raised.value.faults == [
        (
            f"{file}, line 8: definitions.0.include.group.all.1.leaf.decile.atmost: unknown key. "
            "Did you mean 'at_most'? Allowed: at_least, at_most, category, channel, metric."
        )
    ]


RECENT = {"event": {"type": "cart", "at_least": 1, "within_hours": 24}}


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"event": {**ORDER, "within_days": 2}}, "'event' needs a window of 24 hours"),
        ({"event": ORDER}, "'event' needs a window of 24 hours"),
        ({"last": {"type": "order"}}, "'last' needs a window of 24 hours"),
        ({"event": {**ORDER, "within_hours": 2}}, "'event' needs a window of 24 hours"),
        (
            {
                "sequence": {
                    "within_hours": 24,
                    "steps": [{"type": "cart"}],
                    "then_not": {"type": "order", "within_hours": 2},
                }
            },
            "'sequence' waits for a gap of 'then_not' to be over",
        ),
        ({"first": {"type": "order", "within_days": 1}}, "'first' looks at all of the past"),
        ({"survey": {"score_at_most": 6}}, "'survey' looks at all of the past"),
        (
            {"attribute": {"name": "recency_days", "at_most": 3}},
            "does not keep recency_days current",
        ),
        ({"similar": {"to": "b", "percent": 5}}, "'similar' compares with persons"),
        (
            {"event": {**ORDER, "category": "Food", "within_days": 1}},
            "of which a stream knows no category",
        ),
    ],
)
def test_what_a_stream_cannot_know_is_told_when_it_is_read(
    rule: dict[str, Any], reason: str
) -> None:
    both = {"all": [RECENT, rule]}
    (told,) = define(both).batch_reasons
    assert reason in told
    assert f"cannot be evaluated in a stream: {told}" in refusal(both, evaluation="stream")


def test_recent_events_and_what_the_batch_has_computed_can_be_streamed() -> None:
    rules = [RECENT, {"decile": {"metric": "clv", "at_most": 2}}, {"consent": {"channel": "push"}},
             {"attribute": {"name": "city", "any_of": "York"}}, {"stage": {"any_of": ["core"]}},
             {"sequence": {"within_days": 1, "steps": [{"type": "cart"}], "then_not": {"type": "order"}}}]  # fmt: skip
    definition = define({"all": rules}, evaluation="stream")
    assert definition.batch_reasons == []
    assert "has no schedule" in refusal(RECENT, evaluation="stream", schedule="weekly")


def test_one_value_stands_for_a_list_of_one() -> None:
    several = {"type": ["order"], "channel": ["web"], "at_least": 1}
    assert define({"event": {"type": "order", "channel": "web", "at_least": 1}}) == define(
        {"event": several}
    )


def test_the_published_schema_is_that_of_the_types() -> None:
    path = ROOT / "tools" / "schemas.py"
    spec = importlib.util.spec_from_file_location("schemas", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    for name, text in tool.render_schemas().items():
        assert (tool.FOLDER / name).read_text(encoding="utf-8") == text, (
            "stale; next step: make docs"
        )


def test_the_schema_accepts_what_is_shipped_and_refuses_what_the_types_refuse() -> None:
    validator = jsonschema.Draft202012Validator(
        publish_schema(AudienceDefinition, title="An audience")
    )
    jsonschema.Draft202012Validator.check_schema(validator.schema)
    for file in sorted((ROOT / "conf" / "audiences").glob("*.yaml")):
        data = json.loads(json.dumps(yaml.safe_load(file.read_text()), default=str))
        assert list(validator.iter_errors(data)) == [], file.name
    a = {"id": "a", "name": "A"}
    for rule in ({"sql": "x"}, {"decile": {"metric": "clv", "atmost": 2}}, {"event": {"type": "ordr", "at_least": 1}},
                 {"attribute": {"name": "`email`", "any_of": ["x"]}}, {},
                 RECENT | {"stage": {"any_of": ["new"]}}):  # fmt: skip
        assert not validator.is_valid({**a, "include": rule}), rule
    assert validator.is_valid({**a, "include": RECENT})
