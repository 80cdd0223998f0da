"""Destinations that cannot work, or would write elsewhere, are refused."""

from __future__ import annotations

from typing import Any

import pytest

from clvspark.activation.config import ActivationConfig
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.load_config import parse_config

TOOL: dict[str, Any] = {
    "id": "tool",
    "format": "csv",
    "channel": "email",
    "identifier": "email",
    "hashed": True,
    "audiences": ["top"],
}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"exports": "../out"}, "exports: must be a plain folder"),
        ({"exports": "s3://bucket"}, "exports: must be a plain folder"),
        ({"exports": "out", "destinations": [TOOL, TOOL]}, "two destinations have the same id"),
        (
            {"exports": "out", "destinations": [TOOL | {"id": "../x"}]},
            "destinations.0.id: string should match",
        ),
        ({"exports": "out", "destinations": [TOOL | {"audiences": []}]}, "at least 1 item"),
        (
            {"exports": "out", "destinations": [TOOL | {"channel": "fax"}]},
            "'email', 'push' or 'sms'",
        ),
        ({"exports": "out", "destinations": [TOOL | {"hash": True}]}, "Did you mean 'hashed'?"),
        ({"exports": "out", "holdout": {"percent": 60}}, "less than or equal to 50"),
        ({"exports": "out", "holdout": {"salt": ""}}, "at least 1 character"),
    ],
)
def test_faults_are_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(config, ActivationConfig, where="activation")
    assert message in str(raised.value)


def test_a_destination_must_say_whether_it_wants_hashes() -> None:
    plain = {key: value for key, value in TOOL.items() if key != "hashed"}
    with pytest.raises(ConfigError, match=r"destinations\.0\.hashed: is required"):
        parse_config(
            {"exports": "out", "destinations": [plain]}, ActivationConfig, where="activation"
        )
