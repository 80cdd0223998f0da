"""Writes that are done once, however often they are asked for (faults 2, 3 and 7)."""

from __future__ import annotations

import pytest

from clvspark.lakehouse import Column, Lakehouse, Table
from clvspark.lakehouse.transaction import Transaction

ITEM = Table("test.item", "x", (Column("id", "int", key=True), Column("note", "string")))


@pytest.fixture
def shelf(lake: Lakehouse) -> Lakehouse:
    lake.overwrite(ITEM, ITEM.rows(lake.spark, [{"id": 1, "note": "old"}]))
    return lake


def items(lake: Lakehouse) -> dict[int, str]:
    return {row["id"]: row["note"] for row in lake.read(ITEM).collect()}


def put(lake: Lakehouse, id_: int, note: str):
    return ITEM.rows(lake.spark, [{"id": id_, "note": note}])


def test_an_append_is_done_once(shelf: Lakehouse) -> None:
    once = Transaction("stream q", 5).of("test.item")
    for note in ("new", "again"):
        shelf.append(ITEM, put(shelf, 2, note), once=once)

    assert items(shelf) == {1: "old", 2: "new"}
    shelf.append(ITEM, put(shelf, 3, "next"), once=Transaction("stream q", 6).of("test.item"))
    assert items(shelf) == {1: "old", 2: "new", 3: "next"}


def test_a_merge_is_done_once_and_leaves_other_writes_alone(shelf: Lakehouse) -> None:
    once = Transaction("stream q", 5)
    for note in ("merged", "again"):
        shelf.merge(ITEM, put(shelf, 1, note), once=once.of("test.item"))
    assert items(shelf) == {1: "merged"}

    shelf.merge(ITEM, put(shelf, 1, "by hand"))
    assert items(shelf) == {1: "by hand"}
    shelf.merge(ITEM, put(shelf, 1, "other statement"), once=once.of("test.item changed"))
    assert items(shelf) == {1: "other statement"}


def test_a_table_that_a_merge_begins_is_begun_once(lake: Lakehouse) -> None:
    once = Transaction("stream q", 0).of("test.item")
    for note in ("first", "again"):
        lake.merge(ITEM, put(lake, 1, note), once=once)

    assert items(lake) == {1: "first"}
