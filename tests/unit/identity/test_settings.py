"""Settings of identity resolution that cannot work are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clvspark.config import shipped_config
from clvspark.identity import IdentitySettings
from clvspark.lakehouse.config import parse_config
from clvspark.lakehouse.errors import ConfigError

TRAINING = {"deterministic_rules": [["email"]], "em_rules": [["email"]]}
GOOD: dict[str, Any] = {
    "attributes": [{"column": "email", "kind": "email"}],
    "blocking_rules": [["email"]],
    "training": TRAINING,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blocking_rules": [["mail"]]}, "blocking_rules names mail; known are email"),
        ({"trusted_identifiers": ["card"]}, "trusted_identifiers names card; known are email"),
        (
            {"training": TRAINING | {"em_rules": [["e"]]}},
            "training.em_rules names e; known are email",
        ),
        ({"training": None}, "give 'blocking_rules' and 'training'"),
        ({"blocking_rules": []}, "give 'blocking_rules' and 'training'"),
        (
            {"attributes": [{"column": "email", "kind": "mail"}]},
            "'given_name', 'surname', 'birth_date'",
        ),
        ({"country": "England"}, "should match pattern"),
        ({"clip_weight": 0}, "greater than 0"),
        ({"cut_wieght": 1}, "Did you mean 'cut_weight'?"),
    ],
)
def test_faults_name_key_and_allowed_values(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(GOOD | change, IdentitySettings, where="identity.yaml")
    assert message in str(raised.value)


def test_training_without_anything_to_compare_is_refused() -> None:
    attributes = [{"column": "email", "kind": "email", "compare": False}]
    with pytest.raises(ConfigError, match="drop 'blocking_rules' and 'training'"):
        parse_config(GOOD | {"attributes": attributes}, IdentitySettings, where="identity.yaml")


def test_the_shipped_settings_read_alone(tmp_path: Path) -> None:
    settings = IdentitySettings.from_yaml(shipped_config("demo.yaml").parent / "identity.yaml")
    assert settings.compared
    assert settings.training is not None
