"""Write the JSON Schemas of all definitions in YAML to conf/schema, and check offers and moments in conf."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from clvspark.audiences.decisions.definitions import (  # noqa: E402 - found by the line above
    SCHEMAS,
    read_definitions,
    render_schema,
)
from clvspark.audiences.decisions.offers import Offer  # noqa: E402
from clvspark.audiences.moments.definitions import Moment  # noqa: E402
from clvspark.audiences.rules.schema import audience_schema  # noqa: E402
from clvspark.reporting.dashboards.definition import dashboard_schema  # noqa: E402
from clvspark.reporting.own_tables import OwnTable  # noqa: E402

FOLDER = ROOT / "conf" / "schema"


def render_schemas() -> dict[str, str]:
    """Each file as it should be, by name."""
    texts = {f"{name}.schema.json": render_schema(model) for name, model in SCHEMAS.items()}
    others = {"audience.json": audience_schema(), "dashboard.schema.json": dashboard_schema()}
    texts["table.schema.json"] = render_schema(OwnTable)
    for name, schema in others.items():
        texts[name] = f"{json.dumps(schema, indent=2, ensure_ascii=False)}\n"
    return texts


def main() -> None:
    """Write one file a kind of definition."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in render_schemas().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print((FOLDER / name).relative_to(ROOT))
    offers = read_definitions(ROOT / "conf" / "offers", Offer)
    moments = read_definitions(ROOT / "conf" / "moments", Moment)
    print(f"{len(offers)} offers and {len(moments)} moments are valid")


if __name__ == "__main__":
    main()
