"""Numbers as systems write them: parsed by what the mapping says, never guessed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql.types import DecimalType, IntegerType

from clvspark.sources.config import FieldRule
from clvspark.sources.values import map_field

GERMAN = {"decimal": ",", "thousands": ".", "currency": ["\u20ac", "EUR"]}
AMERICAN = {"thousands": ",", "currency": ["$"]}


def read(spark: SparkSession, texts: list[str | None], number: dict[str, object]) -> list[object]:
    rule = FieldRule.model_validate({"from": "amount", "number": number})
    raw = spark.createDataFrame([(n, text) for n, text in enumerate(texts)], "n int, amount string")
    value = map_field(raw, rule, DecimalType(18, 2)).alias("value")
    return [row["value"] for row in raw.select("n", value).orderBy("n").collect()]


@pytest.mark.parametrize(
    ("number", "texts"),
    [
        (GERMAN, {"12,34": "12.34", "1.234.567,80": "1234567.80", "1234,5": "1234.50", "-7": "-7.00",
                  "12,34 \u20ac": "12.34", "EUR 5,00": "5.00", "\u20ac-1,00": "-1.00", "-\u20ac1,00": "-1.00",
                  "12.34": None, "1.23,4": None, "12,34 $": None, "12,345": None, "x": None, "--5": None,
                  "1,2,3": None, "": None, None: None}),
        (AMERICAN, {"$5.00": "5.00", "-$1,234.50": "-1234.50", "1234.5": "1234.50", "+3": "3.00",
                    "$1,23.00": None, "12,34": None, "5.00 EUR": None}),
        ({"decimal": ",", "thousands": " "}, {"1 234,56": "1234.56", "1\u00a0234,56": "1234.56",
                                              "1\u202f234": "1234.00", "1 23": None}),
        ({"thousands": "'"}, {"1'234.50": "1234.50", "1\u2019234.50": "1234.50", "1'2": None}),
    ],
    ids=["german", "american", "french", "swiss"],
)  # fmt: skip
def test_a_number_is_read_as_it_is_written_or_not_at_all(
    spark: SparkSession, number: dict[str, object], texts: dict[str | None, str | None]
) -> None:
    expected = [None if value is None else Decimal(value) for value in texts.values()]
    assert read(spark, list(texts), number) == expected


def test_whole_numbers_may_have_a_fraction_of_zeros_only(spark: SparkSession) -> None:
    rule = FieldRule.model_validate({"from": "pieces", "number": {"decimal": ","}})
    raw = spark.createDataFrame([("2,00",), ("2,50",), ("3",)], "pieces string")
    values = raw.select(map_field(raw, rule, IntegerType()).alias("value")).collect()
    assert [row["value"] for row in values] == [2, None, 3]


@settings(max_examples=8)
@given(st.lists(st.decimals(-(10**12), 10**12, places=2), min_size=1, max_size=20))
def test_what_is_written_in_a_format_is_read_back(
    spark: SparkSession, amounts: list[Decimal]
) -> None:
    written = [f"{amount:,.2f}".translate(str.maketrans(",.", ".,")) for amount in amounts]
    assert read(spark, list(written), GERMAN) == amounts
