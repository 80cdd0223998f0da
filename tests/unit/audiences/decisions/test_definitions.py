"""Offers, moments and decision points that cannot work are refused, with file, line and key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from clvspark.audiences.decisions.config import DecisionsConfig
from clvspark.audiences.decisions.offers import Offer
from clvspark.audiences.moments.definitions import Moment
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.load_config import load_config, parse_config

CONF = Path(__file__).resolve().parents[4] / "conf"
GIFT: dict[str, Any] = {
    "id": "gift", "name": "Gift", "goal": "margin", "channels": ["email"], "margin": 50
}  # fmt: skip
MOMENT: dict[str, Any] = {
    "id": "back", "name": "Back", "goal": {"measure": "margin"}, "trigger": {"value_declines": {}},
    "steps": [{"id": "one", "channel": "email", "message": "m"}],
}  # fmt: skip


def refuse(data: object, model: type) -> str:
    with pytest.raises(ConfigError) as raised:
        parse_config(data, model, where="here")
    return str(raised.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "none"}, "stands for no offer"),
        ({"id": "No offer"}, "id: string should match pattern"),
        ({"channels": ["fax"]}, "'email', 'push' or 'sms'"),
        ({"channels": ["sms", "sms"]}, "name sms more than once"),
        ({"cost_per_contact": -1}, "greater than or equal to 0"),
        ({"margin": float("nan")}, "finite number"),
        ({"response": 1.5}, "less than 1"),
        ({"stok": 3}, "Did you mean 'stock'?"),
        ({"valid_from": "2026-05-01", "valid_to": "2026-05-01"}, "must lie before valid_to"),
        ({"eligibility": {"audiences": ["a"], "excluded_audiences": ["a"]}}, "both allowed and"),
        ({"context_weights": {"lapsed": 2}}, "must be written column=value"),
        ({"limit": {"contacts": 0}}, "greater than or equal to 1"),
    ],
)
def test_faults_of_offers_are_named(change: dict[str, Any], message: str) -> None:
    assert message in refuse({**GIFT, **change}, Offer)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trigger": {}}, "exactly one of entered_audience, happened, value_declines, anniversary"),
        ({"trigger": {"value_declines": {}, "anniversary": {}}}, "exactly one of"),
        ({"steps": []}, "at least 1 item"),
        ({"steps": [*MOMENT["steps"], *MOMENT["steps"]]}, "step one is defined more than once"),
        ({"exits": ["left_audience"]}, "needs an audience to leave"),
        ({"exits": ["recovered"], "trigger": {"anniversary": {}}}, "recovered ends a decline"),
        ({"re_entry": {"most": 2}}, "give after_days as well"),
        (
            {"steps": [{**MOMENT["steps"][0], "wait_days": 5}], "lasts_days": 5},
            "let it last longer",
        ),
        ({"goal": {"measure": "clicks"}}, "'orders', 'net_revenue', 'margin'"),
    ],
)
def test_faults_of_moments_are_named(change: dict[str, Any], message: str) -> None:
    assert message in refuse({**MOMENT, **change}, Moment)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"offers": [GIFT, GIFT]}, "offer gift is defined more than once"),
        ({"moments": [MOMENT, MOMENT]}, "moment back is defined more than once"),
        ({"points": [{"id": "p", "offers": ["gift"]}]}, "names gift; offers: none"),
        (
            {"offers": [GIFT], "points": [{"id": "p", "offers": ["gift"], "fallback": "gift"}]},
            "cannot be ranked as well",
        ),
        (
            {"offers": [{**GIFT, "stock": 3}], "points": [{"id": "p", "fallback": "gift"}]},
            "must be there for all",
        ),
        (
            {
                "offers": [GIFT],
                "points": [{"id": "p", "fallback": "gift"}],
                "limits": {"by_channel": {"email": 10}},
            },
            "cannot have a fallback and daily limits",
        ),
        (
            {"points": [{"id": "p", "ranking": "clever"}]},
            "'learning', 'classic', 'random' or 'fixed'",
        ),
        ({"learning": {"context": ["email"]}}, "'clv_decile' or 'lifecycle_stage'"),
        ({"learning": {"window_days": 30, "memory_days": 30}}, "or no outcome ever counts"),
        ({"caps": [{"contacts": 1}]}, "within_days: is required"),
    ],
)
def test_faults_of_the_section_are_named(config: dict[str, Any], message: str) -> None:
    assert message in refuse(config, DecisionsConfig)


def test_a_fault_has_its_file_line_and_key(tmp_path: Path) -> None:
    (tmp_path / "decisions.yaml").write_text("offers: !include offers/*.yaml\n")
    (tmp_path / "offers").mkdir()
    (tmp_path / "offers" / "gift.yaml").write_text(
        "id: gift\nname: Gift\ngoal: margin\nchannels:\n  - email\n  - fax\nmargin: 50\nlimit:\n  often: 3\n"
    )
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / "decisions.yaml", DecisionsConfig)
    channel, limit = raised.value.faults
    assert re.match(
        r".*gift\.yaml, line \d+: offers\.0\.channels\.1: input should be 'email'", channel
    )
    assert re.match(
        r".*gift\.yaml, line 9: offers\.0\.limit\.often: unknown key. Allowed: contacts, within",
        limit,
    )


def test_what_is_shipped_is_valid_and_names_audiences_that_are() -> None:
    config = load_config(CONF / "decisions.yaml", DecisionsConfig)
    for kind, found in (("moments", config.moments), ("offers", config.offers)):
        assert {one.id for one in found} == {path.stem for path in (CONF / kind).glob("*.yaml")}
    audiences = {path.stem for path in (CONF / "audiences").glob("*.yaml")}
    assert config.list_unknown_audiences(audiences) == []
    assert config.list_unknown_audiences(audiences - {"win_back"}) == [
        "moment win_back names audience win_back, which is not defined"
    ]


@pytest.mark.parametrize("folder", ["moments", "offers"])
def test_the_examples_of_the_page_are_accepted(folder: str) -> None:
    page = (CONF.parent / "docs" / "decisions.md").read_text(encoding="utf-8")
    (text,) = re.findall(rf"```yaml\n# conf/{folder}/[\w.]+\n(.*?)```", page, re.DOTALL)
    model = {"moments": Moment, "offers": Offer}[folder]
    assert model.model_validate(yaml.safe_load(text)).id in {
        path.stem for path in (CONF / folder).glob("*.yaml")
    }


def test_a_plan_adds_its_waits_up() -> None:
    steps = [{"id": f"s{n}", "channel": "email", "message": "m", "wait_days": n} for n in (1, 2, 4)]
    moment = Moment.model_validate({**MOMENT, "steps": steps})
    assert (moment.offsets, moment.days) == ([1, 3, 7], 8)
