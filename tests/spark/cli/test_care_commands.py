"""The commands that look after a lakehouse, through the door that people use."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from pyspark.sql import SparkSession
from support.formats import contracts_of, write_earlier
from support.shops import open_till_shop
from typer.testing import CliRunner

from clvspark import cli, console
from clvspark.lakehouse.errors import VersionError

DESTINATION = {
    "id": "post",
    "format": "csv",
    "channel": "email",
    "identifier": "email",
    "hashed": False,
    "audiences": ["a"],
}
AUDIENCE = {"id": "a", "name": "Anybody", "include": {"consent": {"channel": "email"}}}
ADDED = {"destination_id": "post", "audience_id": "a", "as_of_date": "2026-04-01", "added": 3}


@pytest.fixture
def installation(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration, and a lakehouse of release 0.1.0 with one delivery."""
    monkeypatch.setattr(console.out, "width", 200)
    activation = {"destinations": [DESTINATION], "exports": str(tmp_path / "exports")}
    audiences = {"definitions": [AUDIENCE]}
    shop = open_till_shop(tmp_path / "shop", activation=activation, audiences=audiences)
    rows = {"activation.delivery": [ADDED]}
    write_earlier(spark, shop.lakehouse, contracts_of(1), rows)
    return shop.config_file


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli.app, [*arguments, "--config", str(config)])


def shown(config: Path, *arguments: str) -> str:
    result = run(config, *arguments)
    assert result.exit_code == 0, result.exception
    return result.stdout


def test_an_earlier_lakehouse_is_refused_shown_migrated_and_looked_after(
    installation: Path,
) -> None:
    for command in ("status", "vacuum", "maintain"):
        refused = run(installation, command).exception
        assert isinstance(refused, VersionError), command
        assert "clvspark migrate" in str(refused)

    looked = shown(installation, "migrate", "--dry-run")
    assert "added and removed are persons_added and persons_removed" in looked
    assert "Next step: clvspark migrate" in looked
    assert isinstance(run(installation, "status").exception, VersionError), "nothing was written"

    done = shown(installation, "migrate")
    assert "What was done" in done
    assert "Next step: clvspark run" in done
    assert "nothing to migrate" in shown(installation, "migrate")
    assert "activation.delivery" in shown(installation, "status")

    assert "2 tables hold no more files" in shown(installation, "vacuum")
    assert "0 tables were compacted; 2 hold" in shown(installation, "maintain")
    assert "No dead letter waits" in shown(installation, "replay", "--destination", "post")
    list_ = installation.with_name("bounces.txt")
    list_.write_text("ann@example.org\nbob@example.org\n")
    addresses = ("--file", str(list_), "--identifier", "email", "--reason", "hard_bounce")
    assert "2 addresses are suppressed" in shown(installation, "suppress", *addresses)
