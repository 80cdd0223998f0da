"""One engine of a comparison: a process of its own, its last line, and the peak of its memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from bench.results import ROOT

CACHE = ROOT / ".cache" / "bench"


def measure_process(
    command: Sequence[object], log: Path, *, time_limit: float = 3600
) -> dict[str, Any]:
    """Run a command; what its last line says in JSON, and ``peak_gib``.

    Memory is the largest sum of the resident sets of the process and its children. Where it fails or is stopped after
    `time_limit` seconds, ``error`` says so; `log` holds what it wrote beside its result.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("w") as errors:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        )
        peak, deadline = 0, time.monotonic() + time_limit
        while process.poll() is None and time.monotonic() < deadline:
            peak = max(peak, _resident(process.pid))
            time.sleep(0.2)
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        return {"error": f"stopped after {time_limit:.0f} s"}
    lines = process.stdout.read().strip().splitlines()  # type: ignore[union-attr]
    if process.returncode != 0:
        return {"error": f"exit code {process.returncode}, see {log.name}"}
    return {**json.loads(lines[-1]), "peak_gib": peak / 2**30}


def _resident(pid: int) -> int:
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    total = 0
    for process in family:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def python_with(name: str, *packages: str) -> Path:
    """A Python with other packages than ours: what peers need does not fit into one environment."""
    home = CACHE / name
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return python
