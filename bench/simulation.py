"""How long `clvspark simulate` takes, and what it writes.

python -m bench.simulation [--persons N]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.results import write_result

_COMMAND = [sys.executable, "-m", "clvspark.cli", "simulate", "--seed", "1"]


def main() -> None:
    """Simulate into a temporary folder; print and keep seconds, records and bytes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--persons", type=int, default=1_000_000)
    persons = parser.parse_args().persons
    with tempfile.TemporaryDirectory() as folder:
        out, start = Path(folder) / "out", time.monotonic()
        subprocess.run([*_COMMAND, "--persons", str(persons), "--out", str(out)], check=True)
        seconds = time.monotonic() - start
        manifest = json.loads((out / "truth/manifest.json").read_text(encoding="utf-8"))
        size = sum(file.stat().st_size for file in (out / "landing").rglob("*") if file.is_file())
    result = {
        "persons": persons,
        "seconds": round(seconds, 1),
        "records": manifest["records"],
        "landing_bytes": size,
    }
    print(
        f"{persons:,} persons, {manifest['records']:,} records, {size / 1e9:.1f} GB: {seconds / 60:.1f} minutes"
    )
    print(f"written to {write_result(f'simulation_{persons}', result)}")


if __name__ == "__main__":
    main()
