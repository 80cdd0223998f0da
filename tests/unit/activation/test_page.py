"""The page about activation: its examples are accepted, and its tables list every setting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from clvspark.activation.config import ActivationConfig
from clvspark.activation.destinations.settings import (
    AnyDestination,
    Destination,
    HttpDestination,
    KafkaDestination,
    PostgresDestination,
)
from clvspark.activation.policies import core_policies

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "activation.md").read_text(encoding="utf-8")
BLOCKS: list[dict[str, Any]] = [
    yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
]


def test_destinations_of_the_page_are_accepted() -> None:
    destinations = [block for block in BLOCKS if "id" in block]
    found = [TypeAdapter(AnyDestination).validate_python(block) for block in destinations]
    assert [d.kind for d in found] == ["http", "postgres"]


def test_labels_and_holdouts_of_the_page_are_accepted() -> None:
    tool = {"id": "t", "format": "csv", "channel": "email", "identifier": "email", "hashed": True, "audiences": ["win_back"]}  # fmt: skip  # noqa: E501
    sections = [block["activation"] for block in BLOCKS if "activation" in block]
    configs = [
        ActivationConfig.model_validate({"exports": "out", "destinations": [tool], **section})
        for section in sections
    ]
    assert [len(config.campaign_holdouts) for config in configs] == [0, 1]


def test_every_setting_is_on_the_page() -> None:
    models = (Destination, HttpDestination, PostgresDestination, KafkaDestination)
    settings = {name for model in models for name in model.model_fields}
    assert {name for name in settings if not re.search(rf"\b{name}\b", PAGE)} == set()


def test_the_core_policies_are_those_of_the_page() -> None:
    table = PAGE.split("| action | not with |")[1].split("\n\n")[0]
    for policy in core_policies():
        (row,) = [
            line
            for line in table.splitlines()
            if f"`{policy.action}`" in line or (policy.action == "any" and "any export" in line)
        ]
        named = set(re.findall(r"\b[CIS]\d+\b", row))
        assert named == {label for denied in policy.denied for label in denied}
