"""Of rows with one key the newest stays: by the instant that they name, by the file that comes last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from pyspark.sql import DataFrame, SparkSession
from support.ingest import ingest

from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.table import Table
from clvspark.sources.compare_rows import (
    in_natural_order,
    keep_newest_of_key,
    quarantine_repeats,
)
from clvspark.sources.config import SourcesConfig
from clvspark.sources.tables import CONSENT, CUSTOMER_RECORD, EVENT, QUARANTINE, SURVEY_RESPONSE

# One key could have the right answer by chance.
KEYS = range(12)
DATED = """
system: dated
files:
  - path: "*/customers.csv"
    format: csv
    ignore: [at]
    outputs: [{to: customer_record, fields: {source_record_id: id, city: value}}]
"""
NUMBERED = """
system: numbered
files:
  - path: customers_*.csv
    format: csv
    outputs: [{to: customer_record, fields: {source_record_id: id, city: value}, attributes: [at]}]
"""
CONSENTS = """
system: consents
files:
  - path: consents_*.csv
    format: csv
    outputs:
      - to: consent
        fields:
          consent_id: id
          source_record_id: id
          channel: {value: email}
          purpose: {value: marketing}
          val: value
          recorded_at: at
"""
ANSWERS = """
system: answers
files:
  - path: answers_*.csv
    format: csv
    outputs:
      - to: survey_response
        fields: {response_id: id, source_record_id: id, answered_at: at, score: value}
"""
SALES = """
system: sales
files:
  - path: sales_*.csv
    format: csv
    outputs:
      - to: event
        fields:
          event_id: id
          event_type: {value: order}
          source_record_id: {value: ann}
          occurred_at: at
          channel: {value: shop}
          order_id: id
          net_revenue: value
"""
DAY, NEXT = "2026-03-01", "2026-03-02"


def write(path: Path, rows: Iterable[tuple[object, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = ["id,value,at", *(",".join(map(str, row)) for row in rows), ""]
    path.write_text("\n".join(head), encoding="utf-8")


def write_landing(folder: Path) -> None:
    def all_keys(value: object, at: str = DAY) -> list[tuple[object, ...]]:
        return [(n, value, at) for n in KEYS]

    write(folder / "2026-01-01/customers.csv", all_keys("old"))
    write(folder / "2026-02-01/customers.csv", all_keys("new"))
    write(folder / "customers_9.csv", [*all_keys("old"), ("same", "old", DAY)])
    write(folder / "customers_10.csv", [*all_keys("new"), ("same", "old", NEXT)])
    # The refusal is newer though its file is older; at one instant it holds.
    write(folder / "consents_1.csv", [*all_keys("n", NEXT), ("tie", "n", DAY)])
    write(folder / "consents_2.csv", [*all_keys("y"), ("tie", "y", DAY)])
    write(folder / "answers_1.csv", all_keys(9, NEXT))
    write(folder / "answers_2.csv", all_keys(1))
    one_file = [("clash", 1, DAY), ("clash", 2, DAY)]
    write(folder / "sales_1.csv", [*all_keys("10.00"), ("same", 5, DAY), *one_file])
    write(folder / "sales_2.csv", [*all_keys("12.50"), ("same", 5, DAY)])


@pytest.fixture(scope="module")
def taken(
    open_lake: Callable[[Path], Lakehouse], tmp_path_factory: pytest.TempPathFactory
) -> SimpleNamespace:
    """All systems ingested once."""
    folder = tmp_path_factory.mktemp("newest")
    write_landing(folder / "landing")
    systems = [yaml.safe_load(text) for text in (DATED, NUMBERED, CONSENTS, ANSWERS, SALES)]
    config = SourcesConfig.model_validate({"landing": str(folder / "landing"), "systems": systems})
    lake = open_lake(folder)
    report = ingest(lake, config)
    bad = lake.read(QUARANTINE).collect()
    return SimpleNamespace(lake=lake, report=report, bad=bad)


def reasons(taken: SimpleNamespace, system: str) -> Counter[tuple[str, str]]:
    rows = (row for row in taken.bad if row["source_system"] == system)
    return Counter((row["reason"], row["file_name"]) for row in rows)


@pytest.mark.parametrize(
    ("system", "older"), [("dated", "2026-01-01/customers.csv"), ("numbered", "customers_9.csv")]
)
def test_the_last_folder_and_the_highest_number_are_the_newest(
    taken: SimpleNamespace, system: str, older: str
) -> None:
    records = taken.lake.read(CUSTOMER_RECORD).where(f"source_system = '{system}'").collect()
    cities = {row["source_record_id"]: row["city"] for row in records}

    assert [cities[str(n)] for n in KEYS] == ["new" for _ in KEYS]
    assert set(reasons(taken, system)) == {("superseded", older)}


def test_other_attributes_make_another_version(taken: SimpleNamespace) -> None:
    (row,) = taken.lake.read(CUSTOMER_RECORD).where("source_record_id = 'same'").collect()

    assert row["attributes"] == {"at": NEXT}


def test_the_newest_statement_of_consent_holds_and_the_refusal_of_two_at_once(
    taken: SimpleNamespace,
) -> None:
    kept = taken.lake.read(CONSENT).where("source_system = 'consents'").collect()

    assert {row["consent_id"].removeprefix("consents:") for row in kept} == {
        *map(str, KEYS), "tie"
    }  # fmt: skip
    assert {row["val"] for row in kept} == {"n"}
    assert reasons(taken, "consents") == {("superseded", "consents_2.csv"): len(KEYS) + 1}


def test_of_derived_statements_the_newest_holds_too(spark: SparkSession) -> None:
    said = [(n, val, at) for n in KEYS for val, at in (("y", DAY), ("n", NEXT))]
    rows = [
        {"consent_id": n, "source_system": "web", "source_record_id": n, "channel": "email",
         "purpose": "news", "val": val, "reason": "at checkout" if val == "y" else None, "recorded_at": at}
        for n, val, at in said
    ]  # fmt: skip
    orders = CONSENT.rows(spark, rows).selectExpr("*", "'f' AS _file", "array() AS _reasons")

    kept = keep_newest_of_key(orders, CONSENT).collect()

    assert [row["val"] for row in kept] == ["n" for _ in KEYS], "though the older ones are fuller"


def judge(table: Table, spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    """Rows of one file after `quarantine_repeats`."""
    mapped = table.rows(spark, rows).selectExpr(
        "*",
        "'f' AS _file",
        "CAST(NULL AS STRING) AS _raw",
        "CAST(array() AS array<string>) AS _reasons",
    )
    return quarantine_repeats(mapped, table)


def test_a_value_in_another_column_is_no_copy(spark: SparkSession) -> None:
    ann = {"source_system": "crm", "source_record_id": "1", "given_name": "Ann"}
    rows = [ann | {"phone": "0770"}, ann | {"mobile": "0770"}]

    judged = judge(CUSTOMER_RECORD, spark, rows).collect()

    assert sorted(row["_reasons"] for row in judged) == [[], ["duplicate_key"]]


def test_one_form_may_speak_of_several_channels(spark: SparkSession) -> None:
    form = {
        "consent_id": "crm:1",
        "source_system": "crm",
        "source_record_id": "1",
        "purpose": "news",
    }
    rows = [
        form | {"channel": channel, "val": val, "recorded_at": at}
        for channel, val, at in (("email", "y", DAY), ("sms", "y", DAY), ("sms", "n", NEXT))
    ]

    kept = judge(CONSENT, spark, rows).where("size(_reasons) = 0").collect()

    assert {(row["channel"], row["val"]) for row in kept} == {("email", "y"), ("sms", "n")}


def test_records_that_share_the_id_of_a_form_speak_for_themselves(spark: SparkSession) -> None:
    rows = [
        {"consent_id": "1", "source_system": system, "source_record_id": record, "channel": "email",
         "purpose": "marketing", "val": val, "recorded_at": at}
        for system, record, val, at in (("crm", "A", "n", DAY), ("crm", "B", "y", NEXT), ("web", "A", "y", NEXT))
    ]  # fmt: skip

    assert judge(CONSENT, spark, rows).where("size(_reasons) > 0").isEmpty()


def test_the_newest_answer_of_a_survey_stays(taken: SimpleNamespace) -> None:
    kept = taken.lake.read(SURVEY_RESPONSE).collect()

    assert [row["score"] for row in kept] == [9 for _ in KEYS]
    assert reasons(taken, "answers") == {("superseded", "answers_2.csv"): len(KEYS)}


def test_a_corrected_line_of_an_order_counts_once_and_to_the_cent(taken: SimpleNamespace) -> None:
    kept = {row["event_id"]: row["net_revenue"] for row in taken.lake.read(EVENT).collect()}
    metrics = taken.report.metrics

    assert [kept[f"sales:{n}"] for n in KEYS] == [Decimal("12.50") for _ in KEYS]
    found = Counter(reason for reason, _ in reasons(taken, "sales").elements())
    assert found == {"superseded": len(KEYS), "copy": 1, "duplicate_key": 1}
    assert metrics["revenue_received"] == 22.5 * len(KEYS) + 5 + 5 + 1 + 2
    assert metrics["revenue_kept"] == sum(kept.values())
    assert metrics["revenue_quarantined"] == metrics["revenue_received"] - metrics["revenue_kept"]


def test_every_row_is_kept_or_in_quarantine(taken: SimpleNamespace) -> None:
    metrics = taken.report.metrics

    assert metrics["rows_received"] == metrics["rows_kept"] + len(taken.bad)
    said = [text for text in taken.report.warnings if "have the id of another row" not in text]
    assert len(taken.report.warnings) == len(said) + 1
    assert ["name a record that" in text for text in said] == [True] * 3, (
        "there are no records here"
    )


def test_quarantine_names_a_file_below_the_landing_folder(lake: Lakehouse, tmp_path: Path) -> None:
    landing = tmp_path / "land+ing [1]"
    names = ["a+b/5% off.csv", "ä b/c#1.csv", "x/p[2].csv"]
    for name in names:
        write(landing / name, [("", "nobody", DAY)])
    system: dict[str, Any] = yaml.safe_load(DATED)
    system["files"][0]["path"] = "*/*.csv"
    config = SourcesConfig.model_validate({"landing": str(landing), "systems": [system]})
    ingest(lake, config)

    assert sorted(row["file_name"] for row in lake.read(QUARANTINE).collect()) == sorted(names)


def test_numbers_in_names_of_files_are_compared_as_numbers(spark: SparkSession) -> None:
    names = ["1/a.csv", "9/a.csv", "10/a_2026-1-31.csv", "10/a_2026-02-01.csv",
             "10/a_20260201123000.csv", "10/a_" + "1" * 25 + ".csv", "b.csv"]  # fmt: skip
    df = spark.createDataFrame([(name,) for name in reversed(names)], "name string")

    assert [row["name"] for row in df.orderBy(in_natural_order(df["name"])).collect()] == names
