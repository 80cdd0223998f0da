"""Write conf/schema/audience.json from the types of the rule language, without Spark."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from clvspark.audiences.rules.schema import audience_schema  # noqa: E402 - found by the line above

SCHEMA = ROOT / "conf" / "schema" / "audience.json"


def render_schema() -> str:
    """The file as it should be."""
    return json.dumps(audience_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.parent.mkdir(parents=True, exist_ok=True)
    SCHEMA.write_text(render_schema(), encoding="utf-8")
    print(SCHEMA.relative_to(ROOT))
