"""Records of any column types are standardised; what cannot be a record is refused or parted."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from clvspark.identity import IdentitySettings
from clvspark.identity.cleaning.standardise import standardise_records
from clvspark.identity.record_ids import refuse_bad_ids, split_bad_ids
from clvspark.lakehouse.errors import ConfigError, ContractError

SETTINGS = IdentitySettings.model_validate(
    {
        "unique_id": ["system", "id"],
        "attributes": [
            {"column": "born", "kind": "birth_date", "compare": False},
            {"column": "name", "kind": "full_name", "compare": False},
            {"column": "card", "kind": "identifier", "compare": False},
        ],
        "trusted_identifiers": ["card"],
    }
)


def standard(df: DataFrame) -> list[dict[str, Any]]:
    return [row.asDict() for row in standardise_records(df, SETTINGS).orderBy("unique_id").collect()]  # fmt: skip


def test_columns_and_types_are_those_of_the_settings(spark: SparkSession) -> None:
    df = spark.createDataFrame(
        [("s", "1", "1980-02-03", "Lee, Ann", None)],
        "system string, id string, born string, name string, card string",
    )
    result = standardise_records(df, SETTINGS)
    assert dict(result.dtypes) == {"unique_id": "string", **SETTINGS.columns}
    assert standard(df) == [
        {
            "unique_id": "s:1", "born": "1980-02-03", "born_year": "1980", "name": "ann lee",
            "name_words": ["ann", "lee"], "card": None,
        }
    ]  # fmt: skip
    assert standardise_records(df.limit(0), SETTINGS).count() == 0


@pytest.mark.parametrize(
    ("type_", "born"),
    [
        ("date", datetime.date(1980, 2, 3)),
        ("timestamp", datetime.datetime(1980, 2, 3, 23, 59, tzinfo=datetime.UTC)),
        ("timestamp_ntz", datetime.datetime(1980, 2, 3, 23, 59)),  # noqa: DTZ001
        ("int", 19800203),
        ("double", 19800203.0),
        ("string", "1980-02-03"),
    ],
)
def test_dates_of_any_type(spark: SparkSession, type_: str, born: object) -> None:
    df = spark.createDataFrame(
        [("s", 1, born, 17.0), ("s", 2, None, float("nan"))],
        f"system string, id int, born {type_}, card double",
    ).selectExpr("*", "CAST(NULL AS string) AS name")
    assert [(row["born"], row["card"]) for row in standard(df)] == [
        ("1980-02-03", "17"),
        (None, None),
    ]


def test_bytes_that_are_no_text_do_not_end_the_run(spark: SparkSession) -> None:
    df = spark.sql(
        "SELECT 's' AS system, '1' AS id, NULL AS born, CAST(X'416E6EFF' AS string) AS name, 'c' AS card"
    )
    assert standard(df)[0]["name"] == "ann"


def test_all_columns_that_are_missing_are_named_at_once(spark: SparkSession) -> None:
    df = spark.createDataFrame([("1", "c")], "id string, card string")
    with pytest.raises(ConfigError) as raised:
        standardise_records(df, SETTINGS)
    for name in ("'system'", "'born'", "'name'", "id, card"):
        assert name in str(raised.value)
    assert "'card'" not in str(raised.value)


def identified(spark: SparkSession, *rows: tuple[str | None, str | None, str]) -> DataFrame:
    return spark.createDataFrame(rows, "system string, id string, card string")


def test_records_with_bad_ids_are_refused_with_their_numbers(spark: SparkSession) -> None:
    good = identified(spark, ("s", "1", "a"), ("s", "2", "a"))
    refuse_bad_ids(good, SETTINGS)
    bad = good.unionAll(
        identified(spark, ("s", "1", "b"), (None, "4", "a"), ("s", " ", "a"), ("s", "1", "a"))
    )
    with pytest.raises(ContractError, match=r"2 records have none; 1 .*more than one record \(3 "):
        refuse_bad_ids(bad, SETTINGS)


def test_records_with_bad_ids_are_parted_and_none_is_lost(spark: SparkSession) -> None:
    records = identified(
        spark,
        ("s", "1", "a"), ("s", "1", "b"), ("s", "2", "a"), ("s", "2", "a"), ("s", "3", "a"),
        (None, "4", "a"), ("s", None, "a"), ("s", "", "a"), ("s", "", "a"),
    )  # fmt: skip
    good, bad = split_bad_ids(records, SETTINGS)
    assert sorted(good.collect()) == [("s", "2", "a"), ("s", "3", "a")]
    reasons = sorted((row["id"] or "", row["reason"]) for row in bad.collect())
    assert reasons == [
        ("", "missing_id"), ("", "missing_id"), ("", "missing_id"),
        ("1", "duplicate_id"), ("1", "duplicate_id"), ("2", "copy"), ("4", "missing_id"),
    ]  # fmt: skip
    assert good.count() + bad.count() == records.count()
    refuse_bad_ids(good, SETTINGS)
