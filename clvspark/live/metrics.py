"""The stream's state as Prometheus reads it: one text file, replaced after each micro-batch."""

from __future__ import annotations

from collections import Counter, deque
from pathlib import Path
from statistics import quantiles

from clvspark.lakehouse import RunReport
from clvspark.live.decide import Account

_PREFIX = "clvspark_stream"
_WINDOW = 200
_JOURNEYS = {
    "journeys_entered": "journeys that were entered",
    "journeys_ended": "journeys that came to their end",
    "steps_sent": "steps of journeys that were sent",
    "steps_left_out": "steps of journeys that were left out",
    "offers_made": "offers that were made within the day",
}
_TOTALS = {
    "events": "events taken",
    "repeated": "events that were known",
    "quarantined": "landing rows that could not be read",
    "waiting": "events of records that nobody had resolved",
    "moves": "persons entering or leaving audiences",
    "instructions": "rows of the outbox",
}


class Metrics:
    """Sums since the start, and the newest micro-batch."""

    def __init__(self, file: Path | None) -> None:
        """Write to `file`, if there is one."""
        self._file = file
        self._totals: Counter[str] = Counter()
        self._batches = 0
        self._journeys: Counter[str] = Counter()
        self._newest: Account | None = None
        self._latencies: deque[float] = deque(maxlen=_WINDOW)

    def add(self, account: Account) -> None:
        """Count a micro-batch and write the file."""
        self._batches += 1
        self._totals.update({name: account.counts[name] for name in _TOTALS})
        if account.latency is not None:
            self._latencies.append(account.latency)
        self._newest = account
        self._write()

    def add_journeys(self, report: RunReport) -> None:
        """Count what has come of journeys and offers and write the file."""
        self._journeys.update({name: round(report.metrics.get(name, 0)) for name in _JOURNEYS})
        self._write()

    def _write(self) -> None:
        if self._file is None or self._newest is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_name(f"_{self._file.name}")
        draft.write_text("\n".join([*self._lines(self._newest), ""]))
        draft.replace(self._file)

    def _lines(self, account: Account) -> list[str]:
        lines = _one("batches_total", "counter", "micro-batches", self._batches)
        for name, text in _TOTALS.items():
            lines += _one(f"{name}_total", "counter", text, self._totals[name])
        for name, text in _JOURNEYS.items():
            lines += _one(f"{name}_total", "counter", text, self._journeys[name])
        if account.arrivals is not None:
            lag = (account.started_at - account.arrivals[0]).total_seconds()
            lines += _one("lag_seconds", "gauge", "age of the oldest arrival at the start", lag)
        if len(self._latencies) > 1:
            marks = quantiles(self._latencies, n=20, method="inclusive")
            name = f"{_PREFIX}_latency_seconds"
            lines += [f"# HELP {name} first arrival to outbox, over the last {_WINDOW} batches"]
            lines += [f"# TYPE {name} gauge", f'{name}{{quantile="0.5"}} {marks[9]:.3f}']
            lines += [f'{name}{{quantile="0.95"}} {marks[18]:.3f}']
        name = f"{_PREFIX}_step_seconds"
        lines += [f"# HELP {name} steps of the newest micro-batch", f"# TYPE {name} gauge"]
        lines += [f'{name}{{step="{step}"}} {took:.3f}' for step, took in account.seconds.items()]
        ended = account.ended_at.timestamp()
        return lines + _one("last_batch_timestamp_seconds", "gauge", "end of the newest", ended)


def _one(name: str, kind: str, text: str, value: float) -> list[str]:
    full = f"{_PREFIX}_{name}"
    return [f"# HELP {full} {text}", f"# TYPE {full} {kind}", f"{full} {value:.17g}"]
