"""A tiny lakehouse of three persons whom one may write to: what decisions and moments are tested with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from clvspark.audiences.tables import DECILE, DEFINITION, MEMBERSHIP_EVENT
from clvspark.clv.tables import CUSTOMER_VALUE, VALUE_CHANGE
from clvspark.history.tables import ORDER
from clvspark.identity.tables import PERSON, PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.sources.tables import CONSENT

PEOPLE = ("ann", "bob", "cat")


def write_people(lake: Lakehouse, days: Sequence[date]) -> None:
    """Three persons who consent to e-mail and text messages and have both, valued on each of the days."""
    spark = lake.spark
    link = {"source_system": "s", "valid_from": "2026-01-01", "recorded_at": "2026-01-01 06:00:00"}
    link |= {"reason": "single", "probability": 1}
    links = [{**link, "source_record_id": name, "person_id": name} for name in PEOPLE]
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(spark, links))
    known = [
        {"person_id": n, "email": f"{n}@example.com", "phone": "+441134960000"} for n in PEOPLE
    ]
    lake.overwrite(PERSON, PERSON.rows(spark, known))
    said = {"source_system": "s", "purpose": "marketing", "recorded_at": "2026-01-01 00:00:00"}
    consents = [
        {**said, "consent_id": f"{n}{c}", "source_record_id": n, "channel": c, "val": "y"}
        for n in PEOPLE
        for c in ("email", "sms")
    ]
    lake.overwrite(CONSENT, CONSENT.rows(spark, consents))
    value = {"lifecycle_stage": "core", "horizon_days": 364, "model_id": "m"}
    pairs = [{"person_id": name, "as_of_date": day} for name in PEOPLE for day in days]
    lake.overwrite(
        CUSTOMER_VALUE, CUSTOMER_VALUE.rows(spark, [{**pair, **value} for pair in pairs])
    )
    tenth = {"metric": "clv", "value": 1, "rank": 1, "decile": 1}
    lake.overwrite(DECILE, DECILE.rows(spark, [{**pair, **tenth} for pair in pairs]))
    lake.overwrite(ORDER, ORDER.rows(spark, []))
    named = [{"audience_id": a, "version": 1, "name": a, "rule": "{}"} for a in ("slipping", "vip")]
    lake.overwrite(DEFINITION, DEFINITION.rows(spark, named))
    enter_audience(lake, "slipping", "bob", date(2026, 1, 1))


def enter_audience(lake: Lakehouse, audience: str, person: str, day: date) -> None:
    move = {"audience_id": audience, "person_id": person, "transition": "enter", "happened_on": day}
    row = {**move, "event_id": f"{audience}{person}{day}", "version": 1}
    lake.append(MEMBERSHIP_EVENT, MEMBERSHIP_EVENT.rows(lake.spark, [row]))


def buy(lake: Lakehouse, person: str, at: str) -> None:
    money = {"net_revenue": 10, "cost": 4, "margin": 6}
    order = {"order_id": f"{person}{at}", "person_id": person, "ordered_at": at, "channel": "web"}
    row = {**order, **money, "is_purchase": True, "row_type": "purchase"}
    lake.append(ORDER, ORDER.rows(lake.spark, [row]))


def decline(lake: Lakehouse, person: str, day: date, since: date | None) -> None:
    """Note whether the value of a person declines on a day."""
    row: dict[str, Any] = {"person_id": person, "as_of_date": day, "expected_on": day}
    row |= {"is_declining": since is not None, "declining_since": since}
    lake.append(VALUE_CHANGE, VALUE_CHANGE.rows(lake.spark, [row]))
