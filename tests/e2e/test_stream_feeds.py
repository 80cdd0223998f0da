"""What the stream takes beside landing files, without a broker: rows of a Delta table."""

from __future__ import annotations

import pytest
from support.live_shop import TODAY, configure, event

from clvspark.lakehouse.errors import MissingInputError

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.slow]
COLUMNS = (
    "id string, type string, customer string, at timestamp, order string, amount decimal(18,2)"
)


def test_rows_of_a_table_land_and_count_as_files_do(spark, watch):
    shop, table = watch.shop, str(watch.shop.folder / "raw" / "events")

    def add(*events):
        rows = spark.createDataFrame(
            [tuple(one.get(name.split()[0]) for name in COLUMNS.split(", ")) for one in events],
            COLUMNS.replace("timestamp", "string").replace("decimal(18,2)", "string"),
        )
        cast = {"at": rows["at"].cast("timestamp"), "amount": rows["amount"].cast("decimal(18,2)")}
        rows.withColumns(cast).write.format("delta").mode("append").save(table)

    add(*TODAY)
    feed = {"table": table, "system": "shop", "path": "events*.jsonl"}
    configure(shop, stream={"delta": [feed]})
    # Another set of sources needs a checkpoint of its own.
    watch.start(restart=True)
    add(TODAY[0], event("v9", "view", "c3", "13:00:00"))
    watch.start()

    ids = [id_ for (id_,) in watch.rows("sources.event", "event_id") if "old-" not in id_]
    assert ids == ["shop:o1", "shop:v1", "shop:v2", "shop:v3", "shop:v9"]
    assert watch.rows("sources.quarantine", "reason") == [("copy",)]
    landed = [
        len(path.read_text().splitlines()) for path in sorted(shop.landing.glob("eventsstream-*"))
    ]
    assert landed == [4, 2], "the landing folder is the whole truth"
    members = watch.rows("audiences.membership", "audience_id", "status")
    assert members == [("bought_today", "realized"), ("browsing", "realized")]
    assert watch.start() == [], "nothing is left to take"

    spark.sql(f"DELETE FROM delta.`{table}` WHERE id = 'v9'")
    with pytest.raises(MissingInputError, match=r"changed or removed.*clvspark stream --restart"):
        watch.start()
