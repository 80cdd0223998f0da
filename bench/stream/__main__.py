"""From an event to a row of the outbox: the stream on a source that is filled at a rate.

python -m bench.stream [--source folder|kafka] [--persons N] [--events-a-person N] [--rate N] [--minutes N] ...

Persons with a history are made up, the day is begun by the batch, and then events arrive: views, carts and orders of
persons who exist, those of a second together, as a file of a shop or as records of a topic of a broker of its own. At
the end a backlog arrives at once. Prints how long it took from the arrival of an event to its rows of the outbox, by
step, whether the lag grew, and how fast the backlog was taken.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from bench.results import ROOT, write_result
from bench.stream.feeds import Feed, FolderFeed, open_topic
from bench.stream.latency import describe
from bench.stream.past import FOLDER, LIVE, event, make_past, write_config
from clvspark.config import read_config
from clvspark.lakehouse import SparkConfig, build_session
from clvspark.live.status import ask_to_stop, read_batches

PATIENCE_SECONDS = 3600


def main() -> None:
    """Make a retailer, begin the day, drive the stream, tell what it took."""
    given = read_arguments()
    if given.only_past:
        spark = build_session(SparkConfig(driver_memory=given.driver_memory))  # type: ignore[call-arg]
        make_past(spark, given.persons, given.persons * given.events_a_person)
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    # In a process of its own, whose memory is free again for the stream.
    subprocess.run(
        [sys.executable, "-m", "bench.stream", "--only-past", *sys.argv[1:]], check=True, cwd=ROOT
    )
    with ExitStack() as stack:
        broker: str | None = None
        feed: Feed = FolderFeed(LIVE)
        if given.source == "kafka":
            (FOLDER / "broker").mkdir()
            broker, feed = stack.enter_context(open_topic(FOLDER / "broker"))
        result = drive(given, feed, write_config(given.driver_memory, broker))
    print(json.dumps(result, indent=2))
    print(f"written to {write_result(f'stream_{given.source}_{given.persons}', result)}")


def read_arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--source", choices=["folder", "kafka"], default="folder")
    parser.add_argument("--persons", type=int, default=500_000)
    parser.add_argument("--events-a-person", type=int, default=10)
    parser.add_argument("--rate", type=int, default=500, help="events a second")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--backlog-minutes", type=float, default=5)
    parser.add_argument("--driver-memory", default="6g")
    parser.add_argument("--only-past", action="store_true", help="make the past and end")
    return parser.parse_args()


def drive(given: argparse.Namespace, feed: Feed, config_file: Path) -> dict[str, Any]:
    """Let the stream take what arrives, at the rate and then all at once; what it took."""
    config = read_config(config_file)
    with (FOLDER / "stream.log").open("w") as log:
        command = [sys.executable, "-m", "clvspark.cli", "stream", "--config", str(config_file)]
        stream = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            opened = wait_until_open(stream)
            began = time.time()
            landed = land_at_rate(
                feed, given.rate, round(given.minutes * 60), given.persons, stream
            )
            steady_until = time.time()
            wait_until_taken(config, landed, stream)
            backlog = round(given.backlog_minutes * 60)
            seconds = take_backlog(config, feed, given.rate, backlog, given.persons, landed, stream)
            ask_to_stop(config)
            stream.wait(PATIENCE_SECONDS)
        finally:
            stream.kill()
    batches = [b for b in reversed(read_batches(config)) if b["first_arrival_at"] is not None]
    steady = [b for b in batches if began - 5 < b["first_arrival_at"].timestamp() < steady_until]
    return {
        **{name: value for name, value in vars(given).items() if name != "only_past"},
        "opened_seconds": opened,
        **describe(steady),
        "backlog_drained_at_times_the_rate": round(backlog / seconds, 2) if backlog else None,
    }


def land_at_rate(
    feed: Feed, rate: int, seconds: int, persons: int, stream: subprocess.Popen
) -> int:
    """Let events arrive, those of a second together; their number."""
    chance, begin = np.random.default_rng(1), time.monotonic()
    for second in range(seconds):
        first = 1 + second * rate
        feed.land(f"live{second:06d}", [event(first + n, persons, chance) for n in range(rate)])
        refuse_ended(stream)
        time.sleep(max(0.0, begin + second + 1 - time.monotonic()))
    return rate * seconds


def take_backlog(
    config: Any,
    feed: Feed,
    rate: int,
    seconds: int,
    persons: int,
    landed: int,
    stream: subprocess.Popen,
) -> float:
    """Land at once what comes in so many seconds; how long it took until all was taken."""
    chance, begin = np.random.default_rng(2), time.monotonic()
    for second in range(seconds):
        first = 1 + landed + second * rate
        feed.land(f"more{second:06d}", [event(first + n, persons, chance) for n in range(rate)])
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


if __name__ == "__main__":
    main()
