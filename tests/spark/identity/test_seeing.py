"""The commands that show and decide, on a lakehouse that was resolved once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
import yaml
from click.testing import Result
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from splink import DuckDBAPI, Linker
from support.people import SETTINGS, make_people
from typer.testing import CliRunner

from clvspark import console
from clvspark.cli import app
from clvspark.config import shipped_config
from clvspark.identity import IdentitySettings, stage
from clvspark.identity.config import IdentityConfig
from clvspark.identity.explain.records import read_champion
from clvspark.identity.tables import DECISION, MODEL, PAIR, PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError, ContractError, MissingInputError
from clvspark.sources.tables import CUSTOMER_RECORD

_SYSTEM = yaml.safe_load(shipped_config("sources/crm.yaml").read_text())
CARD = "C-1"
SHARED = "desk@example.com"


@pytest.fixture(scope="module")
def resolved(
    spark: SparkSession,
    open_lake: Callable[[Path], Lakehouse],
    tmp_path_factory: pytest.TempPathFactory,
) -> SimpleNamespace:
    """A resolved lakehouse and the configuration file that opens it."""
    folder = tmp_path_factory.mktemp("seeing")
    lake = open_lake(folder)
    rows = make_people()
    for row in rows[:12:2]:
        row["email"] = SHARED  # of six people: evidence for nobody
    # Two records that nothing but a card joins.
    rows[20] |= {"loyalty_card": CARD}
    rows[40] |= {"loyalty_card": CARD}
    names = {column.name for column in CUSTOMER_RECORD.columns}
    records = [
        {k: v for k, v in row.items() if k in names}
        | {"birth_date": date.fromisoformat(row["birth_date"]) if row["birth_date"] else None}
        for row in rows
    ]
    with lake.writing("test"):
        lake.overwrite(CUSTOMER_RECORD, CUSTOMER_RECORD.rows(spark, records))
        settings = IdentitySettings.model_validate(SETTINGS)
        stage.run(lake, IdentityConfig(settings=settings), date(2026, 4, 1))  # type: ignore[call-arg]
    config = folder / "config.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "as_of": "2026-04-01",
                "lakehouse": {"root": str(folder / "lakehouse")},
                "sources": {"landing": str(folder / "landing"), "systems": [_SYSTEM]},
                "identity": {"settings": SETTINGS},
                "activation": {"exports": str(folder / "exports")},
            }
        )
    )
    return SimpleNamespace(lake=lake, config=config, rows=rows, folder=folder)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in which no cell is wrapped, whatever width the runner of the tests tells."""
    monkeypatch.setattr(console.out, "width", 200)


def run(resolved: SimpleNamespace, *arguments: str) -> Result:
    return CliRunner().invoke(
        app, ["identity", *arguments, "--config", str(resolved.config)], env={"COLUMNS": "250"}
    )


def fails(resolved: SimpleNamespace, kind: type[Exception], *arguments: str) -> str:
    result = run(resolved, *arguments)
    assert isinstance(result.exception, kind), (result.exception, result.output)
    return str(result.exception)


def weight_of(resolved: SimpleNamespace, left: str, right: str) -> float:
    pairs = resolved.lake.read(PAIR)
    row = pairs.where((F.col("unique_id_l") == left) & (F.col("unique_id_r") == right)).first()
    return float(row["match_weight"])


def test_the_waterfall_adds_up_to_the_weight_of_the_run(resolved: SimpleNamespace) -> None:
    left, right = "a:0100", "b:0100"
    result = run(resolved, "explain", right, left)
    assert result.exit_code == 0, result.exception
    assert "They are one person" in result.stdout
    lines = [line for line in result.stdout.splitlines() if re.search(r"[+-]\d+\.\d", line)]
    *parts, total = [[float(n) for n in re.findall(r"[+-]\d+\.\d\b", line)] for line in lines]
    assert total[0] == pytest.approx(weight_of(resolved, left, right), abs=0.05)
    assert sum(sum(part) for part in parts) == pytest.approx(total[0], abs=0.05 * len(lines) * 2)


def test_the_page_of_a_pair_needs_no_network_and_is_its_owners_only(
    resolved: SimpleNamespace,
) -> None:
    page = resolved.folder / "why.html"
    result = run(resolved, "explain", "a:0100", "b:0100", "--html", str(page))
    assert result.exit_code == 0, result.exception
    text = page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600
    spec = json.loads(re.search(r'id="spec-waterfall">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert {row["column_name"] for row in spec["data"]["values"]} >= {
        "Prior",
        "Final score",
        "given_name",
    }
    assert not re.search(r'(src|href)="https?:', text)


def test_trusted_and_shared_identifiers_are_told(resolved: SimpleNamespace) -> None:
    card = run(resolved, "explain", "a:0010", "a:0020")
    assert "They share a loyalty_card, which is trusted" in " ".join(card.stdout.split())
    shared = run(resolved, "explain", "a:0000", "a:0001").stdout
    assert "The email of a:0000 is no evidence: 6 records" in " ".join(shared.split())
    assert SHARED not in shared


def test_a_record_that_is_not_there_is_refused_without_its_name(resolved: SimpleNamespace) -> None:
    told = fails(resolved, MissingInputError, "explain", "a:0100", "a:ann@example.com")
    assert "number 2" in told
    assert "ann@example.com" not in told
    assert "number 2" in fails(resolved, MissingInputError, "explain", "b:0100", "a:0999")
    assert "name two of them" in fails(resolved, ConfigError, "explain", "a:0100", "a:0100")


def test_a_person_is_shown_with_links_and_history(resolved: SimpleNamespace) -> None:
    links = resolved.lake.read(PERSON_LINK).where("source_record_id = '0100'")
    person_id = links.first()["person_id"]
    page = resolved.folder / "person.html"
    result = run(resolved, "person", person_id, "--html", str(page))
    assert result.exit_code == 0, result.exception
    shown = " ".join(result.stdout.split())
    for words in ("Golden record", "a:0100", "b:0100", "The weakest link is between", "created"):
        assert words in shown
    assert "1 of 1 links are bridges" in shown
    assert "Golden record" in page.read_text()
    of_record = run(resolved, "person", "b:0100")
    assert f"b:0100 is a record of {person_id}." in " ".join(of_record.stdout.split())
    for unknown in ("p000", "b:nobody"):
        assert "no person of this id" in fails(resolved, MissingInputError, "person", unknown)


def test_the_model_is_shown_and_holds_no_personal_data(resolved: SimpleNamespace) -> None:
    page = resolved.folder / "model.html"
    result = run(resolved, "model", "--html", str(page))
    assert result.exit_code == 0, result.exception
    assert "Exact match on given_name" in result.stdout
    assert "EM runs" in result.stdout
    text = page.read_text()
    assert 'id="spec-match-weights"' in text
    assert 'id="spec-unlinkables"' in text
    for row in resolved.rows:
        assert row["email"] is None or row["email"] not in text


def test_the_model_is_in_the_registry_as_splink_reads_it(resolved: SimpleNamespace) -> None:
    from mlflow import MlflowClient

    folder = resolved.folder / "lakehouse" / "_mlflow"
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    version = client.get_model_version_by_alias("clvspark.identity", "champion")
    row = resolved.lake.read(MODEL).where("is_champion").first()
    assert str(version.version) == row["registry_version"]
    tracked = client.get_run(version.run_id).data
    assert tracked.params["model_id"] == row["model_id"]
    assert tracked.metrics["em_runs"] == 3
    files = {file.name: file for file in folder.rglob("*.json")}
    assert files.keys() == {"model.json", "training_report.json"}
    assert json.loads(files["training_report.json"].read_text()) == json.loads(row["report"])
    champion = read_champion(resolved.lake)
    assert champion is not None
    with duckdb.connect(":memory:") as connection:
        api = DuckDBAPI(connection=connection)
        connection.execute("CREATE TABLE t AS SELECT 'x' AS unique_id")
        records = api.register("t", dataset_display_name="t")
        linker = Linker(records, settings=str(files["model.json"]))
        prior = linker.misc.save_model_to_json(None, overwrite=True)
    key = "probability_two_random_records_match"
    assert prior[key] == champion.settings[key]


def test_decisions_are_written_refused_and_taken_back(resolved: SimpleNamespace) -> None:
    one, two, three = "a:0150", "b:0150", "a:0151"

    def decided() -> list[tuple[Any, ...]]:
        names = ("unique_id_l", "unique_id_r", "verdict", "decided_by")
        return sorted(
            tuple(row) for row in resolved.lake.read_or_empty(DECISION).select(*names).collect()
        )

    result = run(resolved, "decide", two, one, "--same", "--by", "anna")
    assert result.exit_code == 0, result.exception
    assert "clvspark resolve" in result.stdout
    assert decided() == [(one, two, "same", "anna")]
    assert run(resolved, "decide", one, three, "--different").exit_code == 0
    told = fails(resolved, ContractError, "decide", two, three, "--same")
    assert "contradicts" in told
    assert len(decided()) == 2
    assert "give one of" in fails(resolved, ConfigError, "decide", one, two)
    fails(resolved, MissingInputError, "decide", one, "a:none", "--same")
    fails(resolved, ConfigError, "decide", one, one, "--same")
    shown = " ".join(run(resolved, "explain", one, two).stdout.split())
    assert "Decided by anna: they are one person." in shown
    assert run(resolved, "decide", one, three, "--remove").exit_code == 0
    assert decided() == [(one, two, "same", "anna")]
    fails(resolved, MissingInputError, "decide", one, three, "--remove")


def test_the_queue_is_shown(resolved: SimpleNamespace) -> None:
    result = run(resolved, "review", "--limit", "3")
    assert result.exit_code == 0, result.exception
    assert "Nothing waits for review." in result.stdout or "Pairs to review" in result.stdout
