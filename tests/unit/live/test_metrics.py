"""The file that Prometheus reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from clvspark.lakehouse import RunReport
from clvspark.live.decide import Account
from clvspark.live.metrics import Metrics

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


def account(number: int, *, events: int, seconds: float) -> Account:
    made = Account("q", number, (NOON, NOON + timedelta(seconds=1)))
    made.started_at = NOON + timedelta(seconds=2)
    made.decided_at = NOON + timedelta(seconds=seconds)
    made.ended_at = made.decided_at + timedelta(seconds=1)
    made.counts["events"] = events
    made.seconds = {"read": 0.25}
    return made


def read(file: Path) -> dict[str, float]:
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_sums_go_up_and_the_rest_is_of_the_newest_batch(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "stream" / "metrics.prom")
    metrics.add(account(1, events=3, seconds=4))
    metrics.add(account(2, events=4, seconds=6))

    found = read(tmp_path / "stream" / "metrics.prom")
    assert found["clvspark_stream_events_total"] == 7
    assert found["clvspark_stream_batches_total"] == 2
    assert found["clvspark_stream_lag_seconds"] == 2
    assert found['clvspark_stream_latency_seconds{quantile="0.5"}'] == 5
    assert found['clvspark_stream_step_seconds{step="read"}'] == 0.25
    assert [path.name for path in (tmp_path / "stream").iterdir()] == ["metrics.prom"]


def test_journeys_are_counted_beside_the_batches(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics.prom")
    metrics.add(account(1, events=3, seconds=4))
    names = ("journeys_entered", "journeys_ended", "steps_sent", "steps_left_out")
    for number in (1, 2):
        came = dict(zip(names, (number, 0, number, 0), strict=True))
        metrics.add_journeys(RunReport("journeys", "success", 1.0, {}, came))

    found = read(tmp_path / "metrics.prom")
    assert found["clvspark_stream_journeys_entered_total"] == 3
    assert found["clvspark_stream_steps_sent_total"] == 3
    assert found["clvspark_stream_journeys_ended_total"] == 0


def test_what_came_without_an_arrival_has_no_latency(tmp_path: Path) -> None:
    relinked = Account("q relinked", 1, None)
    metrics = Metrics(tmp_path / "metrics.prom")
    metrics.add(relinked)

    assert relinked.latency is None
    assert "clvspark_stream_lag_seconds" not in read(tmp_path / "metrics.prom")


def test_without_a_file_nothing_is_written(tmp_path: Path) -> None:
    Metrics(None).add(account(1, events=1, seconds=1))

    assert list(tmp_path.iterdir()) == []
