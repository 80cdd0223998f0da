"""Write the JSON Schemas of all definitions in YAML to conf/schema, for editors to complete and check by."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from clvspark.audiences.decisions.offers import Offer  # noqa: E402 - found by the line above
from clvspark.audiences.moments.definitions import Moment  # noqa: E402
from clvspark.audiences.rules.definition import AudienceDefinition  # noqa: E402
from clvspark.lakehouse.json_schema import publish_schema  # noqa: E402
from clvspark.lakehouse.strict_model import StrictModel  # noqa: E402
from clvspark.reporting.dashboards.definition import Dashboard  # noqa: E402
from clvspark.reporting.own_tables import OwnTable  # noqa: E402

FOLDER = ROOT / "conf" / "schema"
KINDS: dict[str, tuple[type[StrictModel], str]] = {
    "audience": (AudienceDefinition, "An audience of clvspark"),
    "dashboard": (Dashboard, "A dashboard of clvspark"),
    "moment": (Moment, "A moment of clvspark"),
    "offer": (Offer, "An offer of clvspark"),
    "table": (OwnTable, "A table of one's own in the star schema of clvspark"),
}


def render_schemas() -> dict[str, str]:
    """Each file as it should be, by name."""
    return {
        f"{name}.json": json.dumps(publish_schema(model, title=title), indent=2, ensure_ascii=False)
        + "\n"
        for name, (model, title) in KINDS.items()
    }


def main() -> None:
    """Write one file a kind of definition."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in render_schemas().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print((FOLDER / name).relative_to(ROOT))


if __name__ == "__main__":
    main()
