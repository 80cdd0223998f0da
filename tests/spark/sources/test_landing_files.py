"""Files as people really drop them: without a header, with odd names, compressed."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import Row, SparkSession
from support.ingest import ingest

from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError, MissingInputError
from clvspark.sources.config import SourcesConfig
from clvspark.sources.landing import find_files, read_landing
from clvspark.sources.tables import CUSTOMER_RECORD

HEADER, ROW = "no;name;mail", "906;Anna Leak;anna.leak@example.com"


FIELDS = {"source_record_id": "no", "full_name": "name", "email": "mail"}


def described(
    landing: Path, path: str, format_: str = "csv", fields: dict[str, str] = FIELDS, **more: str
) -> SourcesConfig:
    outputs = [{"to": "customer_record", "fields": fields}]
    file: dict[str, Any] = {"path": path, "format": format_, "delimiter": ";", "outputs": outputs}
    file |= more
    return SourcesConfig.model_validate(
        {"landing": str(landing), "systems": [{"system": "crm", "files": [file]}]}
    )


def drop(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


def records(lake: Lakehouse, config: SourcesConfig) -> tuple[list[str], list[str]]:
    """Ids of the customer records after an ingest, and its warnings."""
    report = ingest(lake, config)
    return sorted(
        r["source_record_id"] for r in lake.read(CUSTOMER_RECORD).collect()
    ), report.warnings


def read(spark: SparkSession, landing: Path, path: str, *how: str, **more: Any) -> list[Row]:
    """Landing rows of files, by id, as ingest reads them."""
    (file,) = described(landing, path, *how, **more).systems[0].files
    df = read_landing(spark, str(landing), find_files(spark, str(landing), file), file)
    return df.orderBy("no").collect()


@pytest.mark.parametrize(
    ("name", "first"), [("people.csv", ROW), ("people.csv", "a;a;b"), ("people.csv.gz", ROW)]
)
def test_a_first_line_that_is_no_header_is_told_without_a_value(
    spark: SparkSession, tmp_path: Path, name: str, first: str
) -> None:
    drop(tmp_path, name, f"{first}\n{ROW}\n")
    with pytest.raises(ConfigError) as refused:
        read(spark, tmp_path, name)
    text = str(refused.value)
    assert "none of the 3 cells of its first line is a column that the mapping reads" in text
    assert "(mail, name, no): a CSV file needs a header line; or 'delimiter' (';')" in text
    assert [word for word in ("906", "Anna", "anna.leak") if word in text] == []


@pytest.mark.parametrize("folder", ["landing", "land[1]{a}"])
def test_a_name_with_brackets_is_no_pattern(
    spark: SparkSession, tmp_path: Path, folder: str
) -> None:
    landing = tmp_path / folder
    drop(landing, "people[3].csv", f"{HEADER}\n{ROW}\n")
    drop(landing, "people 4?.csv", f"{HEADER}\n907;B;b@example.com\n")
    drop(landing, "people[1].jsonl", '{"no": "1", "name": "A", "mail": "a@example.com"}\n')
    rows = read(spark, landing, "people*.csv")
    assert [(row["no"], row["_file"]) for row in rows] == [
        ("906", "people[3].csv"),
        ("907", "people 4?.csv"),
    ]
    (row,) = read(spark, landing, "*.jsonl", "jsonl")
    assert (row["no"], row["_file"]) == ("1", "people[1].jsonl")


def test_compressed_files_are_read(spark: SparkSession, tmp_path: Path) -> None:
    drop(tmp_path, "people.csv.gz", f"{HEADER}\n{ROW}\n")
    assert [row["no"] for row in read(spark, tmp_path, "people.csv*")] == ["906"]


def test_files_that_are_hidden_to_spark_are_told(lake: Lakehouse, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    drop(landing, "people.csv", f"{HEADER}\n{ROW}\n")
    drop(landing, "_people_2.csv", f"{HEADER}\n900;Z;z@example.com\n")
    drop(landing, "_SUCCESS.csv", "")
    found, (warning,) = records(lake, described(landing, "*.csv"))
    assert found == ["906"]
    assert "1 files are not read, as names that begin with '_' or '.' are hidden" in warning
    assert "_people_2.csv. Next step: rename them" in warning


def test_an_empty_file_among_others_is_told_and_stops_nobody(
    lake: Lakehouse, tmp_path: Path
) -> None:
    landing = tmp_path / "landing"
    drop(landing, "people_1.csv", f"{HEADER}\n{ROW}\n")
    drop(landing, "people_2.csv", "")
    ids, (warning,) = records(lake, described(landing, "people_*.csv"))
    assert ids == ["906"]
    assert warning.startswith("crm:people_*.csv: 1 files have 0 bytes, e.g. people_2.csv")
    with pytest.raises(
        MissingInputError, match=r"people_2[.]csv is empty: a CSV file needs a header"
    ):
        records(lake, described(landing, "people_2.csv"))


def write_parquet(file: Path, **columns: list[object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), file)


def test_each_parquet_file_has_columns_of_its_own(spark: SparkSession, tmp_path: Path) -> None:
    mails: dict[str, list[object]] = {"name": ["Ann"], "mail": ["ann@example.org"]}
    write_parquet(tmp_path / "c_1.parquet", no=["1"], **mails)
    write_parquet(tmp_path / "c_2.parquet", shop=["x"], no=["2"], **mails)
    rows = read(spark, tmp_path, "c_*.parquet", "parquet")
    assert [(row["no"], row["_unknown"]) for row in rows] == [("1", None), ("2", "shop")]

    write_parquet(tmp_path / "c_3.parquet", customer_no=["3"], **mails)
    with pytest.raises(ConfigError, match=r"c_3.parquet.*\n.*column 'no' is missing; the file has"):
        read(spark, tmp_path, "c_*.parquet", "parquet")

    write_parquet(tmp_path / "c_3.parquet", no=[3], shop=["x"], **mails)
    with pytest.raises(ConfigError, match=r"c_3.parquet.*\n.*'no' is bigint here and string in"):
        read(spark, tmp_path, "c_*.parquet", "parquet")


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("windows-1252", "Zoë d\u2019Arc"),
        ("UTF-16", "Łucja Ōta"),
        ("windows-1251", "Анна Белова"),
        ("Shift_JIS", "山田花子"),
        ("GB18030", "王小明"),
    ],
)
def test_files_of_other_encodings_are_read(
    spark: SparkSession, tmp_path: Path, encoding: str, name: str
) -> None:
    text = f"no;name;mail\r\n1;{name};a@example.com\r\n2;{name} 2;\r\n"
    (tmp_path / "people.csv").write_bytes(text.encode(encoding))
    rows = read(spark, tmp_path, "people.csv", encoding=encoding)
    assert [(row["no"], row["name"], row["mail"]) for row in rows] == [
        ("1", name, "a@example.com"),
        ("2", f"{name} 2", None),
    ]
    assert not any(row["_malformed"] for row in rows)


def test_another_encoding_than_the_configured_one_is_told(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "people.csv").write_bytes("no;näme;mail\n1;Zoë;a@example.com\n".encode("cp1252"))
    fields = FIELDS | {"full_name": "näme"}
    with pytest.raises(ConfigError, match=r"not written in UTF-8.*name its 'encoding'"):
        read(spark, tmp_path, "people.csv", fields=fields)
    (tmp_path / "people.csv").write_bytes("no;name;mail\n1;Zoe;a@example.com\n".encode("utf-16"))
    with pytest.raises(ConfigError, match=r"not written in UTF-8.*or UTF-16"):
        read(spark, tmp_path, "people.csv")
