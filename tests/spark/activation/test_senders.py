"""Each kind of destination, told by the executors: a real PostgreSQL, a real Kafka broker, a webhook, files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from pyspark.sql import DataFrame, SparkSession
from support.kafka import kafka
from support.postgres import postgres, query
from support.webhook import HANG, webhook

from clvspark.activation.destinations.files import send_files
from clvspark.activation.destinations.http import send_http
from clvspark.activation.destinations.kafka import send_kafka
from clvspark.activation.destinations.postgres import _connect, _Target, send_postgres
from clvspark.activation.destinations.secret import Secret
from clvspark.activation.destinations.sender import Delivery
from clvspark.activation.destinations.settings import (
    Destination,
    FileDestination,
    HttpDestination,
    KafkaDestination,
    PostgresDestination,
)
from clvspark.lakehouse.errors import ConfigError, DeliveryError

APRIL = date(2026, 4, 1)
PLAIN = {
    "id": "crm",
    "channel": "email",
    "identifier": "email",
    "hashed": False,
    "audiences": ["top", "lost"],
}
LINE = "audience_id string, outbox_id string, operation string, email string, clv_decile int, clv double"
ANN = ("top", "o1", "add", "ann@x.org", 1, 9.5)
BOB = ("top", "o2", "add", "bob@x.org", 2, 8.0)
CAT = ("lost", "o3", "add", "cat@x.org", None, None)


def rows(spark: SparkSession, *lines: tuple[Any, ...]) -> DataFrame:
    return spark.createDataFrame(list(lines), LINE).localCheckpoint()


def outcomes(receipt: Any) -> dict[str, tuple[str, str | None]]:
    return {r["outbox_id"]: (r["outcome"], r["error"]) for r in receipt.outcomes.collect()}


def gone(line: tuple[Any, ...], key: str) -> tuple[Any, ...]:
    return (line[0], key, "remove", line[3], None, None)


# PostgreSQL


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as dsn:
        yield dsn


@pytest.fixture
def dsn(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CRM_DSN", server)
    query(server, "DROP SCHEMA IF EXISTS crm CASCADE")
    query(server, "CREATE SCHEMA crm")
    return server


def table(**change: Any) -> Delivery:
    given = PLAIN | {"kind": "postgres", "dsn_env": "CRM_DSN", "table": "crm.lists"} | change
    return Delivery(PostgresDestination.model_validate(given), APRIL)


def held(dsn: str) -> set[tuple[str, str]]:
    return set(query(dsn, "SELECT audience_id, email FROM crm.lists"))


def test_a_table_is_upserted_and_a_repeated_delivery_touches_nothing(
    spark: SparkSession, dsn: str
) -> None:
    first = rows(spark, ANN, BOB, CAT)
    assert outcomes(send_postgres(first, table(parallel=2))) == {
        "o1": ("accepted", None), "o2": ("accepted", None), "o3": ("accepted", None),
    }  # fmt: skip
    versions = query(dsn, "SELECT email, xmin::text FROM crm.lists ORDER BY 1")
    assert len(versions) == 3
    send_postgres(first, table())
    assert query(dsn, "SELECT email, xmin::text FROM crm.lists ORDER BY 1") == versions
    richer = (*BOB[:1], "o4", *BOB[2:5], 88.0)
    send_postgres(rows(spark, gone(ANN, "o5"), richer), table())
    assert query(dsn, "SELECT email, clv, outbox_id FROM crm.lists ORDER BY 1") == [
        ("bob@x.org", 88.0, "o4"), ("cat@x.org", None, "o3"),
    ]  # fmt: skip
    assert query(dsn, "SELECT tablename FROM pg_tables WHERE schemaname = 'crm'") == [("lists",)]


def test_a_mirror_holds_nobody_else_and_leaves_other_audiences_alone(
    spark: SparkSession, dsn: str
) -> None:
    send_postgres(rows(spark, ANN, CAT), table())
    query(
        dsn,
        "INSERT INTO crm.lists (audience_id, email, outbox_id) VALUES ('top', 'stray', 'x'), ('own', 'kept', 'y')",
    )
    mirror = table(mode="mirror", audiences=["top"])
    send_postgres(rows(spark, BOB), mirror)
    assert held(dsn) == {("top", "bob@x.org"), ("lost", "cat@x.org"), ("own", "kept")}
    send_postgres(rows(spark, BOB).limit(0), mirror)
    assert held(dsn) == {("lost", "cat@x.org"), ("own", "kept")}


def test_a_task_that_ran_twice_has_copied_twice_and_changes_nothing_more(
    spark: SparkSession, dsn: str
) -> None:
    delivery = table()
    target = _Target(delivery.destination, dict(rows(spark, ANN).dtypes))
    lines = [list(ANN), list(BOB)]
    query(dsn, "CREATE TABLE crm.clvspark_staging_crm (left_by_a_run_that_was_killed text)")

    def merge(staged: int) -> None:
        with _connect(Secret(dsn), delivery.destination) as connection:
            target.prepare(connection)
            target.copy(connection, iter(lines))
            target.copy(connection, iter(lines))
            target.merge(connection, staged)

    with pytest.raises(
        DeliveryError, match=r"of 3 lines 2 arrived in the staging table; nothing was changed"
    ):
        merge(3)
    assert query(dsn, "SELECT to_regclass('crm.lists')") == [(None,)], "all or none"
    merge(2)
    assert held(dsn) == {("top", "ann@x.org"), ("top", "bob@x.org")}


def test_what_postgresql_cannot_hold_is_rejected_by_itself(spark: SparkSession, dsn: str) -> None:
    bad = ("top", "o9", "add", "a\x00b@x.org", 1, 1.0)
    assert outcomes(send_postgres(rows(spark, ANN, bad), table())) == {
        "o1": ("accepted", None), "o9": ("rejected", "nul_in_text"),
    }  # fmt: skip
    assert held(dsn) == {("top", "ann@x.org")}


def test_errors_of_postgresql_tell_a_code_and_no_row_no_host_and_no_secret(
    spark: SparkSession, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    query(
        dsn, "CREATE TABLE crm.lists (audience_id text, email text, outbox_id text, clv_decile int)"
    )
    with pytest.raises(DeliveryError) as raised:
        send_postgres(rows(spark, ANN), table())
    assert "UndefinedColumn, code 42703" in str(raised.value)
    assert "ann@" not in str(raised.value)
    monkeypatch.setenv("CRM_DSN", "postgresql://me:s3cret@127.0.0.1:1/db")
    with pytest.raises(DeliveryError) as raised:
        send_postgres(rows(spark, ANN), table())
    assert "OperationalError" in str(raised.value)
    for secret in ("s3cret", "me:", "127.0.0.1"):
        assert secret not in str(raised.value)
    monkeypatch.delenv("CRM_DSN")
    with pytest.raises(ConfigError, match="CRM_DSN is not set"):
        send_postgres(rows(spark, ANN), table())


# Kafka


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with kafka(tmp_path_factory.mktemp("kafka")) as address:
        yield address


def topic(broker: str, **change: Any) -> Delivery:
    given = PLAIN | {"kind": "kafka", "bootstrap_servers": broker, "topic": "lists"} | change
    return Delivery(KafkaDestination.model_validate(given), APRIL)


def test_records_are_keyed_by_list_and_address_and_carry_the_key_of_the_line(
    spark: SparkSession, broker: str
) -> None:
    assert outcomes(send_kafka(rows(spark, ANN, BOB), topic(broker)))["o1"] == ("accepted", None)
    send_kafka(rows(spark, gone(ANN, "o7")), topic(broker))
    reader = spark.read.format("kafka").option("kafka.bootstrap.servers", broker)
    found = reader.option("subscribe", "lists").option("includeHeaders", "true").load()
    records = [
        (r["key"].decode(), json.loads(r["value"]), r["headers"][0]["value"].decode(), r["partition"])
        for r in found.orderBy("timestamp").collect()
    ]  # fmt: skip
    told = {header: value for _, value, header, _ in records}
    assert told["o1"] == {
        "audience_id": "top", "outbox_id": "o1", "operation": "add", "email": "ann@x.org", "clv_decile": 1, "clv": 9.5,
    }  # fmt: skip
    assert told["o7"]["clv"] is None
    keys = {header: (key, partition) for key, _, header, partition in records}
    assert keys["o1"] == keys["o7"] != keys["o2"], "changes of one entry are in order"
    assert "ann@" not in keys["o1"][0]


def test_a_broker_that_is_not_there_is_a_failure_that_tells_no_record(spark: SparkSession) -> None:
    with pytest.raises(DeliveryError, match=r"crm: Kafka did not acknowledge") as raised:
        send_kafka(rows(spark, ANN), topic("127.0.0.1:1", timeout_seconds=2))
    assert "ann@" not in str(raised.value)


# Webhook


def hook_of(url: str | None, **change: Any) -> Delivery:
    given = PLAIN | {"kind": "http", "url": url, "backoff_seconds": 0.01} | change
    return Delivery(HttpDestination.model_validate(given), APRIL)


def test_a_webhook_is_told_by_the_executors_and_secrets_are_read_from_the_environment(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_TOKEN", "Bearer s3cret")
    with webhook(script=[500, (429, "0")]) as hook:
        monkeypatch.setenv("CRM_URL", hook.url)
        to = hook_of(
            None, url_env="CRM_URL", secret_headers={"Authorization": "CRM_TOKEN"}, batch_rows=2
        )  # fmt: skip
        assert set(outcomes(send_http(rows(spark, ANN, BOB, CAT), to)).values()) == {
            ("accepted", None)
        }
        assert hook.held == {"top": {"ann@x.org", "bob@x.org"}, "lost": {"cat@x.org"}}
        assert [len(request.body["changes"]) for request in hook.requests] == [2, 2, 2, 1]
        assert {r.headers["Authorization"] for r in hook.requests} == {"Bearer s3cret"}


def test_reading_outcomes_again_sends_nothing_again(spark: SparkSession) -> None:
    with webhook() as hook:
        receipt = send_http(rows(spark, ANN, BOB), hook_of(hook.url, parallel=2))
        assert outcomes(receipt) == outcomes(receipt)
        assert len(hook.requests) == 2


def test_a_webhook_that_hangs_is_waited_for_so_long_and_no_longer(spark: SparkSession) -> None:
    with webhook(script=[HANG] * 9, hang_seconds=20) as hook:
        to = hook_of(
            hook.url,
            timeout_seconds=0.2,
            attempts=2,
            batch_rows=1,
            breaker_failures=1,
            breaker_seconds=0,
        )
        found = outcomes(send_http(rows(spark, ANN, BOB, CAT), to))
        assert sorted(found.values()) == [
            ("failed", "timeout"), ("failed", "timeout"), ("waiting", "circuit_open"),
        ]  # fmt: skip
        assert len(hook.requests) == 3


def test_the_two_big_platforms_are_told_in_their_forms(spark: SparkSession) -> None:
    google = "audience_id string, outbox_id string, operation string, hashed_email string, lifetime_value_micros bigint, lifetime_value_bucket int, lifecycle_stage string"  # noqa: E501
    meta = "audience_id string, outbox_id string, operation string, EMAIL string, LOOKALIKE_VALUE double"
    with webhook() as hook:
        lines = [
            ("top", "o1", "add", "aa", 120_000_000, 10, "Active"),
            ("top", "o2", "remove", "bb", None, None, None),
        ]
        to = hook_of(hook.url, layout="google", hashed=True)
        send_http(spark.createDataFrame(lines, google), to)
        (request,) = hook.requests
        assert request.body == {
            "operations": [
                {"create": {"userIdentifiers": [{"hashedEmail": "aa"}], "userAttribute": {
                    "lifetimeValueMicros": 120_000_000, "lifetimeValueBucket": 10, "lifecycleStage": "Active"}}},
                {"remove": {"userIdentifiers": [{"hashedEmail": "bb"}]}},
            ]
        }  # fmt: skip
    with webhook() as hook:
        many = [
            ("top", "o1", "add", "aa", 120.5),
            ("top", "o2", "add", "cc", None),
            ("top", "o3", "remove", "bb", None),
        ]
        to = hook_of(hook.url + "/{audience_id}", layout="meta", hashed=True)
        send_http(spark.createDataFrame(many, meta), to)
        told = {(r.method, r.path): r.body["payload"] for r in hook.requests}
        assert told == {
            ("POST", "/hook/top"): {"schema": ["EMAIL", "LOOKALIKE_VALUE"], "data": [["aa", 120.5], ["cc", 0]]},
            ("DELETE", "/hook/top"): {"schema": ["EMAIL"], "data": [["bb"]]},
        }  # fmt: skip


# Files


def file_of(folder: Path, **change: Any) -> Delivery:
    given = PLAIN | {"format": "parquet"} | change
    return Delivery(FileDestination.model_validate(given), APRIL, folder)


def test_parquet_has_types_and_a_file_no_more_rows_than_it_may(
    spark: SparkSession, tmp_path: Path
) -> None:
    files = send_files(rows(spark, ANN, BOB, CAT), file_of(tmp_path, max_rows_per_file=1)).files
    assert [(f.name, f.rows) for f in files] == [
        ("lost.parquet", 1), ("top.parquet", 1), ("top_1.parquet", 1),
    ]  # fmt: skip
    found = parquet.read_table(tmp_path / "crm/2026-04-01/top.parquet").to_pylist()
    assert found == [
        {"outbox_id": "o1", "operation": "add", "email": "ann@x.org", "clv_decile": 1, "clv": 9.5}
    ]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_mirror_of_nobody_is_a_file_without_rows(
    spark: SparkSession, tmp_path: Path, form: str
) -> None:
    to = file_of(tmp_path, format=form, mode="mirror")
    files = send_files(rows(spark, ANN), to).files
    assert {(f.name, f.rows) for f in files} == {(f"top.{form}", 1), (f"lost.{form}", 0)}
    folder = tmp_path / "crm/2026-04-01"
    listed = {f["name"]: f for f in json.loads((folder / "manifest.json").read_text())["files"]}
    assert set(listed) == {f"top.{form}", f"lost.{form}"}
    empty = spark.read.format(form.replace("jsonl", "json")).option("header", True)
    assert empty.schema("email string").load(str(folder / f"lost.{form}")).count() == 0


def test_every_kind_has_a_sender() -> None:
    from clvspark.activation.destinations.senders import SENDERS

    kinds = {
        model.model_fields["kind"].annotation.__args__[0] for model in Destination.__subclasses__()
    }
    assert set(SENDERS) == kinds
