"""Broken rows, added to finished files and listed in the truth: none of them is a real basket."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

_SHARE: Final = 0.001  # of a file's rows, over all kinds
_MAX_PER_KIND: Final = 25  # bounded, so that the driver's work does not grow with persons

BAD_DATE = "2025-13-45"
BAD_NAME = "Ren\xe9e M\xfcller"  # written as latin-1 into a UTF-8 file


@dataclass(frozen=True)
class PlantedRow:
    """One broken row: where, which kind, its id and its amount in cents where readable."""

    file: str
    kind: str
    row_id: str
    cents: int | None


Template = Callable[[str, str], "tuple[bytes, int | None]"]


def plant_broken_rows(landing: Path, counts: dict[str, int]) -> list[PlantedRow]:
    """Append broken rows to the text files and to the app's orders; return what was planted."""
    planted: list[PlantedRow] = []
    for name, (kinds, template) in _TEXT.items():
        stem, suffix = name.rsplit(".", 1)
        for path in sorted(landing.glob(f"{stem}*.{suffix}")):
            file = str(path.relative_to(landing))
            rows = _rows_for(file, kinds, counts[file])
            with path.open("ab") as stream:
                for kind, row_id in rows:
                    line, cents = template(kind, row_id)
                    stream.write(line + b"\n")
                    planted.append(PlantedRow(file, kind, row_id, cents))
    return planted + _plant_app_orders(landing, counts)


def _rows_for(file: str, kinds: tuple[str, ...], rows: int) -> list[tuple[str, str]]:
    each = min(max(round(rows * _SHARE / len(kinds)), 1), _MAX_PER_KIND)
    return [(kind, f"X-{file}-{kind}-{i}") for kind in kinds for i in range(each)]


def _till(kind: str, row_id: str) -> tuple[bytes, int | None]:
    cells = [row_id, "1", "S01", "2025-09-15 12:00:00", "", "P0001", "1", "12.34"]
    cells += ["7"] if "-09.csv" in row_id or "2025-09_" in row_id else []
    cents: int | None = 1234
    if kind == "bad_date":
        cells[3] = f"{BAD_DATE} 12:00:00"
    elif kind == "negative_quantity":
        cells[6] = "-2"
    elif kind == "non_numeric_amount":
        cells[7], cents = "12x.34", None
    elif kind == "missing_key":
        cells[0] = ""
    elif kind == "too_many_cells":
        cells.append("surplus")
    return ",".join(cells).encode(), cents


def _members(kind: str, row_id: str) -> tuple[bytes, int | None]:
    cells = [row_id, "Pat Miller", "1980-05-17", "1 Mill Lane", "", "Harperton", "AL1 2AB",
             "07700900123", "", "2025-02-01"]  # fmt: skip
    return _person_row(cells, kind, name=1, birth=2), None


def _contacts(kind: str, row_id: str) -> tuple[bytes, int | None]:
    cells = [row_id, "Ms", "Pat", "Miller", "1980-05-17", "1 Mill Lane", "Harperton", "AL1 2AB",
             "", "07700900123", "", "", "2025-02-01"]  # fmt: skip
    return _person_row(cells, kind, name=3, birth=4), None


def _person_row(cells: list[str], kind: str, *, name: int, birth: int) -> bytes:
    if kind == "bad_date":
        cells[birth] = BAD_DATE
    elif kind == "missing_key":
        cells[0] = ""
    elif kind == "too_many_cells":
        cells.append("surplus")
    elif kind == "wrong_encoding":
        cells[name] = BAD_NAME
    return ",".join(cells).encode("latin-1")


def _web_accounts(kind: str, row_id: str) -> tuple[bytes, int | None]:
    account: dict[str, Any] = {
        "account_id": row_id,
        "created_at": "2025-02-01T10:00:00Z",
        "name": {"first": "Pat", "last": "Miller"},
        "email": "nobody@mail.example.com",
    }
    if kind == "wrong_encoding":
        account["name"]["last"] = BAD_NAME
    return _json_line(account, kind, key="account_id", at="created_at"), None


def _web_orders(kind: str, row_id: str) -> tuple[bytes, int | None]:
    order: dict[str, Any] = _order(row_id) | {"account_id": "W0000000000000"}
    return _order_line(order, kind)


def _guest_orders(kind: str, row_id: str) -> tuple[bytes, int | None]:
    shipping = {"name": "Pat Miller", "postcode": "AL1 2AB"}
    if kind == "wrong_encoding":
        shipping["name"] = BAD_NAME
    order = _order(row_id) | {"email": "nobody@mail.example.com", "shipping": shipping}
    return _order_line(order, kind)


def _order(row_id: str) -> dict[str, Any]:
    return {
        "order_no": row_id,
        "line_no": 1,
        "ordered_at": "2025-09-15T12:00:00Z",
        "product": {"id": "P0001", "quantity": 1},
        "amount": "12.34",
    }


def _order_line(order: dict[str, Any], kind: str) -> tuple[bytes, int | None]:
    cents: int | None = 1234
    if kind == "negative_quantity":
        order["product"]["quantity"] = -2
    elif kind == "non_numeric_amount":
        order["amount"], cents = "12x.34", None
    elif kind == "truncated_json":
        cents = None
    return _json_line(order, kind, key="order_no", at="ordered_at"), cents


def _json_line(record: dict[str, Any], kind: str, *, key: str, at: str) -> bytes:
    if kind == "bad_date":
        record[at] = f"{BAD_DATE}T12:00:00Z"
    elif kind == "missing_key":
        del record[key]
    line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("latin-1")
    return line[: len(line) * 2 // 3] if kind == "truncated_json" else line


_ORDER_KINDS = ("bad_date", "negative_quantity", "non_numeric_amount", "missing_key")
_TEXT: Final[dict[str, tuple[tuple[str, ...], Template]]] = {
    "till/sales_.csv": ((*_ORDER_KINDS, "too_many_cells"), _till),
    "loyalty/members.csv": (
        ("bad_date", "missing_key", "too_many_cells", "wrong_encoding"),
        _members,
    ),
    "crm/contacts.csv": (
        ("bad_date", "missing_key", "too_many_cells", "wrong_encoding"),
        _contacts,
    ),
    "web/accounts.jsonl": (
        ("bad_date", "missing_key", "truncated_json", "wrong_encoding"),
        _web_accounts,
    ),
    "web/orders.jsonl": ((*_ORDER_KINDS, "truncated_json"), _web_orders),
    "web/guest_orders.jsonl": ((*_ORDER_KINDS, "truncated_json", "wrong_encoding"), _guest_orders),
}


_APP_ORDERS: Final = pa.schema(
    {
        "order_id": pa.string(),
        "line_no": pa.int32(),
        "app_user_id": pa.string(),
        "device_id": pa.string(),
        "ordered_at": pa.timestamp("us", tz="UTC"),
        "product_id": pa.string(),
        "quantity": pa.int32(),
        "amount": pa.decimal128(12, 2),
    }
)


def _plant_app_orders(landing: Path, counts: dict[str, int]) -> list[PlantedRow]:
    """Add a part file with typed but impossible rows: Parquet cannot hold the other kinds."""
    files = sorted(landing.glob("app/orders*.parquet"))
    if not files:
        return []
    total = sum(counts[str(f.relative_to(landing))] for f in files)
    target = landing / "app" / f"orders_{len(files):02d}.parquet"
    name = str(target.relative_to(landing))
    rows = _rows_for(name, ("negative_quantity", "missing_key"), total)
    values = [_app_order(kind, row_id) for kind, row_id in rows]
    pq.write_table(pa.Table.from_pylist(values, schema=_APP_ORDERS), target)
    return [PlantedRow(name, kind, row_id, 1234) for kind, row_id in rows]


def _app_order(kind: str, row_id: str) -> dict[str, Any]:
    return {
        "order_id": None if kind == "missing_key" else row_id,
        "line_no": 1,
        "app_user_id": "A0000000000000",
        "device_id": "0" * 16,
        "ordered_at": datetime(2025, 9, 15, 12, tzinfo=UTC),
        "product_id": "P0001",
        "quantity": -2 if kind == "negative_quantity" else 1,
        "amount": Decimal("12.34"),
    }
