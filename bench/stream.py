"""From an event to a row of the outbox: the stream on a landing folder that is filled at a rate.

python -m bench.stream [--persons N] [--events-a-person N] [--rate N] [--minutes N] [--backlog-minutes N]

Persons with a history are made up, the day is begun by the batch, and then files land, one a second, as a shop writes
them: views, carts and orders of persons who exist. At the end a backlog lands at once. Prints how long it took from the
arrival of a file to its rows of the outbox, by step, whether the lag grew, and how fast the backlog was taken.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import fmean, quantiles
from typing import Any

import numpy as np
import yaml
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from bench.history import draw
from bench.processes import CACHE
from bench.results import ROOT, write_result
from clvspark.config import read_config
from clvspark.lakehouse import SparkConfig, build_session
from clvspark.live.status import ask_to_stop, read_batches

FOLDER = CACHE / "stream"
PATIENCE_SECONDS = 3600
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


def main() -> None:
    """Make a retailer, begin the day, drive the stream, tell what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--persons", type=int, default=500_000)
    parser.add_argument("--events-a-person", type=int, default=10)
    parser.add_argument("--rate", type=int, default=500, help="events a second")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--backlog-minutes", type=float, default=5)
    parser.add_argument("--driver-memory", default="6g")
    parser.add_argument("--only-past", action="store_true", help="make the past and end")
    given = parser.parse_args()
    if given.only_past:
        spark = build_session(SparkConfig(driver_memory=given.driver_memory))  # type: ignore[call-arg]
        make_past(spark, given.persons, given.persons * given.events_a_person)
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    # In a process of its own, whose memory is free again for the stream.
    subprocess.run(
        [sys.executable, "-m", "bench.stream", "--only-past", *sys.argv[1:]], check=True, cwd=ROOT
    )
    config_file = write_config(given.driver_memory)
    config = read_config(config_file)
    with (FOLDER / "stream.log").open("w") as log:
        command = [sys.executable, "-m", "clvspark.cli", "stream", "--config", str(config_file)]
        stream = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            opened = wait_until_open(stream)
            began = time.time()
            landed = land_at_rate(given.rate, round(given.minutes * 60), given.persons, stream)
            steady_until = time.time()
            wait_until_taken(config, landed, stream)
            backlog = round(given.backlog_minutes * 60)
            seconds = take_backlog(config, given.rate, backlog, given.persons, landed, stream)
            ask_to_stop(config)
            stream.wait(PATIENCE_SECONDS)
        finally:
            stream.kill()
    batches = [b for b in reversed(read_batches(config)) if b["first_arrival_at"] is not None]
    steady = [b for b in batches if began - 5 < b["first_arrival_at"].timestamp() < steady_until]
    result = {
        **{name: value for name, value in vars(given).items() if name != "only_past"},
        "opened_seconds": opened,
        **describe(steady),
        "backlog_drained_at_times_the_rate": round(backlog / seconds, 2) if backlog else None,
    }
    print(json.dumps(result, indent=2))
    print(f"written to {write_result(f'stream_{given.persons}', result)}")


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
    rows.select(
        F.concat(F.lit("p"), "n").alias("id"),
        F.when(is_order, "order").otherwise("view").alias("type"),
        F.concat(F.lit("c"), draw("record", persons)).alias("customer"),
        F.date_format(at, "yyyy-MM-dd HH:mm:ss").alias("at"),
        F.lit("web").alias("channel"),
        F.when(is_order, order).alias("order"),
        F.when(
            is_order, ((draw("cents", 20_000) + 100) / 100).cast("decimal(18,2)").cast("string")
        ).alias("amount"),
    ).write.parquet(f"{landing}/past")
    (FOLDER / "landing" / "live").mkdir()
    land("begin", [event(0, 0, np.random.default_rng(0))])


def write_config(memory: str) -> Path:
    """Configuration of the retailer."""
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
    shutil.copy(ROOT / "conf" / "base.yaml", FOLDER)
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


def land(name: str, events: list[dict[str, Any]]) -> None:
    """A file lands, whole."""
    draft = FOLDER / f"{name}.draft"
    draft.write_text("\n".join(map(json.dumps, events)) + "\n")
    draft.rename(FOLDER / "landing" / "live" / f"{name}.jsonl")


def land_at_rate(rate: int, seconds: int, persons: int, stream: subprocess.Popen) -> int:
    """A file a second; the number of events that landed."""
    chance, begin = np.random.default_rng(1), time.monotonic()
    for second in range(seconds):
        first = 1 + second * rate
        land(f"live{second:06d}", [event(first + n, persons, chance) for n in range(rate)])
        refuse_ended(stream)
        time.sleep(max(0.0, begin + second + 1 - time.monotonic()))
    return rate * seconds


def take_backlog(
    config: Any, rate: int, seconds: int, persons: int, landed: int, stream: subprocess.Popen
) -> float:
    """Land at once what comes in so many seconds; how long it took until all was taken."""
    chance, begin = np.random.default_rng(2), time.monotonic()
    for second in range(seconds):
        first = 1 + landed + second * rate
        land(f"more{second:06d}", [event(first + n, persons, chance) for n in range(rate)])
    wait_until_taken(config, landed + rate * seconds, stream)
    return time.monotonic() - begin


def wait_until_open(stream: subprocess.Popen) -> float:
    """Return when the day has begun and the query runs; the seconds it took."""
    begin = time.monotonic()
    while not list((FOLDER / "lakehouse" / "_stream").glob("commits/*")):
        refuse_ended(stream)
        time.sleep(1)
    return round(time.monotonic() - begin, 1)


def wait_until_taken(config: Any, events: int, stream: subprocess.Popen) -> None:
    """Return when so many events have been taken by micro-batches."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while sum(batch["events"] for batch in read_batches(config)) < events:
        refuse_ended(stream)
        assert time.monotonic() < deadline, "the stream does not keep up"
        time.sleep(0.5)


def refuse_ended(stream: subprocess.Popen) -> None:
    """End with what the stream said, if it has ended."""
    if stream.poll() is not None:
        sys.exit((FOLDER / "stream.log").read_text()[-3000:])


def describe(batches: list[dict[str, Any]]) -> dict[str, Any]:
    """Latency, lag and steps of micro-batches; the files of one arrived evenly between its first and its last."""
    latencies: list[float] = []
    lags: list[float] = []
    steps: dict[str, list[float]] = {}
    for batch in batches:
        first, last = (batch[f"{end}_arrival_at"].timestamp() for end in ("first", "last"))
        files = batch["files"]
        arrivals = [first + (last - first) * n / max(files - 1, 1) for n in range(files)]
        latencies += [batch["decided_at"].timestamp() - arrival for arrival in arrivals]
        lags.append(batch["started_at"].timestamp() - first)
        for name, took in json.loads(batch["seconds"]).items():
            steps.setdefault(name, []).append(took)
    marks = quantiles(latencies, n=100, method="inclusive")
    third = max(len(lags) // 3, 1)
    return {
        "batches": len(batches),
        "latency_p50_seconds": round(marks[49], 2),
        "latency_p95_seconds": round(marks[94], 2),
        "lag_seconds_first_third": round(fmean(lags[:third]), 2),
        "lag_seconds_last_third": round(fmean(lags[-third:]), 2),
        "step_seconds": {name: round(fmean(took), 2) for name, took in steps.items()},
    }


if __name__ == "__main__":
    main()
