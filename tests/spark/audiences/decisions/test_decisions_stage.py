"""The stage as a whole: outcomes are learnt from once, and a rerun decides the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F
from support.retailer import write_people

from clvspark.activation.tables import SUPPRESSION
from clvspark.audiences.decisions import stage
from clvspark.audiences.decisions.config import DecisionsConfig
from clvspark.audiences.decisions.tables import DECISION, OFFER_POSTERIOR
from clvspark.catalogue import TABLES
from clvspark.lakehouse import Column, Lakehouse, RunReport, Table

APRIL, MAY, JUNE = date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1)
CONTEXT = "clv_decile=1|lifecycle_stage=core"
OUTCOME = Table(
    stage.OUTCOMES,
    "What came of the decisions of a date.",
    (
        Column("context", "string", key=True),
        Column("offer_id", "string", key=True),
        Column("decided_on", "date", key=True),
        Column("trials", "bigint"),
        Column("successes", "bigint"),
        Column("margin_sum", "decimal(18,2)"),
        Column("margin_square_sum", "decimal(38,4)"),
    ),
)
GIFT: dict[str, Any] = {
    "id": "gift", "name": "Gift", "goal": "margin", "channels": ["email"], "margin": 50, "stock": 2,
    "limit": {"contacts": 1, "within_days": 90},
}  # fmt: skip
CONFIG = DecisionsConfig.model_validate(
    {
        "offers": [GIFT],
        "points": [{"id": "daily", "ranking": "fixed"}],
        "learning": {"prior_trials": 10},
    }
)


@pytest.fixture
def lake(lake: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> Lakehouse:
    """A lakehouse that knows the outcomes, too."""
    write_people(lake, [APRIL, MAY, JUNE])
    monkeypatch.setattr(lake, "tables", {**TABLES, OUTCOME.name: OUTCOME})
    return lake


def run(
    lake: Lakehouse, day: date, config: DecisionsConfig = CONFIG, *, force: bool = False
) -> RunReport:
    with lake.writing("decide"):
        lake.log.forget_everything()
        lake.log.force = force
        return stage.run(lake, config, day)


def add_outcome(lake: Lakehouse, day: date, trials: int, margin: str) -> None:
    row = {
        "context": CONTEXT,
        "offer_id": "gift",
        "decided_on": day,
        "trials": trials,
        "successes": 1,
    }
    row |= {"margin_sum": margin, "margin_square_sum": str(Decimal(margin) ** 2)}
    rows = OUTCOME.rows(lake.spark, [row])
    lake.merge(OUTCOME, rows)


def believed(lake: Lakehouse, day: date) -> tuple[int, float, str]:
    found = lake.read(OFFER_POSTERIOR).where(
        (F.col("as_of_date") == F.lit(day))
        & (F.col("context") == CONTEXT)
        & (F.col("offer_id") == "gift")
    )
    row = found.collect()[0]
    return row["trials"], row["mean"], row["posterior_id"]


def offers(lake: Lakehouse) -> dict[str, list[str]]:
    rows = lake.read(DECISION).orderBy("as_of_date", "person_id").collect()
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(str(row["as_of_date"]), []).append(f"{row['person_id']} {row['offer_id']}")
    return found


@pytest.mark.slow
def test_stock_and_limits_hold_over_dates_and_a_rerun_gives_the_same(lake: Lakehouse) -> None:
    first = run(lake, APRIL)
    assert (first.metrics["decisions"], first.metrics["offers_made"]) == (3, 2)
    once = offers(lake)
    assert sorted(decision.split()[1] for decision in once[str(APRIL)]) == ["gift", "gift", "none"]
    assert run(lake, APRIL).status == "unchanged"
    run(lake, APRIL, force=True)
    assert offers(lake) == once
    more = CONFIG.model_copy(update={"offers": [CONFIG.offers[0].model_copy(update={"stock": 9})]})
    run(lake, MAY, more)
    may = offers(lake)[str(MAY)]
    left = next(name for name in ("ann", "bob", "cat") if f"{name} gift" not in once[str(APRIL)])
    assert [decision for decision in may if decision.endswith("gift")] == [f"{left} gift"]


@pytest.mark.slow
def test_each_outcome_counts_once_from_the_day_after(lake: Lakehouse) -> None:
    add_outcome(lake, APRIL, 10, "100.00")
    run(lake, APRIL)
    rows = lake.read(OFFER_POSTERIOR).where("offer_id = 'gift'").collect()
    assert [(row["context"], row["trials"]) for row in rows] == [("*", 0)], "not yet known"

    run(lake, MAY)
    trials, mean, posterior = believed(lake, MAY)
    assert (trials, mean) == (10, pytest.approx((10 * 50 * 0.05 + 100) / 20))
    add_outcome(lake, APRIL, 10, "100.00")  # summed again, as by a rerun
    add_outcome(lake, JUNE, 99, "999.00")
    run(lake, MAY, force=True)
    assert believed(lake, MAY) == (10, mean, posterior)

    add_outcome(lake, MAY, 20, "0.00")
    run(lake, JUNE)
    assert believed(lake, JUNE)[:2] == (30, pytest.approx((10 * 50 * 0.05 + 100) / 40))
    forgetful = CONFIG.model_copy(
        update={"learning": CONFIG.learning.model_copy(update={"memory_days": 31})}
    )
    run(lake, JUNE, forgetful)
    assert believed(lake, JUNE)[0] == 20


def test_without_points_or_outcomes_there_is_nothing_to_decide(
    open_lake: Callable[[Path], Lakehouse], tmp_path: Path
) -> None:
    lake = open_lake(tmp_path / "other")
    write_people(lake, [APRIL])
    run(lake, APRIL, DecisionsConfig.model_validate({"offers": [GIFT]}))
    assert lake.read(DECISION).isEmpty()
    assert lake.read(OFFER_POSTERIOR).select("context").distinct().collect() == [("*",)]


def test_an_offer_to_a_suppressed_address_would_reach_nobody(lake: Lakehouse) -> None:
    run(lake, APRIL)
    digest = sha256(b"ann@example.com").hexdigest()
    row = {"identifier": "email", "address_sha256": digest, "reason": "complaint"}
    lake.merge(SUPPRESSION, SUPPRESSION.rows(lake.spark, [{**row, "recorded_on": APRIL}]))
    assert run(lake, APRIL).status == "success", "the list is among what the stage reads"
    found = {row["person_id"]: row for row in lake.read(DECISION).collect()}
    assert [tuple(reason) for reason in found["ann"]["reasons"]] == [("gift", "without_address")]
    assert {name: row["offer_id"] for name, row in found.items()} == {
        "ann": "none", "bob": "gift", "cat": "gift",
    }  # fmt: skip
