"""What was known of a person at the first purchase, on rows that can be read at a glance."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from clvspark.clv.labels import label_persons
from clvspark.history.tables import ORDER
from clvspark.identity.tables import PERSON_LINK
from clvspark.sources.tables import CONSENT, CUSTOMER_RECORD

FIRST = date(2025, 8, 3)
PERSONS = ("ann", "bob", "cid")


def at(day: int, hour: int = 12, month: int = 8) -> datetime:
    return datetime(2025, month, day, hour, tzinfo=UTC)


@pytest.fixture(scope="module")
def label(spark: SparkSession):  # type: ignore[no-untyped-def]
    """Labels of the persons by what the tables hold."""
    summary = "person_id string, lag_days int, first_purchase_on date"
    links = [
        {"source_system": "crm", "source_record_id": f"{person}{n}", "person_id": person}
        for person in PERSONS
        for n in (1, 2)
    ]

    def found(
        name: str,
        *,
        orders: list[dict[str, object]] | None = None,
        records: list[dict[str, object]] | None = None,
        consents: list[dict[str, object]] | None = None,
    ) -> dict[str, str]:
        rows: DataFrame = label_persons(
            spark.createDataFrame([(person, 0, FIRST) for person in PERSONS], summary),
            [name],
            orders=ORDER.rows(spark, orders or []),
            records=CUSTOMER_RECORD.rows(spark, records or []),
            consents=CONSENT.rows(spark, consents or []),
            links=PERSON_LINK.rows(spark, links),
        )
        return {row["person_id"]: row[name] for row in rows.collect()}

    return found


def test_the_acquisition_channel_is_that_of_the_first_purchase(label) -> None:  # type: ignore[no-untyped-def]
    orders = [
        {"order_id": "2", "person_id": "ann", "channel": "web", "ordered_at": at(3, 15)},
        {"order_id": "1", "person_id": "ann", "channel": "store", "ordered_at": at(3, 9)},
        {"order_id": "3", "person_id": "ann", "channel": "app", "ordered_at": at(9)},
        {"order_id": "4", "person_id": "bob", "channel": "web", "ordered_at": at(3)},
        {"order_id": "4", "person_id": "bob", "channel": "mail", "ordered_at": at(3, 1)},
    ]
    for row in orders:  # what changes an order is no purchase
        row["is_purchase"] = row["channel"] != "mail"
    assert label("acquisition_channel", orders=orders) == {
        "ann": "store", "bob": "web", "cid": "unknown",
    }  # fmt: skip


def test_the_country_is_of_records_that_were_there_by_then(label) -> None:  # type: ignore[no-untyped-def]
    def record(name: str, country: str, created_at: datetime | None) -> dict[str, object]:
        return {
            "source_system": "crm", "source_record_id": name, "created_at": created_at,
            "attributes": {"country": country},
        }  # fmt: skip

    records = [
        record("ann1", " at", at(3, 23)),
        record("ann2", "DE", at(9)),
        record("bob1", "FR", at(4)),
        record("cid1", "BE", None),
        record("cid2", "NL", at(1)),
    ]
    assert label("country", records=records) == {"ann": "AT", "bob": "unknown", "cid": "NL"}


def test_consent_is_what_had_been_agreed_to_by_then(label) -> None:  # type: ignore[no-untyped-def]
    def said(name: str, val: str, recorded_at: datetime) -> dict[str, object]:
        return {
            "consent_id": f"{name} {recorded_at}", "source_system": "crm", "source_record_id": name,
            "channel": "email", "purpose": "marketing", "val": val, "recorded_at": recorded_at,
        }  # fmt: skip

    consents = [
        said("ann1", "y", at(3, 20)),
        said("ann1", "n", at(20)),
        said("bob1", "y", at(4, 0)),
        said("cid1", "y", at(1)),
        said("cid2", "n", at(2)),
    ]
    found = label("email_consent", consents=consents)
    assert found == {"ann": "yes", "bob": "no", "cid": "no"}


def test_the_cohort_is_the_quarter_of_the_earliest_first_purchase(spark: SparkSession) -> None:
    """Of whoever's first order was cancelled later, the first purchase was an earlier one at an earlier lag."""
    schema = "person_id string, lag_days int, first_purchase_on date"
    nothing = {
        name: table.rows(spark, [])
        for name, table in (
            ("orders", ORDER), ("records", CUSTOMER_RECORD), ("consents", CONSENT), ("links", PERSON_LINK),
        )
    }  # fmt: skip
    summary = [("ann", 0, date(2025, 7, 1)), ("ann", 91, date(2025, 6, 30)), ("bob", 0, FIRST)]
    found = label_persons(spark.createDataFrame(summary, schema), ["cohort"], **nothing)
    expected = [
        (*row, cohort)
        for row, cohort in zip(summary, ("2025-Q2", "2025-Q2", "2025-Q3"), strict=True)
    ]
    assert_df_equality(
        found,
        spark.createDataFrame(expected, f"{schema}, cohort string"),
        ignore_row_order=True,
        ignore_nullable=True,
    )
