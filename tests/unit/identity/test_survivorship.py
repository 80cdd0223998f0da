"""Survivorship rules that cannot be asked are refused."""

from __future__ import annotations

from typing import Any

import pytest

from clvspark.identity.persons.survivorship import SURVIVORS, SurvivorshipSettings
from clvspark.identity.tables import PERSON
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.load_config import parse_config


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"default": ["newest"]}, "'trusted_source', 'most_recent', 'most_complete'"),
        ({"rules": {"mail": ["most_recent"]}}, "'given_name', 'surname', 'birth_date'"),
        ({"default": ["trusted_source"]}, "needs 'trusted_sources'"),
        ({"rules": {"email": ["most_recent", "most_recent"]}}, "given twice for email"),
    ],
)
def test_faults_name_what_is_allowed(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(data, SurvivorshipSettings, where="identity.yaml")
    assert message in str(raised.value)


def test_rules_of_an_attribute_go_before_the_default() -> None:
    settings = SurvivorshipSettings(default=["most_frequent"], rules={"email": ["most_recent"]})
    assert settings.of("email") == ["most_recent"]
    assert settings.of("phone") == ["most_frequent"]
    assert settings.of("surname") == SurvivorshipSettings().of("surname") != ["most_frequent"]


def test_every_attribute_of_the_golden_record_survives_by_rules() -> None:
    parts = [part for parts in SURVIVORS.values() for part in parts]
    assert parts == PERSON.names[1 : 1 + len(parts)]
