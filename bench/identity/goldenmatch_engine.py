"""GoldenMatch, in an environment of its own: the same records, columns and blocks; it trains a model itself.

Its importer of Splink's models drops most of the comparisons of ours, so that is no fair peer.

python bench/identity/goldenmatch_engine.py --records DIR --out DIR
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path


def main() -> None:
    """Deduplicate, print seconds as JSON on the last line."""
    import goldenmatch
    import pyarrow as pa
    import pyarrow.parquet as pq

    parser = argparse.ArgumentParser()
    for name in ("records", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    given.out.mkdir(parents=True)
    config = Path(__file__).with_name("goldenmatch.yaml")
    start = time.monotonic()
    table = pq.read_table(given.records)
    texts = [field.name for field in table.schema if str(field.type) == "string"]
    result = goldenmatch.dedupe_df(table.select(texts), config=str(config))
    end = time.monotonic()
    ids = table["unique_id"].to_pylist()
    person = dict(enumerate(range(len(ids))))
    clusters = result.clusters.values() if isinstance(result.clusters, dict) else result.clusters
    for number, cluster in enumerate(clusters):
        for member in cluster["members"]:
            person[member] = -1 - number
    columns = {"unique_id": ids, "person_id": [str(person[row]) for row in range(len(ids))]}
    pq.write_table(pa.table(columns), given.out / "clusters.parquet")
    print(json.dumps({"seconds": end - start}))


if __name__ == "__main__":
    main()
