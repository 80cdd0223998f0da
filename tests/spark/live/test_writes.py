"""Writes of a micro-batch: verified together, appended where all keys are new, merged else, and done once."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pyspark.sql import DataFrame

from clvspark.audiences.tables import MEMBERSHIP
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ContractError
from clvspark.lakehouse.transaction import Transaction
from clvspark.live.writes import Change, Write, verify_changes

pytestmark = pytest.mark.spark
DAY = date(2026, 4, 1)


def rows(lake: Lakehouse, *persons: str, version: int = 1) -> DataFrame:
    facts: dict[str, Any] = {
        "audience_id": "top",
        "status": "realized",
        "version": version,
        "qualified_on": DAY,
    }
    return MEMBERSHIP.rows(
        lake.spark, [{**facts, "person_id": person} for person in persons]
    ).localCheckpoint()


def verify(*changes: Change) -> list[Write]:
    writes, _ = verify_changes(changes)
    return writes


def stored(lake: Lakehouse) -> dict[str, int]:
    return {row["person_id"]: row["version"] for row in lake.read(MEMBERSHIP).collect()}


def operations(lake: Lakehouse) -> list[str]:
    history = lake.storage.delta(MEMBERSHIP.name).history()
    return [row["operation"] for row in history.orderBy("version").collect()]


def test_a_change_is_written_once_and_by_the_cheapest_statement(lake: Lakehouse) -> None:
    lake.overwrite(MEMBERSHIP, rows(lake, "ann", "bob"))
    nobody = rows(lake)

    (added,) = verify(Change(MEMBERSHIP, rows(lake, "cat"), nobody, nobody.select(*MEMBERSHIP.key)))
    assert (added.added, added.altered, added.gone, added.rows) == (1, 0, 0, 1)
    for _ in range(2):
        added.do(lake, Transaction("query", 1))
    assert stored(lake) == {"ann": 1, "bob": 1, "cat": 1}

    gone = rows(lake, "ann").select(*MEMBERSHIP.key)
    (both,) = verify(Change(MEMBERSHIP, rows(lake, "dan"), rows(lake, "bob", version=2), gone))
    for _ in range(2):
        both.do(lake, Transaction("query", 2))
    assert stored(lake) == {"bob": 2, "cat": 1, "dan": 1}
    assert operations(lake)[1:] == ["WRITE", "MERGE"], "each once, and one commit each"

    (nothing,) = verify(Change(MEMBERSHIP, nobody, nobody, nobody.select(*MEMBERSHIP.key)))
    nothing.do(lake, Transaction("query", 3))
    assert len(operations(lake)) == 3


def test_nothing_is_written_of_changes_of_which_one_breaks_its_contract(lake: Lakehouse) -> None:
    broken = Change(MEMBERSHIP, rows(lake, "ann", "ann"))
    with pytest.raises(ContractError, match="1 keys"):
        verify(Change(MEMBERSHIP, rows(lake, "bob")), broken)
    assert not lake.exists(MEMBERSHIP)


def test_other_frames_are_counted_in_the_same_job(lake: Lakehouse) -> None:
    writes, counts = verify_changes(
        [Change(MEMBERSHIP, rows(lake, "ann"))], rows(lake, "ann", "bob"), rows(lake)
    )
    assert (writes[0].rows, counts) == (1, [2, 0])
