"""Run a program and measure how much of the machine other programs had meanwhile."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_EVERY = 0.5  # seconds between two looks at the processes


@dataclass(frozen=True)
class Measured:
    """What a program printed, how long it took, and the share of the machine that it could not have."""

    done: subprocess.CompletedProcess[str]
    seconds: float
    others: float


def run_measured(command: list[str], *, cwd: Path, env: dict[str, str], timeout: float) -> Measured:
    """Run `command`; `others` is the CPU time spent on other processes and stolen, of all CPU time there was."""
    own: dict[int, float] = {}
    ended = threading.Event()

    def watch(program: psutil.Process) -> None:
        while not ended.wait(_EVERY):
            for process in _family(program):
                own[process.pid] = _cpu_seconds(process) or own.get(process.pid, 0.0)

    before, started = _busy_seconds(), time.monotonic()
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        watcher = threading.Thread(target=watch, args=[psutil.Process(program.pid)])
        watcher.start()
        try:
            out, err = program.communicate(timeout=timeout)
        finally:
            program.kill()
            ended.set()
            watcher.join()
    seconds = time.monotonic() - started
    others = max(0.0, _busy_seconds() - before - sum(own.values()))
    done = subprocess.CompletedProcess(command, program.returncode, out, err)
    return Measured(done, seconds, others / (seconds * (os.cpu_count() or 1)))


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
