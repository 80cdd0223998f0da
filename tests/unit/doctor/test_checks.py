"""`clvspark doctor` on machines that lack something; no check here starts Spark."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from clvspark import cli, doctor
from clvspark.activation.destinations.settings import (
    HttpDestination,
    KafkaDestination,
    PostgresDestination,
)
from clvspark.doctor import (
    Check,
    NotExamined,
    checks_of,
    examine,
    machine,
    missing,
    print_findings,
    services,
)
from clvspark.doctor.spark import SparkProbes
from clvspark.lakehouse import LakehouseConfig, SparkConfig
from clvspark.lakehouse.errors import VersionError
from clvspark.lakehouse.formats import FORMAT_VERSION

SECRET = "postgresql://owner:hunter2@nowhere.invalid/crm"
LISTS = {"channel": "email", "identifier": "email", "hashed": True, "audiences": ["a"]}


def configured(
    *destinations: Any, root: str | None = "lakehouse", mlflow: str | None = None
) -> Any:
    """What the checks of services read of a configuration."""
    return SimpleNamespace(
        activation=SimpleNamespace(destinations=list(destinations)),
        lakehouse=LakehouseConfig(root=root, catalog=None if root else "main"),
        identity=SimpleNamespace(mlflow_uri=mlflow),
        clv=SimpleNamespace(mlflow_uri=mlflow),
    )


def fail(error: Exception) -> Callable[[], str]:
    def probe() -> str:
        raise error

    return probe


def examined(*checks: Check) -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in examine(checks, begin=lambda _: None)}


def test_each_check_is_tried_whatever_came_of_those_before():
    found = examined(
        Check("java", fail(machine.Missing("none found")), "install one"),
        Check("browser", fail(machine.Missing("none")), "install Chromium", needed=False),
        Check("kafka", fail(NotExamined("not configured")), "correct it"),
        Check("duckdb", lambda: "DuckDB 1", "install it"),
    )

    assert {name: (f.status, f.found, f.mend) for name, f in found.items()} == {
        "java": ("missing", "none found", "install one"),
        "browser": ("optional", "none", "install Chromium"),
        "kafka": ("not examined", "not configured", ""),
        "duckdb": ("ok", "DuckDB 1", ""),
    }
    assert [finding.name for finding in missing([*found.values()])] == ["java"]


def test_a_foreign_error_is_told_by_its_kind_alone():
    (found,) = examined(Check("db", fail(RuntimeError(SECRET)), "correct it")).values()

    assert found.found == "RuntimeError"


def test_every_check_says_how_to_mend_what_is_missing():
    checks = checks_of(None)

    assert len({check.name for check in checks}) == len(checks)
    assert [check.name for check in checks if len(check.mend) < 10] == []
    assert [check.name for check in checks if not check.needed] == [
        "browser, for pictures of the report"
    ]


def test_without_java_and_jars_both_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("CLVSPARK_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr("clvspark.lakehouse.runtime.java._wheel_home", lambda: None)
    wanted = {
        "Java",
        "JARs of Delta, Kafka, PostgreSQL and Splink",
        "browser, for pictures of the report",
    }

    found = examined(*(check for check in checks_of(None) if check.name in wanted))

    assert {name: finding.status for name, finding in found.items()} == {
        "Java": "missing",
        "JARs of Delta, Kafka, PostgreSQL and Splink": "missing",
        "browser, for pictures of the report": "optional",
    }
    assert "17 or 21" in found["Java"].found


def test_an_old_python_is_refused(monkeypatch):
    monkeypatch.setattr(machine.sys, "version_info", (3, 10, 1))

    with pytest.raises(machine.Missing, match=r"needed: 3\.11 or newer"):
        machine.find_python()


def test_duckdb_and_the_cache_folder_are_there(monkeypatch, tmp_path):
    monkeypatch.setenv("CLVSPARK_CACHE", str(tmp_path / "cache"))

    assert machine.compare_in_duckdb().startswith("DuckDB 1.")
    assert machine.write_cache() == str(tmp_path / "cache")


def test_what_needs_a_session_is_not_examined_where_none_started():
    probes = SparkProbes(SparkConfig(), LakehouseConfig(catalog="main"))

    for probe in (
        probes.run_python,
        probes.write_delta,
        probes.compare_by_splink,
        probes.see_catalog,
    ):
        with pytest.raises(NotExamined, match="no Spark session"):
            probe()


@pytest.mark.parametrize(
    "probe",
    [
        services.reach_kafka,
        services.reach_postgres,
        services.find_secrets,
        services.write_lakehouse,
        services.know_format,
    ],
)
def test_without_a_configuration_no_service_is_looked_for(probe):
    with pytest.raises(NotExamined, match="no --config"):
        probe(None)


@pytest.mark.parametrize(
    "probe", [services.reach_kafka, services.reach_postgres, services.find_secrets]
)
def test_what_no_destination_names_is_not_examined(probe):
    with pytest.raises(NotExamined):
        probe(configured())


def test_one_broker_that_takes_a_connection_is_enough():
    with (
        socket.create_server(("127.0.0.1", 0)) as broker,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        up, down = broker.getsockname()[1], other.getsockname()[1]
        other.close()
        kafka = KafkaDestination(
            id="stream",
            kind="kafka",
            topic="t",
            bootstrap_servers=f"127.0.0.1:{down},127.0.0.1:{up}",
            **LISTS,
        )
        assert services.reach_kafka(configured(kafka)) == "the brokers of stream take connections"


def test_brokers_that_are_not_there_are_named():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    kafka = KafkaDestination(
        id="stream", kind="kafka", topic="t", bootstrap_servers=f"127.0.0.1:{port},here", **LISTS
    )

    with pytest.raises(
        machine.Missing, match=f"stream: 127.0.0.1:{port} takes no connection.*; here has no port"
    ):
        services.reach_kafka(configured(kafka))


def test_a_database_that_is_not_there_is_told_without_its_connection_string(monkeypatch):
    postgres = PostgresDestination(id="crm", kind="postgres", dsn_env="CRM_DSN", table="t", **LISTS)
    monkeypatch.delenv("CRM_DSN", raising=False)
    with pytest.raises(machine.Missing, match="crm: CRM_DSN is not set"):
        services.reach_postgres(configured(postgres))

    monkeypatch.setenv("CRM_DSN", SECRET)
    with pytest.raises(machine.Missing, match="crm: OperationalError") as told:
        services.reach_postgres(configured(postgres))
    assert "hunter2" not in str(told.value)
    assert "nowhere" not in str(told.value)


def test_secrets_that_are_not_set_are_named_and_the_others_not_shown(monkeypatch):
    webhook = HttpDestination(
        id="hook",
        kind="http",
        url_env="HOOK_URL",
        secret_headers={"Authorization": "HOOK_KEY"},
        **LISTS,
    )
    monkeypatch.setenv("HOOK_URL", "https://secret.invalid")
    monkeypatch.delenv("HOOK_KEY", raising=False)
    with pytest.raises(machine.Missing, match=r"^not set: HOOK_KEY$"):
        services.find_secrets(configured(webhook))

    monkeypatch.setenv("HOOK_KEY", "hunter2")
    assert services.find_secrets(configured(webhook)) == "HOOK_KEY, HOOK_URL"


def test_the_lakehouse_folder_is_tried_without_making_it(tmp_path):
    root = tmp_path / "new" / "lakehouse"

    assert services.write_lakehouse(configured(root=str(root))) == str(root)
    assert [*tmp_path.iterdir()] == []
    with pytest.raises(NotExamined, match="in a catalog"):
        services.write_lakehouse(configured(root=None))


def test_a_lakehouse_of_another_format_is_told(tmp_path):
    root = tmp_path / "lakehouse"
    with pytest.raises(NotExamined, match="nothing has run"):
        services.know_format(configured(root=str(root)))

    log = root / "ops" / "run" / "_delta_log"
    log.mkdir(parents=True)

    def write(properties):
        metadata = {"configuration": properties, "schemaString": "{}", "partitionColumns": []}
        actions = [{"protocol": {"minReaderVersion": 1}}, {"metaData": metadata}]
        (log / f"{0:020}.json").write_text("\n".join(map(json.dumps, actions)))

    write({})
    with pytest.raises(VersionError, match="clvspark migrate"):
        services.know_format(configured(root=str(root)))
    write({"clvspark.format": str(FORMAT_VERSION)})
    assert services.know_format(configured(root=str(root))) == str(FORMAT_VERSION)


def test_an_mlflow_server_that_is_not_there_is_told_at_once():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]

    with pytest.raises(machine.Missing, match=f"127.0.0.1:{port} takes no connection"):
        services.keep_models(configured(mlflow=f"http://127.0.0.1:{port}"))


def test_the_command_prints_json_and_ends_in_1_where_something_is_missing(monkeypatch):
    checks = [
        Check("java", fail(machine.Missing("none found")), "install one"),
        Check("duckdb", lambda: "DuckDB 1", "install it"),
    ]
    monkeypatch.setattr(doctor, "checks_of", lambda _: checks)

    told = CliRunner().invoke(cli.app, ["doctor", "--json"])

    assert told.exit_code == 1
    shown = json.loads(told.stdout)
    assert shown["ok"] is False
    assert [check["status"] for check in shown["checks"]] == ["missing", "ok"]
    monkeypatch.setattr(doctor, "checks_of", lambda _: checks[1:])
    assert CliRunner().invoke(cli.app, ["doctor", "--json"]).exit_code == 0


def test_people_are_told_how_to_mend_it(capsys, monkeypatch):
    monkeypatch.setattr("clvspark.console.out.width", 200)
    found = examined(
        Check("Java", fail(machine.Missing("none found")), "install one"),
        Check("browser", fail(machine.Missing("none")), "install Chromium", needed=False),
    )

    print_findings([*found.values()])

    shown = capsys.readouterr().out
    assert "Missing: Java: none found. Next step: install one" in shown
    assert "Optional: browser: none. Next step: install Chromium" in shown
    assert "1 of 2 checks found something missing." in shown


def test_a_configuration_that_is_not_there_is_one_message(tmp_path: Path):
    told = CliRunner().invoke(cli.app, ["doctor", "--config", str(tmp_path / "none.yaml")])

    assert type(told.exception).__name__ == "ConfigError"
