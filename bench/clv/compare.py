"""Side by side, one after the other: what each library takes to fit and to score the same customers.

python -m bench.clv.compare [--customers N] [--engines NAME ...] [--models NAME ...] [--runs K]

Customers are simulated once, with known parameters. Every engine runs in a process of its own, reads them from Parquet
and is warm; ours groups them in Spark and writes every customer's scores to Delta, the others keep theirs in memory.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.processes import CACHE, measure_process, python_with
from bench.results import ROOT, write_result

HERE = Path(__file__).parent
PEERS = {"lifetimes": "Lifetimes==0.11.3", "pymc": "pymc-marketing==0.19.2"}
ENGINES = ["clvspark", *PEERS]
MODELS = ["bg_nbd", "pareto_nbd"]
MEASURES = ("fit_seconds", "score_seconds")
console = Console(highlight=False)


def main() -> None:
    """Prepare, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--runs", type=int, default=1, help="of each engine; medians are shown")
    given = parser.parse_args()
    folder = prepare_customers(given.customers)
    runs = {engine: [] for engine in given.engines}  # type: dict[str, list[dict[str, Any]]]
    for _ in range(given.runs):
        for engine in given.engines:
            runs[engine].append(measure(engine, folder, given.models))
    summed = {engine: summarise(found, given.models) for engine, found in runs.items()}
    print_table(summed, given.models, given.customers)
    result = {"customers": given.customers, "peers": PEERS, "engines": summed, "runs": runs}
    console.print(f"written to {write_result(f'clv_{given.customers}', result)}")


def prepare_customers(number: int) -> Path:
    """Folder with the customers; simulated where it is missing."""
    folder = CACHE / "clv" / str(number)
    if not (folder / "customers").exists():
        console.print(f"simulating {number:,} customers, once")
        command = [sys.executable, "-m", "bench.clv.customers", "--customers", str(number)]
        subprocess.run([*command, "--out", folder / "made"], check=True, cwd=ROOT)
        (folder / "made").rename(folder / "customers")
    return folder


def measure(engine: str, folder: Path, models: list[str]) -> dict[str, Any]:
    """Run one engine in a process of its own."""
    console.print(f"running {engine}")
    arguments: list[object] = ["--customers", folder / "customers", "--models", *models]
    if engine in PEERS:
        python = python_with("clv-peers", *PEERS.values(), "pyarrow")
        command = [python, HERE / "peer_engine.py", engine, *arguments]
    else:
        command = [sys.executable, HERE / "engine.py", *arguments, "--out", folder / "out"]
    return measure_process(command, folder / f"{engine}.log")


def summarise(runs: list[dict[str, Any]], models: list[str]) -> dict[str, Any]:
    """Medians of the runs of one engine, by model; its parameters, and the peak of its memory."""
    for run in runs:
        if "error" in run:
            return {"error": run["error"]}
    found: dict[str, Any] = {"peak_gib": max(run["peak_gib"] for run in runs)}
    for model in models:
        found[model] = {name: median(run[model][name] for run in runs) for name in MEASURES}
        found[model]["params"] = runs[0][model]["params"]
    return found


def print_table(engines: dict[str, dict[str, Any]], models: list[str], customers: int) -> None:
    """Seconds of each engine, and how often ours fit into those of the fastest other."""
    table = Table(title=f"{customers:,} customers", title_justify="left")
    for name in (
        "engine",
        *(f"{m} {name.split('_')[0]} s" for m in models for name in MEASURES),
        "peak GiB",
    ):
        table.add_column(name, justify="left" if name == "engine" else "right")
    keys = [(model, name) for model in models for name in MEASURES]
    for engine, found in engines.items():
        if "error" in found:
            table.add_row(engine, found["error"])
            continue
        values = [f"{found[model][name]:,.1f}" for model, name in keys]
        table.add_row(engine, *values, f"{found['peak_gib']:.1f}")
    console.print(table)
    rivals = [found for name, found in engines.items() if name in PEERS and "error" not in found]
    ours = engines.get("clvspark", {"error": ""})
    if rivals and "error" not in ours:
        for model, name in keys:
            ratio = min(found[model][name] for found in rivals) / ours[model][name]
            console.print(
                f"{model} {name.split('_')[0]}: {ratio:.1f} times as fast as the faster peer"
            )


if __name__ == "__main__":
    main()
