"""Random rules and random persons that meet at the bounds: few values, instants on the hour, windows that end there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

TODAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
CHANNELS, CAMPAIGNS, STORES = ["web", "app", "store"], ["spring", "sale"], ["s1", "s2"]
# Category of each product; that of P4 is not known, and P9 is in no catalogue.
PRODUCTS = {"P1": "Food", "P2": "Food", "P3": "Toys", "P4": None, "P9": None}
INTERACTIONS = ["visit", "view", "cart", "email_opened", "survey_answer"]
SALES = ["order", "refund", "order_updated", "order_cancelled"]
STATUSES = ["completed", "cancelled", "refunded"]
STAGES = ["new", "core", "lapsed"]
SALTS = ["a", "b"]
DATES = [
    date(2024, 2, 29),
    date(1990, 2, 28),
    date(2026, 2, 20),
    date(1980, 3, 3),
    date(2000, 12, 31),
]


def draw_person(random: Random, name: str) -> dict[str, Any]:
    """A person as `rule_interpreter` reads one, but for ``buckets``."""

    def maybe(values: list[Any], chance: float = 0.7) -> Any:
        return random.choice(values) if random.random() < chance else None

    standing: dict[str, Any] = dict.fromkeys(
        ("segment", "relationship_stage", "previous_stage", "recency_days", "frequency", "monetary", "spend_trend",
         "last_answered_on")
    )  # fmt: skip
    if random.random() < 0.8:
        standing |= {
            "segment": random.choice(["champions", "loyal"]), "relationship_stage": random.choice(STAGES),
            "recency_days": random.choice([0, 30, 90]), "frequency": random.choice([1, 2, 5]),
            "monetary": maybe([Decimal("0.10"), Decimal("99.99"), Decimal(100)]), "spend_trend": maybe([0.5, 1.0]),
            "last_answered_on": maybe(DATES),
        }  # fmt: skip
    return {
        "person_id": name, **standing,
        "given_name": maybe(["Ann", "Bo", "Änne"]), "surname": maybe(["Lee", "O'Neil", "%"]),
        "city": maybe(["York", "New York", "leeds"]), "postcode": maybe(["01067", "YO1"]),
        "records": random.randint(1, 4), "birth_date": maybe(DATES), "source_systems": maybe([["crm"], ["crm", "pos"]]),
        "has_email": random.random() < 0.5, "has_phone": random.random() < 0.5,
        "is_declining": maybe([True, False]), "declining_since": None,
        "values": {"clv": maybe([0.0, 100.0, 250.5]), "p_alive": maybe([0.0, 0.5, 1.0]),
                   "lifecycle_stage": random.choice(STAGES)},
        "deciles": {m: random.randint(1, 10) for m in
                    ["clv", "revenue_all", "orders_month_3 channel=web", "revenue_all category=Food"]
                    if random.random() < 0.7},
        "consent": {channel: random.random() < 0.6 for channel in ("email", "push", "sms")},
        "contactable": {},
        "answers": [{"at": _instant(random), "id": f"{name}r{n}", "score": random.randint(0, 10)}
                    for n in range(random.randint(0, 2))],
        "member_of": set(random.sample(["r0", "r1", "r2", "r3"], 2)),
        "saved": set(random.sample(["vip", "press"], random.randint(0, 1))),
        "events": [draw_event(random, f"{name}e{n}") for n in range(random.choice([0, 1, 3, 6, 9]))],
    }  # fmt: skip


def draw_event(random: Random, name: str) -> dict[str, Any]:
    """An event of any type; lines are those of an order or a refund, or the product that was looked at."""
    kind = random.choice([*INTERACTIONS, *SALES, "order", "order", "view", "cart"])
    event: dict[str, Any] = {
        "id": name,
        "type": kind,
        "at": _instant(random),
        "channel": random.choice(CHANNELS),
    }
    event["lines"] = []
    if kind in SALES:
        net, discount = Decimal(random.choice(["0.10", "50", "99.99", "100"])), Decimal("1.5")
        event |= {
            "net_revenue": -net if kind == "refund" else net,
            "discount": discount,
            "margin": net - 10,
        }
        event |= {"gross_revenue": event["net_revenue"] + discount, "units": random.randint(1, 3)}
        event |= {"store_id": random.choice([None, *STORES]), "status": random.choice(STATUSES)}
        if kind in ("order", "refund"):
            event["lines"] = [_line(random, kind) for _ in range(random.randint(1, 3))]
    else:
        event["campaign_id"] = random.choice([None, *CAMPAIGNS])
        if kind == "survey_answer":
            event["score"] = random.randint(0, 10)
        if kind in ("view", "cart"):
            chosen = random.choice(list(PRODUCTS))
            event["lines"] = [{"product": chosen, "category": PRODUCTS[chosen]}]
    return event


def _line(random: Random, kind: str) -> dict[str, Any]:
    chosen, revenue = random.choice(list(PRODUCTS)), Decimal(random.choice(["0.10", "25", "50"]))
    signed = -revenue if kind == "refund" else revenue
    return {
        "product": chosen,
        "category": PRODUCTS[chosen],
        "net_revenue": signed,
        "units": random.randint(1, 2),
    }


def _instant(random: Random) -> datetime:
    near = random.choice([1, 2, 23, 24, 25, 48, 72, 7 * 24, 30 * 24, 30 * 24 + 1, 90 * 24, -1, 0])
    return NOW - timedelta(hours=near + random.choice([0, 0, 1, 5]))


def draw_definitions(random: Random, count: int) -> list[dict[str, Any]]:
    """Audiences of random rules; later ones may build on earlier ones."""
    found: list[dict[str, Any]] = []
    for n in range(count):
        ids = [definition["id"] for definition in found]
        definition = {"id": f"r{n}", "name": "random", "include": draw_rule(random, ids)}
        if random.random() < 0.2:
            definition["exclude"] = draw_rule(random, ids)
        if random.random() < 0.2:
            definition["stay"] = draw_rule(random, ids)
        found.append(definition)
    return found


def draw_rule(random: Random, ids: list[str], depth: int = 0) -> dict[str, Any]:
    """A rule: a group of rules, or a condition."""
    if depth < 3 and random.random() < 0.4:
        members = [draw_rule(random, ids, depth + 1) for _ in range(random.randint(1, 3))]
        return {random.choice(["all", "any", "none"]): members}
    if ids and random.random() < 0.1:
        return {"audience": {"id": random.choice(ids)}}
    key = random.choice([*_CONDITIONS, "event", "amount", "sequence", "attribute"])
    return {key: _CONDITIONS[key](random)}


def _bounds(random: Random, values: list[Any]) -> dict[str, Any]:
    low, high = sorted(random.sample(values, 2))
    return random.choice(
        [{"at_least": low}, {"at_most": high}, {"at_least": low, "at_most": high}, {"above": low}, {"below": high},
         {"above": low, "at_most": high}, {"at_least": low, "below": high}]
    )  # fmt: skip


def _window(random: Random) -> dict[str, Any]:
    return random.choice(
        [{}, {}, {"within_days": 1}, {"within_days": 30}, {"within_hours": 24}, {"within_hours": 2},
         {"within_days": 90, "until_days_ago": 1}, {"until_days_ago": 30}, {"since": date(2026, 1, 30)},
         {"since": date(2026, 1, 30), "until": date(2026, 2, 28)}, {"until": date(2026, 2, 26)}]
    )  # fmt: skip


def _some(random: Random, values: list[Any]) -> Any:
    return random.choice([random.choice(values), random.sample(values, random.randint(1, 2))])


def _events(random: Random, kinds: list[str] | None = None) -> dict[str, Any]:
    kinds = kinds or random.choice(
        [SALES, INTERACTIONS, ["order", "refund"], ["order", "view", "cart"]]
    )
    told: dict[str, Any] = {"type": _some(random, kinds)}
    types = set(told["type"]) if isinstance(told["type"], list) else {told["type"]}
    if random.random() < 0.3:
        told["channel"] = _some(random, CHANNELS)
    if not types & set(SALES) and random.random() < 0.4:
        told["campaign"] = _some(random, CAMPAIGNS)
    if types <= set(SALES):
        if random.random() < 0.2:
            told["store"] = _some(random, STORES)
        if random.random() < 0.2:
            told["status"] = _some(random, STATUSES)
        if random.random() < 0.2:
            told["each"] = {"of": "net_revenue", **_bounds(random, [0.1, 50, 99.99, 100])}
    if not types & {"order_updated", "order_cancelled"} and random.random() < 0.4:
        told |= random.choice(
            [
                {"product": _some(random, list(PRODUCTS))},
                {"category": _some(random, ["Food", "Toys"])},
            ]
        )
    return told


def _amount(random: Random) -> dict[str, Any]:
    told = _events(random, random.choice([["order", "refund"], SALES]))
    of_lines = "product" in told or "category" in told
    of = (
        ["net_revenue", "units"]
        if of_lines
        else ["net_revenue", "margin", "gross_revenue", "discount", "units"]
    )
    by = random.choice(["sum", "average", "minimum", "maximum"])
    bounds = _bounds(random, [-50, 0, 0.1, 1, 2, 50, 100, 199.99])
    return {**told, **_window(random), "of": random.choice(of), "by": by, **bounds}


def _count(random: Random) -> dict[str, Any]:
    bounds = random.choice(
        [
            {"at_least": 1},
            {"at_least": 2},
            {"at_most": 0},
            {"at_most": 1},
            {"at_least": 1, "at_most": 2},
        ]
    )
    return {**_events(random), **_window(random), **bounds}


def _occurrence(random: Random) -> dict[str, Any]:
    told = {**_events(random), **_window(random)}
    if random.random() < 0.5:
        told["was"] = random.choice(
            [{"channel": "web"}, {"channel": ["web", "app"]}, {"category": "Food"}]
        )
    return told


def _sequence(random: Random) -> dict[str, Any]:
    gaps = [
        {},
        {"within_hours": 24},
        {"after_hours": 2},
        {"after_hours": 1, "within_days": 2},
        {"within_days": 30},
    ]
    rest = [{**_events(random), **random.choice(gaps)} for _ in range(random.randint(1, 2))]
    told: dict[str, Any] = {"steps": [_events(random), *rest], **_window(random)}
    if random.random() < 0.4:
        told["then_not"] = {
            **_events(random),
            **random.choice([{}, {"within_hours": 24}, {"within_days": 7}]),
        }
        told["steps"] = told["steps"][: random.randint(1, 2)]
    return told


def _attribute(random: Random) -> dict[str, Any]:
    return random.choice(
        [
            {"name": "city", "any_of": _some(random, ["York", "leeds"])},
            {"name": "city", "none_of": ["York"]},
            {"name": "city", "starts_with": "New", "contains": "York"},
            {"name": "surname", "contains": random.choice(["%", "'", "L"])},
            {"name": "postcode", "is_known": random.choice([True, False])},
            {"name": "records", "any_of": [1, 3]},
            {"name": "monetary", **_bounds(random, [0.1, 99.99, 100])},
            {"name": "frequency", **_bounds(random, [1, 2, 5])},
            {"name": "spend_trend", "is_known": False},
            {"name": "birth_date", "anniversary_within_days": random.choice([0, 2, 365])},
            {"name": "last_answered_on", "at_most_days_ago": 9, "at_least_days_ago": 9},
            {"name": "birth_date", "since": date(1990, 2, 28), "until": date(2000, 12, 31)},
            {"name": "is_declining", "is_true": random.choice([True, False])},
            {"name": "has_email"},
            {"name": "source_systems", "any_of": ["pos"]},
            {"name": "source_systems", "none_of": ["pos"], "all_of": ["crm"]},
            {"name": "segment", "any_of": "loyal"},
            {"name": "relationship_stage", "none_of": ["new"]},
        ]
    )  # fmt: skip


_CONDITIONS = {
    "event": _count,
    "amount": _amount,
    "first": _occurrence,
    "last": _occurrence,
    "sequence": _sequence,
    "attribute": _attribute,
    "survey": lambda random: random.choice([{"score_at_most": 6}, {"score_at_least": 5, "within_days": 1}]),
    "decile": lambda random: random.choice(
        [{"metric": "clv", "at_most": 5}, {"metric": "revenue_all", "category": "Food", "at_least": 3},
         {"metric": "orders_month_3", "channel": "web", "at_most": 8}]
    ),
    "value": lambda random: {"name": random.choice(["clv", "p_alive"]), **_bounds(random, [0, 0.5, 100, 250.5])},
    "stage": lambda random: {"any_of": random.sample(STAGES, 2)},
    "consent": lambda random: {
        "channel": random.choice(["email", "push", "sms"]), "contactable": random.random() < 0.5
    },
    "bucket": lambda random: {"salt": random.choice(SALTS), "percent": 30, "start": random.choice([0, 50])},
    "saved": lambda random: {"id": random.choice(["vip", "press"])},
}  # fmt: skip
