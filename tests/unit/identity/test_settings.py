"""Settings of identity resolution that cannot work are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from clvspark.config import shipped_config
from clvspark.identity import IdentitySettings
from clvspark.identity.config import IdentityConfig
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.load_config import parse_config

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
            "'given_name', 'surname', 'full_name', 'birth_date'",
        ),
        ({"country": "England"}, "should match pattern"),
        ({"contradiction_growth": -1}, "greater than or equal to 0"),
        ({"unique_identifiers": ["card"]}, "unique_identifiers names card; known are email"),
        ({"refining_columns": ["name"]}, "refining_columns names name; known are email"),
        ({"cut_weight": 1, "link_weight": 0}, "cut_weight 1 is above link_weight 0"),
        (
            {"attributes": [{"column": "email", "kind": "email"}] * 2},
            "attributes: email is given twice",
        ),
        (
            {"attributes": [*GOOD["attributes"], {"column": "email_local", "kind": "text"}]},
            "email_local is also what email (email) is taken apart into; rename the column",
        ),
        (
            {"attributes": [*GOOD["attributes"], {"column": "shared", "kind": "text"}]},
            "shared is a name that resolution uses itself",
        ),
        (
            {"attributes": [*GOOD["attributes"], {"column": "order", "kind": "text"}]},
            "order is a word of SQL",
        ),
        (
            {"attributes": [{"column": "email", "kind": "email", "max_distinct_names": 6}]},
            "max_distinct_names of email counts given names, of which no attribute tells",
        ),
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
    assert settings.column_of("full_name") == "full_name"


def test_rules_may_use_what_standardisation_adds() -> None:
    settings = IdentitySettings.model_validate(GOOD | {"blocking_rules": [["email_local"]]})
    assert settings.columns == {"email": "string", "email_local": "string"}


def test_the_reference_engine_knows_no_decisions_and_makes_no_persons_of_a_lakehouse() -> None:
    with pytest.raises(ValidationError, match="engine"):
        IdentityConfig.model_validate({"settings": {"attributes": []}, "engine": "reference"})
