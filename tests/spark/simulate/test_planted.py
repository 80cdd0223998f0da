"""The broken rows are where the truth says, and are broken in the way it says."""

import json
from collections import Counter
from types import SimpleNamespace


def test_planted_counts_match_the_files(demo: SimpleNamespace) -> None:
    report = json.loads((demo.path / "truth/planted.json").read_text())
    assert Counter(row["kind"] for row in report["rows"]) == report["by_kind"]
    assert report["by_kind"] == demo.summary.planted
    extra: Counter[str] = Counter(row["file"] for row in report["rows"])
    for file, rows in demo.summary.files.items():
        path = demo.path / "landing" / file
        if path.suffix == ".parquet":
            continue
        lines = path.read_bytes().count(b"\n") - (path.suffix == ".csv")
        assert lines == rows + extra[file], file


def test_each_kind_is_broken_as_named(demo: SimpleNamespace) -> None:
    landing = demo.path / "landing"
    guests = (landing / "web/guest_orders.jsonl").read_bytes().splitlines()
    text = b"\n".join(guests)
    assert b"2025-13-45" in text
    assert b'"quantity":-2' in text
    assert b'"12x.34"' in text
    assert any(b"truncated_json" in line and not line.endswith(b"}") for line in guests)
    wrong = [line for line in guests if b"wrong_encoding" in line]
    assert wrong
    assert all(b"Ren\xe9e" in line for line in wrong)
    till = (landing / "till/sales_2025-01.csv").read_text().splitlines()
    widths = Counter(line.count(",") + 1 for line in till)
    assert widths[8] == len(till) - widths[9]
    assert widths[9] >= 1
    assert any(line.startswith(",") for line in till)


def test_one_month_has_a_further_column(demo: SimpleNamespace) -> None:
    headers = {
        path.stem: path.open(encoding="utf-8").readline().strip().split(",")
        for path in (demo.path / "landing/till").glob("*.csv")
    }
    extended = {stem for stem, header in headers.items() if header[-1] == "till_operator"}
    assert extended == {"sales_2025-09"}
    rows = (demo.path / "landing/till/sales_2025-09.csv").read_bytes().count(b"\n") - 1
    report = json.loads((demo.path / "truth/planted.json").read_text())
    assert report["further_column"] == {"name": "till_operator", "rows": rows}
    assert {tuple(header[:8]) for header in headers.values()} == {
        ("receipt_no", "line_no", "store_id", "sold_at", "loyalty_card", "product_id", "quantity",
         "amount")
    }  # fmt: skip
