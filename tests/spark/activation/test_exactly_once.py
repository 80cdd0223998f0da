"""Whatever happens between sending and writing it down, a receiver that honours the key ends with the right list."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from clvspark.activation.config import FileDestination
from clvspark.activation.lines import build_lines
from clvspark.activation.outbox import list_held, write_instructions
from clvspark.activation.settle import list_snapshot, match_lines, settle_instructions
from clvspark.activation.tables import OUTBOX

pytestmark = pytest.mark.slow

TOOL = FileDestination.model_validate(
    {"id": "tool", "format": "csv", "channel": "email", "identifier": "email", "hashed": False, "audiences": ["top"]}
)  # fmt: skip
ADDRESSES = {"x": "home@x.org", "X": " Home@X.org", "y": "y@x.org"}
# What comes of a day: told and written down; told, but the run was killed; told in part, and killed; not told.
FATES = ("told", "killed", "half", "away")
Day = tuple[dict[str, str], str, bool]


class Receiver:
    """Takes each key once."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.held: set[str] = set()

    def take(self, line: dict[str, Any]) -> None:
        self.taken[line["outbox_id"]] += 1
        if self.taken[line["outbox_id"]] == 1:
            change = self.held.add if line["operation"] == "add" else self.held.discard
            change(line["_entry"])


class Shop:
    """An outbox, day by day; on one and the same date where `same` says so."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark, self.day = spark, date(2026, 4, 1)
        self.outbox = spark.createDataFrame([], OUTBOX.schema)
        self.receiver = Receiver()
        values = "person_id string, clv double, clv_decile int, lifecycle_stage string"
        self.contacts = spark.createDataFrame(
            [("ann", 1.0, 1, "core"), ("bob", 2.0, 1, "core")], values
        )

    def live(self, wanted: dict[str, str], fate: str, same: bool) -> None:
        self.day += timedelta(days=0 if same else 1)
        rows = [("tool", "top", person, ADDRESSES[name]) for person, name in wanted.items()]
        eligible = self.spark.createDataFrame(
            rows, "destination_id string, audience_id string, person_id string, address string"
        )
        new = write_instructions(self.outbox, eligible, as_of=self.day)
        self.outbox = self.outbox.unionByName(OUTBOX.conform(new)).localCheckpoint()
        waiting = self.outbox.where("status = 'pending'")
        lines = build_lines(
            waiting, list_held(self.outbox), self.contacts, TOOL, as_of=self.day
        ).localCheckpoint()
        told = sorted((row.asDict() for row in lines.collect()), key=lambda row: row["_entry"])
        for line in told[: {"half": len(told) // 2, "away": 0}.get(fate, len(told))]:
            self.receiver.take(line)
        if fate == "told":
            self._write_down(waiting, lines)

    def _write_down(self, waiting: DataFrame, lines: DataFrame) -> None:
        accepted = lines.selectExpr(
            "outbox_id", "'accepted' AS outcome", "CAST(NULL AS string) AS error"
        )
        settled = settle_instructions(
            match_lines(waiting, lines, TOOL), accepted, as_of=self.day, batch=1, max_attempts=5
        )
        before = self.outbox.where("status <> 'pending'")
        self.outbox = before.unionByName(settled.drop("_error")).localCheckpoint()


days = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(["ann", "bob"]), st.sampled_from(sorted(ADDRESSES))),
        st.sampled_from(FATES),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


# Added and killed, removed and killed, added by somebody else, all on one date: the key of the last add must be new.
@settings(max_examples=6)
@example(
    lives=[({"ann": "x"}, "killed", True), ({}, "killed", True), ({"bob": "X"}, "killed", True)]
)
@example(
    lives=[
        ({"ann": "x", "bob": "X"}, "half", True),
        ({"bob": "y"}, "away", False),
        ({}, "killed", False),
    ]
)
@given(lives=days)
def test_the_receiver_holds_the_list_and_took_no_change_twice(
    spark: SparkSession, lives: list[Day]
) -> None:
    shop = Shop(spark)
    for wanted, fate, same in lives:
        shop.live(wanted, fate, same)
    last = lives[-1][0]
    shop.live(last, "told", True)
    assert shop.receiver.held == {ADDRESSES[name].strip().lower() for name in last.values()}
    assert {row["person_id"] for row in list_snapshot(shop.outbox).collect()} == set(last)
    taken = sum(shop.receiver.taken.values())
    shop.live(last, "told", True)
    assert sum(shop.receiver.taken.values()) == taken, "nothing is left to tell"
