"""Which record gives each attribute of the golden record, and which rule chose it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clvspark.identity.cleaning.standardise import standardise_records
from clvspark.identity.persons.contacts import gather_contacts
from clvspark.identity.persons.golden_record import build_golden_records
from clvspark.identity.persons.survivorship import SurvivorshipSettings
from clvspark.identity.settings import IdentitySettings
from clvspark.identity.tables import PERSON
from clvspark.sources.tables import CUSTOMER_RECORD

CRM, APP, WEB = (
    {
        "source_system": name,
        "source_record_id": "1",
        "created_at": datetime(year, 1, 1, tzinfo=UTC),
    }
    for name, year in (("crm", 2020), ("app", 2025), ("web", 2023))
)


def golden(spark: SparkSession, *records: dict[str, Any], **rules: Any) -> dict[str, Any]:
    df = CUSTOMER_RECORD.rows(spark, list(records))
    unique_id = F.concat_ws(":", "source_system", "source_record_id").alias("unique_id")
    ids = df.select(unique_id, "email", "phone")
    links = ids.select("unique_id", F.lit("p1").alias("person_id"))
    settings = SurvivorshipSettings.model_validate(rules) if rules else None
    result = build_golden_records(df, ids, links, settings)
    assert result.columns == PERSON.names
    (row,) = result.collect()
    return row.asDict()


def of(row: dict[str, Any], name: str) -> tuple[str, str, str]:
    return row[name], row["provenance"].get(name), row["decided_by"].get(name)


def test_each_rule_chooses_and_is_named(spark: SparkSession) -> None:
    records = [
        CRM | {"given_name": "Jane", "email": "old@example.com"},
        APP | {"given_name": "J.", "email": "new@example.com"},
        WEB | {"given_name": "Jane Ann", "email": "Old@example.com", "phone": "+441632960001"},
    ]
    newest = golden(spark, *records, default=["most_recent"], rules={})
    assert of(newest, "email") == ("new@example.com", "app:1", "most_recent")
    assert of(newest, "given_name") == ("J.", "app:1", "most_recent")
    assert of(newest, "phone") == ("+441632960001", "web:1", "only_value")
    assert newest["surname"] is None
    assert "surname" not in newest["provenance"] | newest["decided_by"]
    trusted = golden(
        spark, *records, default=["trusted_source"], trusted_sources=["crm", "web"], rules={}
    )
    assert of(trusted, "email") == ("old@example.com", "crm:1", "trusted_source")
    complete = golden(spark, *records, default=["most_complete"], rules={})
    assert of(complete, "given_name") == ("Jane Ann", "web:1", "most_complete")
    assert of(complete, "email") == ("new@example.com", "app:1", "record_id")
    frequent = golden(spark, *records, default=["most_frequent", "most_recent"], rules={})
    assert of(frequent, "email") == ("Old@example.com", "web:1", "most_frequent")


def test_the_next_rule_decides_where_one_finds_no_difference(spark: SparkSession) -> None:
    records = [CRM | {"surname": "Lee"}, APP | {"surname": "Leigh"}, WEB | {"surname": "L"}]
    row = golden(spark, *records)
    assert of(row, "surname") == ("Leigh", "app:1", "most_recent")


def test_a_newest_record_with_swapped_names_is_outvoted(spark: SparkSession) -> None:
    right = {"given_name": "Jane", "surname": "Lee"}
    row = golden(spark, CRM | right, WEB | right, APP | {"given_name": "Lee", "surname": "Jane"})
    assert of(row, "given_name") == ("Jane", "web:1", "most_frequent")
    assert of(row, "surname") == ("Lee", "web:1", "most_frequent")


def test_an_address_comes_from_one_record_as_a_whole(spark: SparkSession) -> None:
    records = [
        CRM | {"street": "1 High St", "city": "Leeds", "postcode": "LS1 1AA"},
        APP | {"city": "York", "postcode": "YO1 1AA"},
    ]
    newest = golden(spark, *records)
    assert (newest["street"], newest["city"], newest["postcode"]) == (None, "York", "YO1 1AA")
    assert set(newest["provenance"]) == {"city", "postcode"}
    complete = golden(spark, *records, rules={"address": ["most_complete", "most_recent"]})
    assert [of(complete, name)[1:] for name in ("street", "city", "postcode")] == [
        ("crm:1", "most_complete")
    ] * 3


@pytest.mark.parametrize("rule", ["most_recent", "most_complete", "most_frequent"])
def test_the_order_of_rows_plays_no_part(spark: SparkSession, rule: str) -> None:
    rows = [CRM | {"source_record_id": str(n), "surname": f"Lee{n % 3}"} for n in range(6)]
    one, other = golden(spark, *rows, default=[rule]), golden(spark, *rows[::-1], default=[rule])
    assert one == other
    assert of(one, "surname") == ("Lee0", "crm:0", "record_id")


@pytest.mark.parametrize(
    ("full", "parts"),
    [
        ("Dr. Jane Ann Smith", ("Jane Ann", "Smith")),
        ("van der Berg, Mr Jan", ("Jan", "van der Berg")),
        ("Jan Van Der Berg", ("Jan", "Van Der Berg")),
        ("John Smith, Jr.", ("John", "Smith")),
        ("Jane", ("Jane", None)),
        ("  ", (None, None)),
    ],
)
def test_whole_names_are_parted_as_they_are_spelt(
    spark: SparkSession, full: str, parts: tuple[str | None, str | None]
) -> None:
    row = golden(spark, CRM | {"full_name": full})
    assert (row["given_name"], row["surname"]) == parts


@pytest.mark.parametrize(
    "attributes",
    [
        [],
        [{"column": "email", "kind": "email"}],
        [{"column": "phone", "kind": "phone"}],
        [{"column": "email", "kind": "email"}, {"column": "mobile", "kind": "phone"}],
    ],
)
def test_contacts_are_known_whatever_tells_who_somebody_is(
    spark: SparkSession, attributes: list[dict[str, Any]]
) -> None:
    blocking_only = [{**attribute, "compare": False} for attribute in attributes]
    settings = IdentitySettings.model_validate({"country": "DE", "attributes": blocking_only})
    mobile = {"phone": "030 123456", "mobile": "030 123456"}
    records = CUSTOMER_RECORD.rows(
        spark, [CRM | mobile | {"email": " JANE@Example.com "}, APP | {"email": "none"}]
    )
    standard = standardise_records(records, settings)
    found = gather_contacts(records, standard, settings).orderBy("unique_id").collect()
    assert [row["unique_id"] for row in found] == ["app:1", "crm:1"]
    assert [(row["email"], row["phone"]) for row in found] == [
        (None, None),
        ("jane@example.com", "+4930123456"),
    ]
