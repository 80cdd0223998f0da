"""The retailer before the stream: persons with a history, its configuration, and the events of now."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from bench.history import draw
from bench.processes import CACHE
from bench.results import ROOT
from bench.stream.feeds import TOPIC, FolderFeed

FOLDER = CACHE / "stream"
LIVE = FOLDER / "landing" / "live"
_EVENT = {
    "event_id": "id",
    "event_type": "type",
    "source_record_id": "customer",
    "occurred_at": "at",
    "channel": "channel",
    "order_id": "order",
    "net_revenue": "amount",
}
_RECORD = {name: name for name in ("source_record_id", "given_name", "surname", "email")}
_CONSENT = {
    "consent_id": "id",
    "source_record_id": "customer",
    "channel": {"value": "email"},
    "purpose": {"value": "marketing"},
    "val": {"value": "y"},
    "recorded_at": "at",
}
_WITHIN = {"within_hours": 24}
_STEPS = 1_000_000
_AUDIENCES = [
    {
        "id": "cart_left",
        "name": "Left something in the cart today",
        "evaluation": "stream",
        "include": {"event": {"type": "cart", "at_least": 1, **_WITHIN}},
        "exclude": {"event": {"type": "order", "at_least": 1, **_WITHIN}},
    },
    {
        "id": "looking",
        "name": "Looked at something today",
        "evaluation": "stream",
        "include": {"event": {"type": "view", "at_least": 1, **_WITHIN}},
    },
]


def make_past(spark: SparkSession, persons: int, events: int) -> None:
    """Records, consents and events of the last two years, as files of three systems' worth."""
    landing = str(FOLDER / "landing")
    people = spark.range(persons).withColumn("n", F.col("id"))
    name = F.concat(F.lit("c"), "n")
    people.select(
        name.alias("source_record_id"),
        F.concat(F.lit("Given"), draw("given", 2_000)).alias("given_name"),
        F.concat(F.lit("Sur"), draw("sur", 50_000)).alias("surname"),
        F.concat(name, F.lit("@example.com")).alias("email"),
    ).write.parquet(f"{landing}/records")
    people.select(
        F.concat(F.lit("s"), "n").alias("id"),
        name.alias("customer"),
        F.lit("2024-01-01 00:00:00").alias("at"),
    ).write.parquet(f"{landing}/consents")
    rows = spark.range(events).withColumn("n", F.col("id"))
    midnight = datetime.combine(datetime.now(UTC).date(), datetime.min.time())
    at = F.lit(str(midnight)).cast("timestamp") - F.make_dt_interval(
        draw("day", 730), draw("hour", 23), F.lit(59)
    )
    is_order = draw("type", 2) == 0
    order = F.concat(F.lit("o"), "n")
    # Some are customers more than others, as a model of how they differ needs.
    whose = F.floor(persons * F.pow(draw("record", _STEPS) / _STEPS, 2)).cast("bigint")
    rows.select(
        F.concat(F.lit("p"), "n").alias("id"),
        F.when(is_order, "order").otherwise("view").alias("type"),
        F.concat(F.lit("c"), whose).alias("customer"),
        F.date_format(at, "yyyy-MM-dd HH:mm:ss").alias("at"),
        F.lit("web").alias("channel"),
        F.when(is_order, order).alias("order"),
        F.when(
            is_order, ((draw("cents", 20_000) + 100) / 100).cast("decimal(18,2)").cast("string")
        ).alias("amount"),
    ).write.parquet(f"{landing}/past")
    LIVE.mkdir()
    FolderFeed(LIVE).land("begin", [event(0, 0, np.random.default_rng(0))])


def write_config(memory: str, broker: str | None) -> Path:
    """Configuration of the retailer; with a `broker` the events of now are records of its topic."""
    files = [
        {"path": "records/*.parquet", "format": "parquet", "outputs": [{"to": "customer_record", "fields": _RECORD}]},
        {"path": "consents/*.parquet", "format": "parquet", "outputs": [{"to": "consent", "fields": _CONSENT}]},
        {"path": "past/*.parquet", "format": "parquet", "outputs": [{"to": "event", "fields": _EVENT}]},
        {"path": "live/*.jsonl", "format": "jsonl", "outputs": [{"to": "event", "fields": _EVENT}]},
    ]  # fmt: skip
    attributes = [{"column": "email", "kind": "email", "compare": False}]
    mailer = {
        "id": "mailer",
        "kind": "file",
        "format": "csv",
        "channel": "email",
        "identifier": "email",
        "hashed": False,
        "audiences": [a["id"] for a in _AUDIENCES],
    }
    config: dict[str, Any] = {
        "extends": "base.yaml",
        "as_of": date.today() + timedelta(days=1),  # noqa: DTZ011 - overridden by the stream
        "spark": {"driver_memory": memory},
        "lakehouse": {"root": str(FOLDER / "lakehouse")},
        "sources": {"landing": str(FOLDER / "landing"), "systems": [{"system": "shop", "files": files}]},
        "identity": {"settings": {"attributes": attributes, "trusted_identifiers": ["email"]}},
        "clv": {"models": ["NBDModel"], "backtest": {"folds": 1}, "challenger": {"enabled": False}},
        "audiences": {"definitions": _AUDIENCES},
        "activation": {"exports": str(FOLDER / "exports"), "destinations": [mailer]},
        "reporting": {"page": str(FOLDER / "report.html")},
    }  # fmt: skip
    if broker is not None:
        topic = {
            "bootstrap_servers": broker,
            "topic": TOPIC,
            "system": "shop",
            "path": "live/*.jsonl",
        }
        config["stream"] = {"kafka": [topic]}
    shutil.copytree(ROOT / "conf", FOLDER, dirs_exist_ok=True)
    file = FOLDER / "stream.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


def event(number: int, persons: int, chance: np.random.Generator) -> dict[str, Any]:
    """An event of now."""
    kind = ("view", "cart", "order")[chance.choice(3, p=(8 / 12, 3 / 12, 1 / 12))]
    told = {
        "id": f"n{number}",
        "type": kind,
        "customer": f"c{chance.integers(max(persons, 1))}",
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
        "channel": "web",
    }
    if kind == "order":
        told |= {"order": f"n{number}", "amount": f"{chance.integers(100, 20_000) / 100:.2f}"}
    return told
