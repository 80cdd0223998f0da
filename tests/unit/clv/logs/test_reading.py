"""What is read as a transaction log, and which faults are told how."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clvspark.clv.logs import LogColumns, open_log
from clvspark.clv.logs.errors import TransactionLogError
from clvspark.lakehouse.errors import ConfigError, MissingInputError
from clvspark.lakehouse.logs import redact

Writer = Callable[..., Path]
COLUMNS = LogColumns("who", "when", "amount")


def purchase_days(file: Path, columns: LogColumns = COLUMNS, **options: bool) -> list[tuple]:
    with open_log(file, columns, **options) as log:
        found = log.connection.execute("SELECT customer, day, value FROM purchase_day ORDER BY ALL")
        return [(who, str(day), float(value)) for who, day, value in found.fetchall()]


def test_purchases_of_one_day_are_one(write_log: Writer) -> None:
    with open_log(write_log(), COLUMNS) as log:
        assert (log.rows, log.skipped_rows) == (8, 0)
        assert (log.first_day, log.last_day) == (date(2024, 1, 1), date(2024, 2, 19))
    assert purchase_days(write_log())[:3] == [
        ("ann", "2024-01-01", 10.0),
        ("ann", "2024-01-08", 25.0),
        ("ann", "2024-01-22", 30.0),
    ]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_are_found(write_log: Writer, separator: str) -> None:
    text = "who,when,amount\nann,2024-01-01,1\nbob,2024-01-02,2\n".replace(",", separator)
    assert len(purchase_days(write_log(text))) == 2


@pytest.mark.parametrize(
    "written",
    ["2024-01-05", "2024/1/5", "20240105", " 2024-01-05 ", "2024-01-05 23:59:59", "2024-01-05T08:00:00Z"],
)  # fmt: skip
def test_dates_with_the_year_first_are_read(write_log: Writer, written: str) -> None:
    file = write_log(f"who,when,amount\nann,{written},1\n")
    assert purchase_days(file) == [("ann", "2024-01-05", 1.0)]


@pytest.mark.parametrize(
    "written",
    [
        "202401015",
        "20240230",
        "20240101x",
        "05/01/2024",
        "2024-02-30",
        "01-02-03",
        "soon",
        "infinity",
        "",
    ],
)
def test_other_dates_are_not_guessed(write_log: Writer, written: str) -> None:
    file = write_log(f"who,when,amount\nann,{written},1\nann,2024-01-01,1\n")
    with pytest.raises(TransactionLogError, match="column 'when': 1 of 2 rows hold no date"):
        purchase_days(file)


def test_a_format_says_how_dates_are_written(write_log: Writer) -> None:
    file = write_log("who,when,amount\nann,05/01/2024,1\n")
    columns = LogColumns("who", "when", "amount", date_format="%d/%m/%Y")
    assert purchase_days(file, columns) == [("ann", "2024-01-05", 1.0)]
    file = write_log("who,when,amount\nann,2024-01-05,1\n")
    with pytest.raises(TransactionLogError, match="dates written as %d/%m/%Y"):
        purchase_days(file, columns)


def test_a_decimal_comma_is_read_where_it_is_said_and_nothing_is_guessed(
    write_log: Writer,
) -> None:
    columns = LogColumns("who", "when", "amount", decimal_comma=True)
    rows = {"ann": "1.234,50", "bob": "1234,5", "cat": "7", "dan": " 1.234.567,25 ", "eve": "1.234"}
    body = "".join(f"{who};2024-01-01;{amount}\n" for who, amount in rows.items())
    file = write_log("who;when;amount\n" + body)
    assert [value for _, _, value in purchase_days(file, columns)] == [
        1234.5,
        1234.5,
        7.0,
        1234567.25,
        1234.0,
    ]
    for amount in ("12.50", "1,234.50", "1.23,4", "1,2,3", ",", "1.2345"):
        file = write_log(f"who;when;amount\nann;2024-01-01;{amount}\n")
        with pytest.raises(
            TransactionLogError,
            match=r"1 of 1 rows hold no number; allowed: numbers such as 1\.234,50",
        ):
            purchase_days(file, columns)
    with pytest.raises(TransactionLogError, match=r"--decimal-comma reads 1\.234,50"):
        purchase_days(write_log("who;when;amount\nann;2024-01-01;1.234,50\n"))


def test_a_name_with_signs_that_stand_for_others_is_that_file_alone(tmp_path: Path) -> None:
    for name, who in (
        ("log[1].csv", "ann"),
        ("log1.csv", "bob"),
        ("a*.csv", "cat"),
        ("ab.csv", "dan"),
    ):
        (tmp_path / name).write_text(f"who,when,amount\n{who},2024-01-01,1\n")
    assert purchase_days(tmp_path / "log[1].csv")[0][0] == "ann"
    assert purchase_days(tmp_path / "a*.csv") == [("cat", "2024-01-01", 1.0)]
    (tmp_path / "days [1]").mkdir()
    table = pa.table({"who": ["eve"], "when": ["20240101 12:30:00"], "amount": [1.0]})
    pq.write_table(table, tmp_path / "days [1]" / "p[1].parquet")
    pq.write_table(table.slice(0, 0), tmp_path / "p1.parquet")
    for path in (tmp_path / "days [1]", tmp_path / "days [1]" / "p[1].parquet"):
        assert purchase_days(path) == [("eve", "2024-01-01", 1.0)]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "who": pa.array([1, 2, 1], pa.int64()),
            "when": pa.array([0, 86_400, 86_399], pa.timestamp("s")),
            "amount": [1.5, 2.0, 0.25],
        }
    )
    pq.write_table(table, tmp_path / "one.parquet")
    expected = [(1, "1970-01-01", 1.75), (2, "1970-01-02", 2.0)]
    assert purchase_days(tmp_path / "one.parquet") == expected
    assert purchase_days(tmp_path) == expected  # a folder of files


def test_without_a_value_column_values_do_not_matter(write_log: Writer) -> None:
    file = write_log("who,when,amount\nann,2024-01-01,-5\nann,2024-01-02,\n")
    assert len(purchase_days(file, LogColumns("who", "when"))) == 2


FAULTY = """who,when,amount
ann,2024-01-01,10
,2024-01-02,11
   ,2024-01-03,12
ann,someday,13
ann,2024-01-04,-14
ann,2024-01-05,much
ann,2024-01-05,15
ann,2024-01-06,
"""


def test_all_faults_are_told_at_once_and_no_value_is_shown(write_log: Writer) -> None:
    with pytest.raises(TransactionLogError) as raised:
        purchase_days(write_log(FAULTY))
    told = str(raised.value)
    assert "4 faults" in told
    for fault in (
        "column 'who': 2 of 8 rows name no customer",
        "column 'when': 1 of 8 rows hold no date that can be read; allowed: dates as 2024-12-31",
        "column 'amount': 2 of 8 rows hold no number",
        "column 'amount': 1 of 8 rows hold a negative value",
        "Next step: correct these rows, or leave them out: --skip-faulty-rows",
    ):
        assert fault in told
    _, _, faults = told.partition("4 faults")  # what is before is the path of the file
    for value in ("someday", "much", "ann", "-14"):
        assert value not in faults


def test_faulty_rows_are_left_out_and_counted_where_that_is_asked(write_log: Writer) -> None:
    file = write_log(FAULTY)
    assert purchase_days(file, skip_faulty_rows=True) == [
        ("ann", "2024-01-01", 10.0),
        ("ann", "2024-01-05", 15.0),
    ]
    with open_log(file, COLUMNS, skip_faulty_rows=True) as log:
        assert (log.rows, log.skipped_rows) == (8, 6)


def test_missing_columns_are_named_with_what_they_may_be(write_log: Writer) -> None:
    with pytest.raises(ConfigError) as raised:
        purchase_days(write_log(), LogColumns("WHO", "wen", "amount"))
    told = str(raised.value)
    assert "customer column: there is no column 'WHO'. Did you mean 'who'?" in told
    assert "date column: there is no column 'wen'. Did you mean 'when'?" in told
    assert "Columns: who, when, amount" in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("who,when,amount\n", "holds no transactions"),
        ("who,when,amount\n,,\n", "rows name no customer"),
    ],
)
def test_nothing_to_read(write_log: Writer, text: str, message: str) -> None:
    with pytest.raises((TransactionLogError, MissingInputError), match=message):
        purchase_days(write_log(text))


def test_every_row_faulty(write_log: Writer) -> None:
    with pytest.raises(TransactionLogError, match="every row is faulty"):
        purchase_days(write_log("who,when,amount\n,,\n,,\n"), skip_faulty_rows=True)


def test_a_row_with_other_cells_is_told_by_its_line(write_log: Writer) -> None:
    rows = [f"c{at},2024-01-01,1" for at in range(30_000)]
    rows[25_000] = "secret,2024-01-01,1,2,3"
    with pytest.raises(MissingInputError, match="line 25002 has 5 cells, the header 3") as raised:
        purchase_days(write_log("who,when,amount\n" + "\n".join(rows)))
    assert "secret" not in str(raised.value)


GOOD = "ann,2024-01-01,5\n"


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("secret,2024-01-02,5,note\n" + GOOD, "line 2 has 4 cells, the header 3"),
        (GOOD + "secret,2024-01-02\nsecret,2024-01-03,4,9\n", "line 3 has 2 cells, the header 3"),
        ('"ann\nlee",2024-01-01,5\n\nsecret\n' + GOOD, "line 5 has 1 cell, the header 3"),
    ],
)
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_ragged_row_near_the_top_is_told_by_its_line(
    write_log: Writer, rows: str, told: str, separator: str
) -> None:
    """From few rows DuckDB concludes that the file is written otherwise, and takes a row for the header."""
    file = write_log(("who,when,amount\n" + rows).replace(",", separator))
    with pytest.raises(MissingInputError, match=told) as raised:
        purchase_days(file)
    assert "secret" not in str(raised.value)
    assert "2024" not in str(raised.value)


def test_a_ragged_row_of_a_packed_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "log.csv.gz"
    file.write_bytes(gzip.compress(b"who,when,amount\nann,2024-01-01,5,note\nann,2024-01-02,6\n"))
    with pytest.raises(MissingInputError, match="line 2 has 4 cells, the header 3"):
        purchase_days(file)


def test_a_first_line_of_data_is_never_shown(write_log: Writer) -> None:
    with pytest.raises(ConfigError, match="so it is no header") as raised:
        purchase_days(write_log("secret,2024-01-01,5\nsecret,2024-01-02,6\n"))
    assert "secret" not in str(raised.value)


def test_messages_stay_as_they_are_when_data_are_taken_out_of_them(write_log: Writer) -> None:
    with pytest.raises(TransactionLogError) as raised:
        purchase_days(write_log("who,when,amount\nann,soon,-1\n,2024-01-01,\n"))
    told = "\n".join(raised.value.faults)
    assert "below 1,000,000,000,000" in told
    assert redact(told) == told


def test_no_file_and_no_such_file(write_log: Writer, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="does not exist"):
        purchase_days(tmp_path / "none.csv")
    with pytest.raises(MissingInputError, match="cannot be read"):
        purchase_days(write_log("this is no Parquet", name="log.parquet"))
    broken = tmp_path / "latin.csv"
    broken.write_bytes("who,when,amount\nJosé,2024-01-01,1\n".encode("latin-1"))
    with pytest.raises(MissingInputError, match="UTF-8") as raised:
        purchase_days(broken)
    assert "Jos" not in str(raised.value)
