"""Results of benchmarks, each with the machine it was measured on."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"


def write_result(name: str, result: dict[str, Any]) -> Path:
    """Write a result with the machine it was measured on; return its path below the project."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    text = json.dumps({"machine": describe_machine(), **result}, indent=2)
    path.write_text(text + "\n", encoding="utf-8")
    return path.relative_to(ROOT)


def describe_machine() -> dict[str, Any]:
    """Cores, memory, and versions of what is measured."""
    packages = ("splink", "duckdb", "pyspark", "numpy", "pyarrow")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }
