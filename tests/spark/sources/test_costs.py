"""What a product costs has a day from which it counts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from support.ingest import land

from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.run_log import RunLog
from clvspark.sources import stage
from clvspark.sources.costs import date_costs
from clvspark.sources.tables import PRODUCT, QUARANTINE, SINCE_EVER

APRIL, MAY, JUNE = date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1)
PLAIN = {"to": "product", "fields": {"product_id": "id", "unit_cost": "cost"}}
DATED = {**PLAIN, "fields": {**PLAIN["fields"], "cost_valid_from": "since"}}
Costs = list[tuple[date, str]] | None


def costs_after(lake: Lakehouse) -> dict[str, tuple[str | None, Costs]]:
    """The newest cost of each product, and since when it cost what."""
    return {
        row["product_id"]: (
            None if row["unit_cost"] is None else str(row["unit_cost"]),
            row["costs"] and [(one["valid_from"], str(one["unit_cost"])) for one in row["costs"]],
        )
        for row in lake.read(PRODUCT).collect()
    }


@pytest.mark.slow
def test_another_cost_is_for_orders_from_the_date_of_the_run_that_brings_it(
    lake: Lakehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[date] = []
    monkeypatch.setattr(RunLog, "latest_date_of", lambda *_: max(published, default=None))

    def run(as_of: date, *lines: str) -> dict[str, tuple[str | None, Costs]]:
        config = land(tmp_path, {"p.csv": ["id,cost", *lines]}, {"p.csv": [PLAIN]}, system="shop")
        with lake.writing(stage.STAGE):
            stage.run(lake, config, as_of)
        published.append(as_of)
        return costs_after(lake)

    assert run(APRIL, "rose,1.00", "oak,") == {"rose": ("1.00", None), "oak": (None, None)}
    # The first cost that is known is for all days before it.
    assert run(MAY, "rose,2.00", "oak,9.00") == {
        "rose": ("2.00", [(SINCE_EVER, "1.00"), (MAY, "2.00")]),
        "oak": ("9.00", None),
    }
    # A second correction of one date, then one of a date that others have passed, and a row that says nothing.
    assert run(MAY, "rose,2.50", "oak,9.00")["rose"][1] == [(SINCE_EVER, "1.00"), (MAY, "2.50")]
    costs = [(SINCE_EVER, "1.00"), (MAY, "3.00")]
    assert run(APRIL, "rose,3.00", "oak,")["rose"][1] == costs
    assert run(JUNE, "rose,", "oak,9.00") == {"rose": (None, costs), "oak": ("9.00", None)}


@pytest.mark.slow
def test_costs_are_for_the_days_that_their_system_says(lake: Lakehouse, tmp_path: Path) -> None:
    lines = {
        "p_1.csv": ["id,cost,since", "rose,1.00,2026-01-01", "rose,2.00,2026-03-01"],
        "p_2.csv": ["id,cost,since", "rose,2.20,2026-03-01", "rose,3.00,2026-09-01"],
    }
    config = land(tmp_path, lines, {"p_*.csv": [DATED]}, system="shop")
    with lake.writing(stage.STAGE):
        report = stage.run(lake, config, APRIL)
    days = [date(2026, month, 1) for month in (1, 3, 9)]
    assert costs_after(lake) == {
        "rose": ("3.00", list(zip(days, ("1.00", "2.20", "3.00"), strict=True)))
    }
    assert report.warnings == [], "older rows of a product are no fault"
    assert {row["reason"] for row in lake.read(QUARANTINE).collect()} == {"superseded"}


def test_dated_costs_take_the_place_of_what_was_known_from_their_first_day_on(
    lake: Lakehouse,
) -> None:
    spark = lake.spark
    known = [(SINCE_EVER, "1.00"), (APRIL, "2.00"), (JUNE, "3.00")]
    entries = [{"valid_from": day, "unit_cost": Decimal(c)} for day, c in known]
    stored = PRODUCT.rows(spark, [{"product_id": "rose", "unit_cost": "3.00", "costs": entries}])
    rows = PRODUCT.rows(
        spark, [{"product_id": "rose", "unit_cost": "2.50", "cost_valid_from": "2026-05-01"}]
    )
    landed = rows.selectExpr("*", "'p.csv' AS _file", "array() AS _reasons")
    (row,) = date_costs(rows, landed, stored, published=JUNE, as_of=JUNE).collect()
    assert [(one["valid_from"], str(one["unit_cost"])) for one in row["costs"]] == [
        *known[:2], (MAY, "2.50")
    ]  # fmt: skip
