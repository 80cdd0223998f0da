"""The persons of `random_rules` as the tables that profiles are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from clvspark.audiences.compile.conditions import bucket_of, group_column
from clvspark.audiences.compile.matching import list_line_filters
from clvspark.audiences.happenings import TYPES, attach_lines, list_happenings
from clvspark.audiences.profile import Evidence
from clvspark.audiences.rules import Condition, Saved
from clvspark.audiences.tables import DECILE
from clvspark.clv.tables import CUSTOMER_VALUE, VALUE_CHANGE
from clvspark.history.tables import INTERACTION, ORDER, RELATIONSHIP
from clvspark.identity.tables import PERSON
from clvspark.sources.tables import EVENT, PRODUCT
from support.random_rules import PRODUCTS, SALES, SALTS, TODAY

ROW_TYPES = {kind: row_type for row_type, kind in TYPES.items()}
_STANDING = (
    "segment",
    "previous_stage",
    "recency_days",
    "frequency",
    "monetary",
    "spend_trend",
    "last_answered_on",
)


def deal_buckets(spark: SparkSession, persons: list[dict[str, Any]]) -> None:
    """Give the persons their ``buckets``: a hash is what it is."""
    rows = spark.createDataFrame([(p["person_id"],) for p in persons], "person_id string")
    found = rows.select("person_id", *(bucket_of(salt).alias(salt) for salt in SALTS)).collect()
    buckets = {row["person_id"]: row.asDict() for row in found}
    for person in persons:
        person["buckets"] = buckets[person["person_id"]]


def build_evidence(
    spark: SparkSession, persons: list[dict[str, Any]], conditions: list[Condition]
) -> Evidence:
    """All tables; who may be contacted by e-mail or text message is written back to the persons."""
    orders, interactions, lines = split_events(persons)
    happenings = list_happenings(ORDER.rows(spark, orders), INTERACTION.rows(spark, interactions))
    if filters := list_line_filters(conditions):
        catalogue = [{"product_id": p, "category": c} for p, c in PRODUCTS.items() if p != "P9"]
        happenings = attach_lines(
            happenings, EVENT.rows(spark, lines), PRODUCT.rows(spark, catalogue), filters
        )
    for p in persons:
        p["contactable"] = {"email": p["has_email"], "sms": p["has_phone"], "push": True}
    told = {"as_of_date": TODAY, "horizon_days": 364, "model_id": "m"}
    values = [{"person_id": p["person_id"], **told, **p["values"]} for p in persons]
    ranked = [
        {"person_id": p["person_id"], "metric": m, "as_of_date": TODAY, "decile": d, "rank": 1}
        for p in persons
        for m, d in p["deciles"].items()
    ]
    consent = [
        (p["person_id"], *(p["consent"][c] for c in ("email", "push", "sms"))) for p in persons
    ]
    answers = [
        (p["person_id"], a["id"], a["score"], a["at"]) for p in persons for a in p["answers"]
    ]
    lists = [(group_column(Saved(id=name)), p["person_id"]) for p in persons for name in p["saved"]]
    memberships = [(name, p["person_id"]) for p in persons for name in p["member_of"]]
    return Evidence(
        persons=spark.createDataFrame([person_row(p) for p in persons], PERSON.schema),
        values=CUSTOMER_VALUE.rows(spark, values),
        deciles=DECILE.rows(spark, ranked),
        consent=spark.createDataFrame(
            consent,
            "person_id string, consent_email boolean, consent_push boolean, consent_sms boolean",
        ),
        addresses={
            "email": spark.createDataFrame(
                [(f"{p['person_id']}@example.org", True) for p in persons if p["has_email"]],
                "entry string, consent_email boolean",
            ),
            "phone": spark.createDataFrame(
                [(_phone(p)[-9:], True) for p in persons if p["has_phone"]],
                "entry string, consent_sms boolean",
            ),
        },
        surveys=spark.createDataFrame(
            answers, "person_id string, response_id string, score int, answered_at timestamp"
        ),
        happenings=happenings,
        memberships=spark.createDataFrame(memberships, "audience_id string, person_id string"),
        relationships=RELATIONSHIP.rows(spark, [standing_row(p) for p in persons]),
        changes=VALUE_CHANGE.rows(
            spark,
            [
                {
                    "person_id": p["person_id"],
                    "as_of_date": TODAY,
                    "is_declining": p["is_declining"],
                }
                for p in persons
            ],
        ),
        groups=spark.createDataFrame(lists, "name string, person_id string"),
    )


def person_row(person: dict[str, Any]) -> tuple[Any, ...]:
    row = {name: person.get(name) for name in PERSON.names}
    row["email"] = f"{person['person_id']}@example.org" if person["has_email"] else None
    row["phone"] = _phone(person) if person["has_phone"] else None
    return tuple(row[name] for name in PERSON.names)


def _phone(person: dict[str, Any]) -> str:
    return f"+44{7_700_900_000 + int(person['person_id'][1:])}"


def standing_row(person: dict[str, Any]) -> dict[str, Any]:
    told = {name: person[name] for name in _STANDING}
    told |= {"stage": person["relationship_stage"], "person_id": person["person_id"]}
    return {**told, "as_of_date": TODAY}


def split_events(
    persons: list[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of history.order, of history.interaction, and of sources.event."""
    orders, interactions, lines = [], [], []
    for person in persons:
        for event in person["events"]:
            if event["type"] not in SALES:
                seen = event["lines"][0]["product"] if event["lines"] else None
                interactions.append(
                    {"event_id": event["id"], "person_id": person["person_id"], "occurred_at": text_of(event["at"]),
                     "interaction_type": event["type"], "channel": event["channel"], "product_id": seen,
                     "campaign_id": event["campaign_id"], "score": event.get("score")}
                )  # fmt: skip
                continue
            amounts = (
                "net_revenue",
                "margin",
                "gross_revenue",
                "discount",
                "units",
                "store_id",
                "status",
            )
            orders.append(
                {"order_id": event["id"], "person_id": person["person_id"], "ordered_at": text_of(event["at"]),
                 "row_type": ROW_TYPES[event["type"]], "channel": event["channel"],
                 **{name: event[name] for name in amounts}}
            )  # fmt: skip
            lines += [
                {"event_id": f"{event['id']}l{n}", "event_type": event["type"], "order_id": event["id"],
                 "occurred_at": text_of(event["at"]), "product_id": line["product"], "quantity": line["units"],
                 "net_revenue": line["net_revenue"]}
                for n, line in enumerate(event["lines"])
            ]  # fmt: skip
    return orders, interactions, lines


def text_of(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
