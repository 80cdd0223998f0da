"""Keep the contracts of the format of now in tests/support/contracts, which the next format is held against.

Run it when a format is new, and when columns of a format that is not released yet have changed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from clvspark.catalogue import TABLES  # noqa: E402 - found by the line above
from clvspark.lakehouse.formats import FORMAT_VERSION, properties_of  # noqa: E402
from clvspark.lakehouse.table import Column, Table  # noqa: E402

FOLDER = ROOT / "tests" / "support" / "contracts"


def describe_table(table: Table) -> dict[str, Any]:
    """What is kept of a contract: all that a stored table shows of it."""
    return {
        "columns": {column.name: _describe(column) for column in table.columns},
        "cluster_by": list(table.cluster_by),
        "properties": properties_of(table),
    }


def _describe(column: Column) -> str:
    return column.type + (" key" if column.key else " required" if column.required else "")


def main() -> None:
    """Write the file of the format of now."""
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"format_{FORMAT_VERSION}.json"
    found = {name: describe_table(table) for name, table in TABLES.items()}
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(file.relative_to(ROOT))


if __name__ == "__main__":
    main()
