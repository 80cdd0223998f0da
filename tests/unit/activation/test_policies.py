"""Usage labels and policies: what must not be exported is refused before anything is."""

from __future__ import annotations

from typing import Any

import pytest

from clvspark.activation.config import ActivationConfig
from clvspark.activation.policies import core_policies
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.load_config import parse_config

TOOL: dict[str, Any] = {
    "id": "tool", "format": "csv", "channel": "email", "identifier": "email", "hashed": False, "audiences": ["top"],
}  # fmt: skip


def configure(labels: dict[str, Any], **change: Any) -> ActivationConfig:
    given = {"exports": "out", "destinations": [TOOL | change], "labels": labels}
    return parse_config(given, ActivationConfig, where="activation")


@pytest.mark.parametrize(
    ("labels", "change", "told"),
    [
        ({"columns": {"clv": ["C2"]}}, {"marketing_actions": ["export_to_third_party"]}, "labelled C2 (clv)"),
        ({"audiences": {"top": ["C4"]}}, {"marketing_actions": ["email_targeting"]}, "labelled C4 (audience top)"),
        ({"columns": {"clv": ["C3"]}}, {"marketing_actions": ["combine_with_identity"]}, "C3 and I1 (clv, email)"),
        ({"columns": {"email": ["C12"]}}, {}, "forbids any export with data labelled C12 (email)"),
        (
            {"columns": {"clv": ["C5"]}},
            {"layout": "google", "hashed": True, "marketing_actions": ["cross_site_targeting"]},
            "labelled C5 (clv)",
        ),
    ],
)  # fmt: skip
def test_a_violation_is_named_with_its_place(
    labels: dict[str, Any], change: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        configure(labels, **change)
    assert told in str(raised.value)
    assert "destination tool, audience top: policy core_" in str(raised.value)


@pytest.mark.parametrize(
    ("labels", "change"),
    [
        ({"columns": {"clv": ["C2"]}}, {"marketing_actions": ["analytics"]}),
        ({"columns": {"clv": ["C3"]}}, {"marketing_actions": ["combine_with_identity"], "hashed": True}),
        ({"columns": {"clv": ["C12"]}}, {"fields": {"lifecycle_stage": "stage"}}),
        ({"columns": {"clv": ["C12"]}}, {"layout": "tiktok", "hashed": True}),
        ({"audiences": {"other": ["C12"]}}, {}),
    ],
)  # fmt: skip
def test_what_is_not_exported_or_not_done_violates_nothing(
    labels: dict[str, Any], change: dict[str, Any]
) -> None:
    assert configure(labels, **change).destinations[0].id == "tool"


def test_policies_of_ones_own_take_the_place_of_the_core() -> None:
    own = {"name": "no_value_abroad", "action": "export_to_third_party", "denied": [["S1", "I1"]]}
    given = {
        "exports": "out",
        "destinations": [TOOL | {"marketing_actions": ["export_to_third_party"]}],
        "labels": {"columns": {"clv": ["C2"]}, "audiences": {"top": ["S1"]}},
        "policies": [own],
    }
    with pytest.raises(ConfigError, match="no_value_abroad") as raised:
        parse_config(given, ActivationConfig, where="activation")
    assert "core_" not in str(raised.value)


def test_every_contract_label_that_forbids_an_action_is_in_the_core() -> None:
    labels = {label for policy in core_policies() for denied in policy.denied for label in denied}
    assert labels == {"C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C12", "I1"}


def test_a_policy_that_forbids_everything_is_a_mistake() -> None:
    given = {"exports": "out", "policies": [{"name": "all", "action": "any", "denied": [[]]}]}
    with pytest.raises(ConfigError, match="forbids everything"):
        parse_config(given, ActivationConfig, where="activation")
