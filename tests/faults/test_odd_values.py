"""Faults 15, 16 and 18: amounts that are none, and times at the edges of clocks and calendars."""

from __future__ import annotations

import pytest
from support.commands import run_commands
from support.shops import environment, open_lake, open_till_shop, rows_of, run_pipeline

pytestmark = [pytest.mark.e2e, pytest.mark.spark]

ODD_AMOUNTS = ("", "NaN", "Infinity", "-inf", "-5.00", "1e30", "12x", "9" * 25, "0x1F", "1,234.5.6")
# Instants of the hour that clocks leave out, of the one that they repeat, of a leap day and of the first second of all,
# with what each is in UTC: the zone of the machine must not matter.
TIMES = {
    "2026-03-29T02:30:00+01:00": "2026-03-29 01:30:00",
    "2025-10-26T02:30:00+02:00": "2025-10-26 00:30:00",
    "2025-10-26T02:30:00+01:00": "2025-10-26 01:30:00",
    "2024-02-29T23:59:59Z": "2024-02-29 23:59:59",
    "1970-01-01T00:00:00Z": "1970-01-01 00:00:00",
}
ZONES = ("America/Los_Angeles", "Pacific/Kiritimati")


@pytest.fixture(scope="module")
def odd(spark, tmp_path_factory):
    """The lakehouse of a till that writes one sound sale and all kinds of amounts."""
    shop = open_till_shop(tmp_path_factory.mktemp("odd") / "shop")
    rows = [f'o{n},c1,2026-01-05 10:00:00,"{text}"' for n, text in enumerate(ODD_AMOUNTS)]
    with (shop.landing / "sales.csv").open("a") as file:
        file.write("\n".join([*rows, ""]))
    run_pipeline(spark, shop, ["ingest", "resolve", "history"])
    return open_lake(spark, shop)


def test_amounts_that_are_none_are_in_quarantine_and_nothing_is_lost(odd):
    kept = {id_ for (id_,) in rows_of(odd, "sources.event", "event_id")}
    refused = rows_of(odd, "sources.quarantine", "quarantine_id", "reasons")

    assert kept == {"till:r1", "till:r2", "till:r3"}
    assert len(refused) == len(ODD_AMOUNTS), "good + bad = in"
    assert all(reasons for _, reasons in refused)


def test_what_is_kept_is_counted_to_the_cent(odd):
    (total,) = odd.table("history.order").agg({"net_revenue": "sum"}).collect()[0]
    assert str(total) == "33.33"


@pytest.fixture(scope="module")
def zoned(tmp_path_factory):
    """Shops with the same files, each ingested by a process whose clock is of another zone."""
    folder = tmp_path_factory.mktemp("zones")
    found = {}
    for zone in ZONES:
        shop = open_till_shop(folder / zone.replace("/", "-"))
        rows = [f"t{n},c1,{text},1.00" for n, text in enumerate(TIMES)]
        with (shop.landing / "sales.csv").open("a") as file:
            file.write("\n".join([*rows, ""]))
        (done,) = run_commands(
            [["ingest", "--config", shop.config_file]], cwd=shop.folder, env=environment(TZ=zone)
        )
        assert done.code == 0, done.err
        found[zone] = shop
    return found


@pytest.mark.slow
def test_instants_are_the_same_whatever_the_zone_of_the_machine(spark, zoned):
    for zone, shop in zoned.items():
        events = open_lake(spark, shop).table("sources.event")
        at = dict(events.selectExpr("event_id", "string(occurred_at)").collect())
        assert [at.get(f"till:t{n}") for n in range(len(TIMES))] == list(TIMES.values()), zone
