"""Write the JSON Schemas of offers and moments to conf/schema, and check the definitions in conf by them."""

from __future__ import annotations

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


def main() -> None:
    """Write one file a kind of definition."""
    folder = ROOT / "conf" / "schema"
    folder.mkdir(exist_ok=True)
    for name, model in SCHEMAS.items():
        path = folder / f"{name}.schema.json"
        path.write_text(render_schema(model), encoding="utf-8")
        print(path.relative_to(ROOT))
    offers = read_definitions(ROOT / "conf" / "offers", Offer)
    moments = read_definitions(ROOT / "conf" / "moments", Moment)
    print(f"{len(offers)} offers and {len(moments)} moments are valid")


if __name__ == "__main__":
    main()
