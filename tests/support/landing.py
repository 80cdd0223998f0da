"""Landing files and table versions, read without the product's code."""

from __future__ import annotations

import csv
import json
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pyarrow.parquet as pq


def amounts_of(landing: Path) -> list[Decimal]:
    """Readable amounts of all order lines."""
    texts: list[object] = []
    for path in landing.glob("till/*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            texts += [row["amount"] for row in csv.DictReader(file)]
    for path in landing.glob("web/*orders*.jsonl"):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        texts += [parsed.get("amount") for line in lines if (parsed := parse(line)) is not None]
    for path in landing.glob("app/orders*.parquet"):
        texts += pq.read_table(path)["amount"].to_pylist()
    amounts = []
    for text in texts:
        try:
            amounts.append(Decimal(str(text)))
        except InvalidOperation:
            continue
    return amounts


def parse(line: str) -> dict[str, object] | None:
    """One line of JSON, None if it is not."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def newest_versions(lakehouse: Path) -> dict[str, str]:
    """Name of the newest log file of every table but the run log's."""
    logs = (log for log in lakehouse.glob("*/*/_delta_log") if log.parts[-3] != "ops")
    return {
        f"{log.parts[-3]}.{log.parts[-2]}": max(path.name for path in log.glob("*.json"))
        for log in logs
    }
