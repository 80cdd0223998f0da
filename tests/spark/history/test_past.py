"""The past is rebuilt as it was published: what landed later was not known then."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from clvspark.history import stage as history
from clvspark.history.config import HistoryConfig
from clvspark.history.tables import CLV_SUMMARY, KPI, ORDER, RELATIONSHIP
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.dates import rows_of
from clvspark.sources import stage as sources
from clvspark.sources.config import SourcesConfig
from clvspark.sources.tables import EVENT, SURVEY_RESPONSE

APRIL, MAY, JUNE = date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1)
CONFIG = HistoryConfig(summary_lags_days=[0, 20])  # type: ignore[call-arg]
DATED = (CLV_SUMMARY, RELATIONSHIP, KPI)
SALES = {
    "to": "event",
    "fields": {
        "event_id": "id", "event_type": "kind", "source_record_id": "who", "occurred_at": "at",
        "channel": {"value": "shop"}, "order_id": "order", "net_revenue": "amount",
    },
}  # fmt: skip
ANSWERS = {
    "to": "survey_response",
    "fields": {
        "response_id": "id",
        "source_record_id": "who",
        "answered_at": "at",
        "score": "score",
    },
}
PRODUCTS = {"to": "product", "fields": {"product_id": "id", "unit_cost": "cost"}}
FILES = {"sales_*.csv": SALES, "answers_*.csv": ANSWERS, "products.csv": PRODUCTS}
SALES_HEAD, ANSWERS_HEAD = "id,kind,who,at,order,amount\n", "id,who,at,score\n"


class Shop:
    """A shop whose files land one by one."""

    def __init__(self, lake: Lakehouse, landing: Path) -> None:
        self.lake, self.landing = lake, landing
        kinds = [
            {"path": path, "format": "csv", "outputs": [output]} for path, output in FILES.items()
        ]
        system = {"system": "shop", "files": kinds}
        self.config = SourcesConfig.model_validate({"landing": str(landing), "systems": [system]})
        (landing / "products.csv").write_text("id,cost\nrose,1.00\n")

    def land(self, number: int, sales: str, answers: str = "") -> None:
        (self.landing / f"sales_{number}.csv").write_text(SALES_HEAD + sales)
        (self.landing / f"answers_{number}.csv").write_text(ANSWERS_HEAD + answers)

    def run(self, as_of: date, *, force: bool = False) -> None:
        """Ingest and history, as `clvspark run` does it, with links that somebody else has written."""
        self.lake.log.forget_everything()
        with self.lake.writing("run"):
            sources.run(self.lake, self.config, as_of)
            self.lake.log.force = force
            history.run(self.lake, CONFIG, as_of)
            self.lake.log.force = False

    def published(self, as_of: date) -> dict[str, list[str]]:
        return {
            table.name: sorted(map(str, self.lake.read(table).where(rows_of(as_of)).collect()))
            for table in DATED
        }

    def late(self) -> dict[str, date]:
        rows = self.lake.read(EVENT).where("known_as_of IS NOT NULL").collect()
        rows += self.lake.read(SURVEY_RESPONSE).where("known_as_of IS NOT NULL").collect()
        return {row[0]: row["known_as_of"] for row in rows}


@pytest.fixture
def shop(lake: Lakehouse, tmp_path: Path) -> Shop:
    links = [
        {"source_system": "shop", "source_record_id": who, "valid_from": "2026-01-01", "person_id": f"p{who}",
         "reason": "match", "probability": 1, "recorded_at": "2026-01-01 06:00:00"}
        for who in "123"
    ]  # fmt: skip
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(lake.spark, links))
    landing = tmp_path / "landing"
    landing.mkdir()
    return Shop(lake, landing)


FIRST = (
    "a,order,1,2026-01-10 10:00:00,a,10.00\n"
    "b,order,1,2026-03-20 10:00:00,b,20.00\n"
    "c,order,2,2026-02-01 10:00:00,c,30.00\n"
)
LATE = (
    "d,order,1,2026-02-15 10:00:00,d,40.00\n"  # between purchases that were known
    "e,refund,2,2026-03-01 10:00:00,c,-30.00\n"  # of an order that was known
    "f,order,3,2026-03-02 10:00:00,f,50.00\n"  # of somebody who was unknown
    "g,order,2,2026-04-10 10:00:00,g,60.00\n"  # in time
)


@pytest.mark.slow
def test_a_rebuilt_past_is_what_was_published_whatever_landed_late(shop: Shop) -> None:
    shop.land(1, FIRST, "x,1,2026-03-01,9\n")
    shop.run(APRIL)
    assert shop.late() == {}, "nothing was published before"
    published = shop.published(APRIL)
    assert len(published[CLV_SUMMARY.name]) == 4, "two persons, now and 20 days before"

    shop.land(2, LATE, "y,1,2026-03-25,1\n")
    shop.run(MAY)
    assert shop.late() == {
        **dict.fromkeys(("shop:d", "shop:e", "shop:f"), MAY), "shop:y": MAY
    }  # fmt: skip
    assert len(shop.published(MAY)[CLV_SUMMARY.name]) == 6
    in_may, orders = shop.published(MAY), shop.lake.read(ORDER).count()

    for table in DATED:
        shop.lake.overwrite(table, shop.lake.read(table).where("as_of_date <> DATE'2026-04-01'"))
    shop.run(APRIL)
    assert shop.published(APRIL) == published
    assert shop.published(MAY) == in_may
    assert shop.lake.read(ORDER).count() == orders, "orders stay those of today"

    # What follows a rebuilt past is not carried on from it.
    shop.run(JUNE)
    carried = shop.published(JUNE)
    shop.run(JUNE, force=True)
    assert shop.published(JUNE) == carried


@pytest.mark.slow
def test_what_lands_again_keeps_when_it_was_known(shop: Shop) -> None:
    shop.land(1, FIRST)
    shop.run(APRIL)
    shop.land(2, LATE)
    shop.run(MAY)
    late = shop.late()
    # Another amount of one that was late, and of one that was not.
    shop.land(3, LATE.replace("40.00", "41.00") + FIRST.replace("10.00\n", "11.00\n"))
    shop.run(JUNE)
    assert shop.late() == late
    amounts = {row["event_id"]: str(row["net_revenue"]) for row in shop.lake.read(EVENT).collect()}
    assert (amounts["shop:d"], amounts["shop:a"]) == ("41.00", "11.00")
    # A date before those that are published knows no more than they did.
    shop.land(4, "h,order,1,2026-03-30 10:00:00,h,70.00\n")
    shop.run(APRIL)
    assert shop.late() == {**late, "shop:h": JUNE}
