"""A run of a second date leaves the first one as it was, and a date without values is refused."""

from __future__ import annotations

from datetime import date

import pytest
from support.shops import copy_shop, open_lake, versions

from clvspark.catalogue import TABLES
from clvspark.lakehouse.errors import MissingInputError
from clvspark.pipeline import STAGES, run_stages

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

APRIL, MAY, JUNE = date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1)
DATED = [t for t in TABLES.values() if "as_of_date" in t.names and t.room != "ops"]


def of_april(lake, tables=DATED):
    """Rows of the first date, by table."""
    return {
        table.name: sorted(
            map(str, lake.read(table).where(f"as_of_date = DATE'{APRIL}'").collect())
        )
        for table in tables
    }


@pytest.fixture(scope="module")
def two_dates(spark, finished, tmp_path_factory):
    """A shop after a run of April and one of May: what April was before, and what there is now."""
    shop = copy_shop(finished, tmp_path_factory.mktemp("dates") / "shop")
    lake, config = open_lake(spark, shop), shop.config()
    before = of_april(lake)
    list(run_stages(lake, config, STAGES, as_of=MAY))
    return shop, config, before


def test_every_table_keeps_the_first_date(spark, two_dates):
    shop, _, before = two_dates
    lake = open_lake(spark, shop)
    assert {"clv.customer_value", "clv.model", "clv.backtest", "history.clv_summary"} < set(before)
    assert {name for name, rows in before.items() if rows} >= {
        t.name for t in DATED if t.room == "clv"
    }
    assert of_april(lake) == before
    dates = lake.table("clv.customer_value").select("as_of_date").distinct().collect()
    assert {row[0] for row in dates} == {APRIL, MAY}


def test_the_first_date_is_reported_as_it_was(spark, two_dates):
    shop, config, before = two_dates
    lake = open_lake(spark, shop)
    (report,) = run_stages(lake, config, ["report"], as_of=APRIL, force=True)
    assert report.status == "success"
    facts = [t for t in DATED if t.room == "reporting"]
    after = of_april(lake, facts)
    assert after == {table.name: before[table.name] for table in facts}
    assert "2026-04-01" in shop.page.read_text(encoding="utf-8")


def test_a_second_run_of_the_second_date_changes_nothing(spark, two_dates):
    shop, config, _ = two_dates
    lake = open_lake(spark, shop)
    list(
        run_stages(lake, config, ["report"], as_of=MAY)
    )  # another test has reported April meanwhile
    before = versions(lake)
    reports = list(run_stages(open_lake(spark, shop), config, STAGES, as_of=MAY))
    assert {report.stage: report.status for report in reports} == dict.fromkeys(STAGES, "unchanged")
    assert versions(open_lake(spark, shop)) == before


def test_a_date_before_that_of_the_lists_moves_no_member_and_tells_nobody(spark, two_dates):
    shop, config, _ = two_dates
    lake = open_lake(spark, shop)
    list(run_stages(lake, config, ["report"], as_of=MAY))
    lists = sorted(path.name for path in shop.exports.glob("*/*/*"))
    before = versions(lake)
    early = date(2026, 3, 1)
    stages = [name for name in STAGES if name not in ("ingest", "resolve", "report")]
    reports = {r.stage: r for r in run_stages(lake, config, stages, as_of=early)}

    assert "memberships go forward in time" in reports["audiences"].warnings[0]
    assert "the lists are those of 2026-05-01" in reports["activate"].warnings[0]
    assert sorted(path.name for path in shop.exports.glob("*/*/*")) == lists
    after = versions(open_lake(spark, shop))
    moved = {name for name in before if after[name] != before[name]}
    assert "audiences.decile" in moved
    assert {name for name in moved if name.split(".")[0] in ("audiences", "activation")} == {
        "audiences.decile",
        "audiences.person_decile",
        "audiences.expected_decile",
    }


@pytest.mark.parametrize(
    ("stage", "table", "next_step"),
    [
        ("fit", "history.clv_summary", "history"),
        ("score", "history.clv_summary", "history"),
        ("audiences", "clv.customer_value", "score"),
        ("report", "clv.customer_value", "score"),
    ],
)
def test_a_date_without_values_is_refused_with_the_next_command(
    spark, two_dates, stage, table, next_step
):
    shop, config, _ = two_dates
    before = versions(open_lake(spark, shop))
    with pytest.raises(MissingInputError) as refused:
        list(run_stages(open_lake(spark, shop), config, [stage], as_of=JUNE))
    text = str(refused.value)
    assert refused.value.exit_code == 3
    assert f"{table} has no rows as of 2026-06-01; it has 2026-05-01, 2026-04-01" in text
    assert f"clvspark {next_step} --as-of 2026-06-01" in text
    assert "clvspark run --as-of 2026-06-01" in text
    assert versions(open_lake(spark, shop)) == before, "nothing was written"
