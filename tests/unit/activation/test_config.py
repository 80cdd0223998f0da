"""Destinations that cannot work, or would write elsewhere, are refused."""

from __future__ import annotations

from typing import Any

import pytest

from clvspark.activation.config import ActivationConfig
from clvspark.activation.destinations.settings import read_secret
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


PLAIN = {name: value for name, value in TOOL.items() if name != "format"}
HTTP = PLAIN | {"kind": "http", "url": "https://example.org/{audience_id}"}
POSTGRES = PLAIN | {"kind": "postgres", "dsn_env": "PG", "table": "crm.lists"}
KAFKA = PLAIN | {"kind": "kafka", "bootstrap_servers": "localhost:9092", "topic": "lists"}


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
        (
            {"exports": "out", "destinations": [TOOL | {"layout": "meta", "hashed": False}]},
            "destinations.0: layout meta takes hashed identifiers only",
        ),
        (
            {"exports": "out", "destinations": [TOOL | {"fields": {"clv": "email"}}]},
            "fields: the names email are taken",
        ),
        (
            {"exports": "out", "destinations": [TOOL | {"kind": "ftp"}]},
            "destinations.0: kind must be one of file, http, kafka, postgres",
        ),
        ({"exports": "out", "destinations": [HTTP | {"mode": "mirror"}]}, "mode mirror needs"),
        ({"exports": "out", "destinations": [HTTP | {"url_env": "HOOK"}]}, "either url or url_env"),
        (
            {"exports": "out", "destinations": [HTTP | {"url": "https://me:pw@example.org"}]},
            "destinations.0.url: must hold no user and no password",
        ),
        ({"exports": "out", "destinations": [HTTP | {"url": "file:///x"}]}, "begins with https://"),
        ({"exports": "out", "destinations": [HTTP | {"batch_rows": 20_000}]}, "equal to 10000"),
        (
            {"exports": "out", "destinations": [HTTP | {"dsn_env": "PG"}]},
            "destinations.0.dsn_env: unknown key.",
        ),
        (
            {
                "exports": "out",
                "destinations": [POSTGRES | {"dsn_env": "postgres://me:pw@host/db"}],
            },
            "destinations.0.dsn_env: string should match",
        ),
        (
            {"exports": "out", "destinations": [KAFKA | {"options": {"sasl.jaas.config": "x"}}]},
            "options.sasl.jaas.config is a secret",
        ),
        (
            {"exports": "out", "campaign_holdouts": [{"audience": "top"}]},
            "no destination is told of the audience top",
        ),
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


def test_what_a_kind_allows_is_told_without_the_keys_of_the_others() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(
            {"exports": "out", "destinations": [KAFKA | {"topics": "x"}]},
            ActivationConfig,
            where="activation",
        )
    assert "Did you mean 'topic'?" in str(raised.value)
    assert "dsn_env" not in str(raised.value)


def test_all_kinds_of_destinations_go_together() -> None:
    kinds = [TOOL, *(d | {"id": d["kind"]} for d in (HTTP, POSTGRES, KAFKA))]
    config = parse_config(
        {"exports": "out", "destinations": kinds}, ActivationConfig, where="activation"
    )
    assert [d.kind for d in config.destinations] == ["file", "http", "postgres", "kafka"]


def test_a_secret_that_is_not_set_is_told_by_its_variable_alone() -> None:
    with pytest.raises(ConfigError, match=r"destinations\.crm: 1 fault\n.*CRM_TOKEN is not set"):
        read_secret("crm", "CRM_TOKEN", {})
    secret = read_secret("crm", "CRM_TOKEN", {"CRM_TOKEN": "s3cret"})
    assert secret.value == "s3cret"
    assert "s3cret" not in f"{secret} {secret!r}"
