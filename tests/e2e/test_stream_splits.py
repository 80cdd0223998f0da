"""The same events in whatever micro-batches, order and number of copies end in what a batch makes of them."""

from __future__ import annotations

import random

import pytest
from support.live_shop import SAME, Watch, batch_over, copy_live_shop, differing, event, land, order

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.slow]

EVENTS = [
    event("v1", "view", "c1", "08:00:00"),
    event("v2", "view", "c1", "08:20:00"),
    # Between the two and the next one it makes one visit of what would be two.
    event("v3", "view", "c1", "08:45:00"),
    event("v4", "view", "c1", "09:10:00"),
    event("v5", "cart", "c2", "10:00:00"),
    order("n1", "c2", "10:10:00", 30),
    event("r1", "refund", "c2", "18:00:00", order="n1", amount="-10.00"),
    order("n2", None, "11:00:00", 9.5),
    event("k1", "order_cancelled", "c4", "12:00:00", order="old-c4-0"),
    order("n3", "c5", "2026-02-20T09:00:00Z", 12),
    event("u1", "email_unsubscribed", "c3", "2026-03-31T23:59:59Z"),
    event("w1", "view", "nobody", "13:00:00"),
]


@pytest.fixture(scope="module")
def batch(spark, begun, tmp_path_factory):
    """What a batch makes of all events at once."""
    shop = copy_live_shop(begun, tmp_path_factory.mktemp("batch") / "shop")
    land(shop, "events1", EVENTS)
    return batch_over(spark, shop, shop.folder / "again")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_micro_batches_end_as_a_batch_would(spark, begun, batch, tmp_path, seed):
    watch = Watch(spark, copy_live_shop(begun, tmp_path / "shop"))
    chance = random.Random(seed)
    rows = [*EVENTS, *chance.sample(EVENTS, 4)]
    chance.shuffle(rows)
    cuts = sorted(chance.sample(range(1, len(rows)), 2))
    for number, (first, last) in enumerate(zip([0, *cuts], [*cuts, len(rows)], strict=True), 1):
        land(watch.shop, f"events{number}", rows[first:last])
        watch.start()

    assert differing(watch.lake, batch, SAME) == {}
    assert len(watch.rows("sources.quarantine", "quarantine_id")) == 4, "one for each copy"
