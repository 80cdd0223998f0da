"""Files as people really drop them: without a header, with odd names, compressed."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError, MissingInputError
from clvspark.sources import stage
from clvspark.sources.config import SourcesConfig
from clvspark.sources.tables import CUSTOMER_RECORD

HEADER, ROW = "no;name;mail", "906;Anna Leak;anna.leak@example.com"


def described(landing: Path, path: str, format_: str = "csv") -> SourcesConfig:
    fields = {"source_record_id": "no", "full_name": "name", "email": "mail"}
    outputs = [{"to": "customer_record", "fields": fields}]
    file: dict[str, Any] = {"path": path, "format": format_, "delimiter": ";", "outputs": outputs}
    return SourcesConfig.model_validate(
        {"landing": str(landing), "systems": [{"system": "crm", "files": [file]}]}
    )


def drop(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


def records(lake: Lakehouse, config: SourcesConfig) -> tuple[list[str], list[str]]:
    """Ids of the customer records after an ingest, and its warnings."""
    with lake.writing("ingest"):
        report = stage.run(lake, config)
    return sorted(
        r["source_record_id"] for r in lake.read(CUSTOMER_RECORD).collect()
    ), report.warnings


@pytest.mark.parametrize(
    ("name", "first"), [("people.csv", ROW), ("people.csv", "a;a;b"), ("people.csv.gz", ROW)]
)
def test_a_first_line_that_is_no_header_is_told_without_a_value(
    lake: Lakehouse, tmp_path: Path, name: str, first: str
) -> None:
    drop(tmp_path / "landing", name, f"{first}\n{ROW}\n")
    with pytest.raises(ConfigError) as refused:
        records(lake, described(tmp_path / "landing", f"{name}"))
    text = str(refused.value)
    assert "none of the 3 cells of its first line is a column that the mapping reads" in text
    assert "(mail, name, no): a CSV file needs a header line; or 'delimiter' (';')" in text
    assert [word for word in ("906", "Anna", "anna.leak") if word in text] == []


@pytest.mark.parametrize("folder", ["landing", "land[1]{a}"])
def test_a_name_with_brackets_is_no_pattern(lake: Lakehouse, tmp_path: Path, folder: str) -> None:
    landing = tmp_path / folder
    drop(landing, "people[3].csv", f"{HEADER}\n{ROW}\n")
    drop(landing, "people 4?.csv", f"{HEADER}\n907;B;b@example.com\n")
    assert records(lake, described(landing, "people*.csv")) == (["906", "907"], [])


def test_lines_of_json_with_brackets_in_the_name(lake: Lakehouse, tmp_path: Path) -> None:
    drop(
        tmp_path / "landing",
        "people[1].jsonl",
        '{"no": "1", "name": "A", "mail": "a@example.com"}\n',
    )
    config = described(tmp_path / "landing", "*.jsonl", "jsonl")
    assert records(lake, config) == (["1"], [])


def test_compressed_files_are_read(lake: Lakehouse, tmp_path: Path) -> None:
    drop(tmp_path / "landing", "people.csv.gz", f"{HEADER}\n{ROW}\n")
    assert records(lake, described(tmp_path / "landing", "people.csv*")) == (["906"], [])


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


def test_each_parquet_file_has_columns_of_its_own(lake: Lakehouse, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    mails: dict[str, list[object]] = {"name": ["Ann"], "mail": ["ann@example.org"]}
    write_parquet(landing / "c_1.parquet", no=["1"], **mails)
    write_parquet(landing / "c_2.parquet", shop=["x"], no=["2"], **mails)
    ids, warnings = records(lake, described(landing, "c_*.parquet", "parquet"))
    assert ids == ["1", "2"]
    assert ["1 of 2 rows have columns that nothing reads, e.g. shop" in w for w in warnings] == [
        True
    ]

    write_parquet(landing / "c_3.parquet", customer_no=["3"], **mails)
    with pytest.raises(ConfigError, match=r"c_3.parquet.*\n.*column 'no' is missing; the file has"):
        records(lake, described(landing, "c_*.parquet", "parquet"))

    write_parquet(landing / "c_3.parquet", no=[3], shop=["x"], **mails)
    with pytest.raises(ConfigError, match=r"c_3.parquet.*\n.*'no' is bigint here and string in"):
        records(lake, described(landing, "c_*.parquet", "parquet"))
