"""Side by side, one after the other: what each engine takes for the same records with the same trained model.

python -m bench.identity.compare [--records N] [--engines NAME ...] [--runs K]

Records are simulated and standardised once, the model is trained once, outside the time. Every engine runs in a
process of its own; seconds are from records in Parquet to clusters in Parquet, Spark being warm; memory is the
largest sum of the resident sets of the process and its children.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from bench.identity.prepared import prepare_records
from bench.processes import measure_process, python_with
from bench.results import ROOT, write_result

HERE = Path(__file__).parent
SETTINGS = ROOT / "conf" / "identity.yaml"
GOLDENMATCH = "3.22.0"
ENGINES = ["splink-duckdb", "clvspark-local", "splink-spark", "clvspark-distributed", "goldenmatch"]
console = Console(highlight=False)


def main() -> None:
    """Prepare, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument(
        "--runs", type=int, default=1, help="runs of each engine; medians are shown"
    )
    given = parser.parse_args()
    folder = prepare_records(given.records)
    runs = [
        {"engine": engine, **measure(engine, folder)}
        for _ in range(given.runs)
        for engine in given.engines
    ]
    rows = [_summarise(engine, runs, folder) for engine in given.engines]
    _print(rows, given.records)
    result = {
        "records": given.records,
        "goldenmatch": GOLDENMATCH,
        "engines": rows,
        "runs": runs,
    }
    console.print(f"written to {write_result(f'identity_{given.records}', result)}")


def measure(engine: str, folder: Path) -> dict[str, Any]:
    """Run one engine in a process of its own; its numbers and the peak of its memory in GiB."""
    console.print(f"running {engine}")
    arguments = ["--records", folder / "standard", "--out", folder / "out" / engine]
    if engine == "goldenmatch":
        command = [_goldenmatch_python(), HERE / "goldenmatch_engine.py", *arguments]
    else:
        arguments += ["--model", folder / "model.json", "--settings", SETTINGS]
        command = [sys.executable, HERE / "engine.py", engine, *arguments]
    return measure_process(command, folder / f"{engine}.log")


def _goldenmatch_python() -> Path:
    """GoldenMatch needs a DuckDB that Splink does not take, so it lives in an environment of its own."""
    return python_with(f"goldenmatch-{GOLDENMATCH}", f"goldenmatch=={GOLDENMATCH}")


def quality(clusters: Path, truth: Path) -> dict[str, float]:
    """Pairwise precision, recall and F1, and the largest cluster, from the sizes of the contingency cells."""
    pairs = "sum(n * (n - 1) / 2)"
    cells = f"""
        SELECT person_id, person_key, count(*) AS n
        FROM '{clusters}' JOIN '{truth}/*.parquet' USING (unique_id) GROUP BY ALL
    """
    found, linked, true, largest = duckdb.sql(f"""
        WITH cell AS ({cells})
        SELECT (SELECT {pairs} FROM cell),
               (SELECT {pairs} FROM (SELECT sum(n) AS n FROM cell GROUP BY person_id)),
               (SELECT {pairs} FROM (SELECT sum(n) AS n FROM cell GROUP BY person_key)),
               (SELECT max(n) FROM (SELECT sum(n) AS n FROM cell GROUP BY person_id))
    """).fetchall()[0]
    precision, recall = found / linked, found / true
    f1 = 2 * precision * recall / (precision + recall)
    return {"precision": precision, "recall": recall, "f1": f1, "largest_cluster": int(largest)}


def _summarise(engine: str, runs: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    own = [run for run in runs if run["engine"] == engine]
    errors = [run["error"] for run in own if "error" in run]
    if errors:
        return {"engine": engine, "error": errors[0]}
    measured: dict[str, Any] = {
        name: median(run[name] for run in own)
        for name in ("seconds", "link_seconds", "pairs", "peak_gib")
        if name in own[0]
    }
    out = folder / "out" / engine
    clusters = out / (
        "clusters/*.parquet"
        if engine.startswith(("clvspark", "splink-spark"))
        else "clusters.parquet"
    )
    return {"engine": engine, **measured, **quality(clusters, folder / "truth")}


def _print(rows: list[dict[str, Any]], records: int) -> None:
    seconds = {row["engine"]: row.get("seconds") for row in rows}
    peers = {"clvspark-local": "splink-duckdb", "clvspark-distributed": "splink-spark"}
    table = Table(title=f"{records:,} records, {os.cpu_count()} cores", title_justify="left")
    for name in (
        "engine",
        "seconds",
        "against its peer",
        "peak GiB",
        "F1",
        "precision",
        "recall",
        "largest",
    ):
        table.add_column(name, justify="left" if name == "engine" else "right")
    for row in rows:
        if "error" in row:
            table.add_row(row["engine"], row["error"])
            continue
        peer = seconds.get(peers.get(row["engine"], ""))
        ratio = f"{row['seconds'] / peer:.2f} x {peers[row['engine']]}" if peer else ""
        shares = [f"{row[name]:.4f}" for name in ("f1", "precision", "recall")]
        table.add_row(
            row["engine"],
            f"{row['seconds']:,.1f}",
            ratio,
            f"{row['peak_gib']:.1f}",
            *shares,
            str(row["largest_cluster"]),
        )
    console.print(table)


if __name__ == "__main__":
    main()
