"""Run a program and measure how much of the machine other programs had meanwhile, and how fast the machine is."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_EVERY = 0.5  # seconds between two looks at the processes
# Text, dictionaries and sorting: what a program of the JVM that is busy with rows does as well.
_YARDSTICK = """
import time
begun, started = time.process_time(), time.perf_counter()
words = [str(n * 2654435761 % 1_000_003) for n in range(400_000)]
counts = {}
for word in words:
    counts[word] = counts.get(word, 0) + 1
sorted(words)
print(time.process_time() - begun, time.perf_counter() - started)
"""
# CPU seconds of the yardstick, while the demo runs, on the machine for which seconds are promised; docs/promises.md
# tells how it was found.
_REFERENCE = 0.34
_EVERY_TRY = 15.0  # seconds between two tries of the yardstick


@dataclass(frozen=True)
class Measured:
    """What a program printed, how long it took, the share of the machine that it could not have, and its speed.

    `speed` is 1 on the machine for which seconds are promised, 0.5 on one half as fast, and never more than 1.
    `used` are the seconds of CPU that the program took, `stalled` those in which some program of the machine had to
    wait, by what it waited for, and `delay` how long the yardstick waited for a second of CPU beside the program; they
    tell a program that computes longer from one that is kept waiting.
    """

    done: subprocess.CompletedProcess[str]
    seconds: float
    others: float
    speed: float
    used: float
    stalled: dict[str, float]
    delay: float


def run_measured(command: list[str], *, cwd: Path, env: dict[str, str], timeout: float) -> Measured:
    """Run `command`; `others` is the CPU time spent on other processes and stolen, of all CPU time there was."""
    own: dict[int, float] = {}
    tries = [_try_yardstick()]
    ended = threading.Event()

    def watch(program: psutil.Process) -> None:
        while not ended.wait(_EVERY):
            for process in _family(program):
                own[process.pid] = _cpu_seconds(process) or own.get(process.pid, 0.0)

    def measure_speed() -> None:
        # While the program runs: a machine that others share is now faster, now slower.
        while not ended.wait(_EVERY_TRY):
            tries.append(_try_yardstick())

    before, stalled, started = _busy_seconds(), _stalled_seconds(), time.monotonic()
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        watchers = [
            threading.Thread(target=watch, args=[psutil.Process(program.pid)]),
            threading.Thread(target=measure_speed),
        ]
        for watcher in watchers:
            watcher.start()
        try:
            out, err = program.communicate(timeout=timeout)
        finally:
            program.kill()
            ended.set()
            for watcher in watchers:
                watcher.join()
    seconds = time.monotonic() - started
    used = sum(own.values())
    others = max(0.0, _busy_seconds() - before - used)
    return Measured(
        done=subprocess.CompletedProcess(command, program.returncode, out, err),
        seconds=seconds,
        others=others / (seconds * (os.cpu_count() or 1)),
        speed=min(1.0, _REFERENCE / statistics.fmean(cpu for cpu, _ in tries)),
        used=used,
        stalled={cause: total - stalled[cause] for cause, total in _stalled_seconds().items()},
        delay=statistics.fmean(wall / cpu for cpu, wall in tries) - 1,
    )


def _try_yardstick() -> tuple[float, float]:
    """Seconds of CPU that the yardstick takes now, and seconds until it is through."""
    tried = subprocess.run(
        [sys.executable, "-c", _YARDSTICK], capture_output=True, check=True, text=True
    )
    cpu, wall = map(float, tried.stdout.split())
    return cpu, wall


def _family(program: psutil.Process) -> list[psutil.Process]:
    try:
        return [program, *program.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _cpu_seconds(process: psutil.Process) -> float | None:
    """CPU time of a process and of its children that have ended; None once it has gone itself."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return None
    return times.user + times.system


def _busy_seconds() -> float:
    """CPU time that all cores together were not idle."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


def _stalled_seconds() -> dict[str, float]:
    """Seconds in which some program waited for the CPU, the disk or memory, as the kernel counts them, if it does."""
    found = {}
    for cause in Path("/proc/pressure").glob("*"):
        # A kernel that was told not to count has the files, and refuses to read them.
        with suppress(OSError):
            some, *_ = cause.read_text().splitlines()
            found[cause.name] = int(some.rpartition("total=")[2]) / 1e6
    return found
