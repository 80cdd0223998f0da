"""docs/audiences.md: every example is a rule, and everything that a rule can say is in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from clvspark.audiences.rules import AudienceDefinition, Leaf
from clvspark.audiences.rules.attributes import (
    DateName,
    FlagName,
    NumberName,
    SetName,
    TextName,
)
from clvspark.audiences.rules.events import EventType

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "audiences.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
CELLS = re.findall(r"`([a-z]+: \{.*?\})` \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("text", [*BLOCKS, *CELLS])
def test_an_example_is_a_rule(text: str) -> None:
    data = yaml.safe_load(text)
    whole = data if "include" in data else {"id": "a", "name": "A", "include": data}
    assert AudienceDefinition.model_validate(whole).conditions


def test_everything_that_can_be_said_is_explained() -> None:
    assert len(BLOCKS) == 4
    assert len(CELLS) == 5
    said = set(re.findall(r"`(\w+)`", PAGE))
    for names in (
        Leaf.model_fields,
        *map(get_args, (TextName, NumberName, DateName, FlagName, SetName)),
        get_args(EventType),
        AudienceDefinition.model_fields,
    ):
        assert set(names) <= said
    used = {leaf.key for text in BLOCKS for leaf in _leaves(yaml.safe_load(text))}
    assert set(Leaf.model_fields) - used == {"value", "stage", "consent", "survey"}, (
        "those are in the table"
    )


def _leaves(data: dict) -> list[Leaf]:
    whole = data if "include" in data else {"id": "a", "name": "A", "include": data}
    return AudienceDefinition.model_validate(whole).leaves
