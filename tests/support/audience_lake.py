"""A lakehouse of random persons, written as the stages before audiences leave it."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from clvspark.audiences import stage
from clvspark.audiences.config import AudiencesConfig
from clvspark.clv.tables import CUSTOMER_VALUE, VALUE_CHANGE
from clvspark.history.tables import INTERACTION, ORDER, PERSON_DAY, RELATIONSHIP
from clvspark.identity.tables import ALIAS, PERSON, PERSON_LINK
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.sources.tables import CONSENT, CUSTOMER_RECORD, EVENT, PRODUCT, SURVEY_RESPONSE
from support.random_rules import PRODUCTS, TODAY
from support.rule_evidence import person_row, split_events, standing_row, text_of

Persons = list[dict[str, Any]]


def write_persons(lake: Lakehouse, persons: Persons, *, day: date = TODAY) -> None:
    """Everything that is known of the persons; what a table has of other persons stays as it is.

    Who may be contacted is written back to the persons: each has an address of their own.
    """
    spark = lake.spark
    for p in persons:
        allowed = p["consent"]
        p["contactable"] = {"email": p["has_email"], "sms": p["has_phone"], "push": True}
        p["contactable"] = {c: allowed[c] and there for c, there in p["contactable"].items()}
    orders, interactions, lines = split_events(persons)
    systems = {"source_system": "crm"}
    told = {"as_of_date": day, "horizon_days": 364, "model_id": "m"}
    frames = {
        PERSON: spark.createDataFrame([person_row(p) for p in persons], PERSON.schema),
        PERSON_LINK: PERSON_LINK.rows(
            spark,
            [
                {**systems, "source_record_id": p["person_id"], "person_id": p["person_id"], "reason": "single",
                 "valid_from": "2025-01-01", "recorded_at": "2025-01-01 06:00:00", "probability": 1}
                for p in persons
            ],
        ),
        CUSTOMER_VALUE: CUSTOMER_VALUE.rows(
            spark, [{"person_id": p["person_id"], **told, **p["values"]} for p in persons]
        ),
        VALUE_CHANGE: VALUE_CHANGE.rows(
            spark,
            [
                {"person_id": p["person_id"], "as_of_date": day, "is_declining": p["is_declining"],
                 "expected_on": "2026-01-01", "declining_since": "2026-01-01" if p["is_declining"] else None}
                for p in persons if p["is_declining"] is not None
            ],
        ),
        CONSENT: CONSENT.rows(
            spark,
            [
                {**systems, "consent_id": f"{p['person_id']}{c}", "source_record_id": p["person_id"], "channel": c,
                 "purpose": "marketing", "val": "y" if allowed else "n", "recorded_at": "2025-01-01 06:00:00"}
                for p in persons for c, allowed in p["consent"].items()
            ],
        ),
        SURVEY_RESPONSE: SURVEY_RESPONSE.rows(
            spark,
            [
                {**systems, "source_record_id": p["person_id"], "response_id": a["id"], "score": a["score"],
                 "answered_at": text_of(a["at"])}
                for p in persons for a in p["answers"]
            ],
        ),
        ORDER: ORDER.rows(spark, [_complete(order) for order in orders]),
        INTERACTION: INTERACTION.rows(spark, interactions),
        PERSON_DAY: PERSON_DAY.rows(spark, _list_days(orders, interactions)),
        EVENT: EVENT.rows(spark, [{**systems, "channel": "web", **line} for line in lines]),
        PRODUCT: PRODUCT.rows(
            spark, [{"product_id": p, "category": c} for p, c in PRODUCTS.items() if p != "P9"]
        ),
        CUSTOMER_RECORD: CUSTOMER_RECORD.rows(spark, []),
        ALIAS: ALIAS.rows(spark, []),
    }  # fmt: skip
    told = {"as_of_date": day, "usual_gap_days": 30, "answers": 0}
    standings = [{**standing_row(p), **told} for p in persons if p["segment"]]
    frames[RELATIONSHIP] = RELATIONSHIP.rows(spark, standings)
    ids = ", ".join(f"'{p['person_id']}'" for p in persons)
    for table, frame in frames.items():
        if table is PRODUCT and lake.exists(PRODUCT):
            continue
        owner = {"person_id", "source_record_id"} & set(table.names)
        gone = lake.read_or_empty(table).where(
            f"{min(owner)} IN ({ids})" if owner and table is not EVENT else "false"
        )
        lake.merge(table, frame, gone=gone) if lake.exists(table) else lake.overwrite(table, frame)


def evaluate(
    lake: Lakehouse, definitions: list[dict[str, Any]], *, day: date = TODAY, force: bool = False
) -> RunReport:
    config = AudiencesConfig.model_validate({"definitions": definitions})
    with lake.writing("audiences"):
        lake.log.forget_everything()
        lake.log.force = force
        return stage.run(lake, config, day)


def members_now(lake: Lakehouse) -> set[tuple[str, str]]:
    rows = lake.table("audiences.membership").where("status = 'realized'")
    return {(row["audience_id"], row["person_id"]) for row in rows.collect()}


def _complete(order: dict[str, Any]) -> dict[str, Any]:
    """An order of random amounts, such that its contract holds."""
    is_purchase = order["row_type"] == "purchase"
    cost = order["net_revenue"] - order["margin"]
    return {**order, "is_purchase": is_purchase, "cost": cost, "tax": 0, "lines": 1}


def _list_days(
    orders: list[dict[str, Any]], interactions: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    days: dict[tuple[str, str], dict[str, Any]] = defaultdict(
        lambda: {"orders": 0, "refunds": 0, "net_revenue": 0, "margin": 0, "interactions": 0, "cancellations": 0}
    )  # fmt: skip
    for order in orders:
        day = days[order["person_id"], order["ordered_at"][:10]]
        day["orders"] += order["row_type"] == "purchase"
        day["refunds"] += order["row_type"] == "refund"
        day["net_revenue"] += order["net_revenue"]
        day["margin"] += order["margin"]
    for interaction in interactions:
        days[interaction["person_id"], interaction["occurred_at"][:10]]["interactions"] += 1
    return [{"person_id": person, "day": day, **told} for (person, day), told in days.items()]
