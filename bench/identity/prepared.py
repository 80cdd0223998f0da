"""Records that the benchmarks share: simulated, standardised and trained on once, kept in the cache."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.results import ROOT

CACHE = ROOT / ".cache" / "bench" / "identity"


def prepare_records(records: int) -> Path:
    """Folder with ``raw/``, ``standard/``, ``truth/`` and ``model.json``; made where it is missing."""
    folder = CACHE / str(records)
    if not all((folder / name).exists() for name in ("raw", "model.json")):
        print(f"simulating and standardising {records:,} records, once", flush=True)
        command = [sys.executable, "-m", "bench.identity.generate", "--records", str(records)]
        subprocess.run([*command, "--out", folder], check=True, cwd=ROOT)
    return folder
