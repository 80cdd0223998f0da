"""The demo's files against the CDNOW file and the truth."""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq

from clvspark.simulate.cdnow import cdnow_path

Line = tuple[str, int, Decimal, date]  # order, items, amount, day


def cdnow_baskets(customers: int) -> Counter[tuple[int, date, int, Decimal]]:
    """Read the source with nothing but the standard library."""
    baskets: Counter[tuple[int, date, int, Decimal]] = Counter()
    for row in cdnow_path().read_text().splitlines()[1:]:
        customer, day, items, amount = row.split()
        if int(customer) <= customers:
            moved = date.fromisoformat(day) + timedelta(weeks=1461)
            baskets[int(customer), moved, int(items), Decimal(amount)] += 1
    return baskets


def sound_json(path: Any) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().splitlines():
        if not line.endswith(b"}") or b'"X-' in line or b"order_no" not in line:
            continue
        yield json.loads(line)


def landed_lines(demo: SimpleNamespace) -> Iterator[Line]:
    """Yield every sound order line of the landing files."""
    landing = demo.path / "landing"
    for path in sorted(landing.glob("till/sales_*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["receipt_no"].startswith("T"):
                    day = date.fromisoformat(row["sold_at"][:10])
                    yield row["receipt_no"], int(row["quantity"]), Decimal(row["amount"]), day
    for path in (*landing.glob("web/orders*.jsonl"), *landing.glob("web/guest_orders*.jsonl")):
        for row in sound_json(path):
            day = date.fromisoformat(row["ordered_at"][:10])
            yield row["order_no"], row["product"]["quantity"], Decimal(row["amount"]), day
    for row in pq.read_table(landing / "app/orders.parquet").to_pylist():
        yield row["order_id"], row["quantity"], row["amount"], row["ordered_at"].date()


def test_every_real_basket_lands_exactly_once_on_its_day(demo: SimpleNamespace) -> None:
    owners = {
        row["order_id"]: row["person_key"]
        for row in pq.read_table(demo.path / "truth/basket_person.parquet").to_pylist()
    }
    orders: dict[str, tuple[int, Decimal, date]] = {}
    for order, items, amount, day in landed_lines(demo):
        assert items >= 1
        before = orders.get(order, (0, Decimal(0), day))
        assert before[2] == day
        orders[order] = (before[0] + items, before[1] + amount, day)
    landed = Counter((owners[o], day, items, money) for o, (items, money, day) in orders.items())
    assert landed == cdnow_baskets(demo.customers)
    assert orders.keys() == owners.keys()


def test_revenue_is_cdnow_to_the_cent(demo: SimpleNamespace) -> None:
    expected = sum(amount * n for (*_, amount), n in cdnow_baskets(demo.customers).items())
    assert demo.summary.revenue_cents == expected * 100
    assert demo.summary.baskets == cdnow_baskets(demo.customers).total()
    manifest = json.loads((demo.path / "truth/manifest.json").read_text())
    assert manifest["revenue_cents"] == demo.summary.revenue_cents


def test_some_baskets_have_several_lines_and_some_are_anonymous(demo: SimpleNamespace) -> None:
    lines = Counter(order for order, *_ in landed_lines(demo))
    assert max(lines.values()) in (2, 3)
    baskets = pq.read_table(demo.path / "truth/basket_person.parquet").to_pylist()
    anonymous = [b for b in baskets if b["source_record_id"] is None]
    assert {b["channel"] for b in anonymous} == {"till"}


def landed_records(demo: SimpleNamespace) -> Counter[tuple[str, str]]:
    landing = demo.path / "landing"
    found: Counter[tuple[str, str]] = Counter()
    for system, name, key in (
        ("loyalty", "loyalty/members", "card_no"),
        ("crm", "crm/contacts", "contact_id"),
    ):
        text = (landing / f"{name}.csv").read_text(encoding="latin-1")
        found.update((system, row[key]) for row in csv.DictReader(text.splitlines()) if row[key])
    for line in (landing / "web/accounts.jsonl").read_bytes().splitlines():
        if line.endswith(b"}"):
            found["web", json.loads(line.decode("latin-1")).get("account_id", "")] += 1
    for row in pq.read_table(landing / "app/accounts.parquet").to_pylist():
        found["app", row["app_user_id"]] += 1
    emails = {
        row["email"].strip().lower() for row in sound_json(landing / "web/guest_orders.jsonl")
    }
    found.update(("web_guest", hashlib.sha256(e.encode()).hexdigest()) for e in emails)
    return Counter({k: n for k, n in found.items() if k[1] and not k[1].startswith("X-")})


def test_the_truth_covers_every_landed_record_once(demo: SimpleNamespace) -> None:
    truth = pq.read_table(demo.path / "truth/record_person.parquet").to_pylist()
    known = Counter((row["source_system"], row["source_record_id"]) for row in truth)
    assert max(known.values()) == 1
    assert landed_records(demo) == known
    assert demo.summary.records == len(truth)


def test_persons_hold_one_to_six_records(demo: SimpleNamespace) -> None:
    truth = pq.read_table(demo.path / "truth/record_person.parquet").to_pylist()
    sizes = Counter(Counter(row["person_key"] for row in truth).values())
    assert min(sizes) >= 1
    assert max(sizes) <= 6
    assert sum(sizes.values()) == demo.customers == demo.summary.persons
    assert 1.9 < len(truth) / demo.customers < 2.5


def test_every_event_and_consent_refers_to_a_landed_record(demo: SimpleNamespace) -> None:
    known = set(landed_records(demo))
    landing = demo.path / "landing"
    for line in (landing / "email/events.jsonl").read_text().splitlines():
        assert ("crm", json.loads(line)["contact_id"]) in known
    for line in (landing / "consent/consents.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert (row["source_system"], row["source_record_id"]) in known


def test_coupons_are_redeemed_with_real_baskets_inside_the_campaign(demo: SimpleNamespace) -> None:
    landing = demo.path / "landing"
    with (landing / "campaigns/campaigns.csv").open(newline="") as file:
        windows = {r["campaign_id"]: (r["starts_on"], r["ends_on"]) for r in csv.DictReader(file)}
    days = {order: day.isoformat() for order, _, _, day in landed_lines(demo)}
    with (landing / "email/coupon_redemptions.csv").open(newline="") as file:
        redemptions = list(csv.DictReader(file))
    assert redemptions
    for row in redemptions:
        first, last = windows[row["campaign_id"]]
        assert row["redeemed_at"][:10] == days[row["receipt_ref"]]
        assert first <= row["redeemed_at"][:10] <= last
