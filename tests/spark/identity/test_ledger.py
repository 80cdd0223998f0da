"""Persons keep their ids: created, absorbed, merged, split, ended; and what was known when."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.identity.persons.ledger import (
    Entry,
    assign_person_ids,
    list_changes,
    update_aliases,
    update_links,
)
from clvspark.identity.tables import (
    ALIAS,
    PERSON_CHANGE,
    PERSON_LINK,
    links_as_of,
    resolve_aliases,
)

MARCH, APRIL, MAY = date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1)
Clusters = list[list[int]]
Change = tuple[str, str, str | None]
Seen = set[tuple[str, date, date | None, str]]


def at(day: date, hour: int = 6) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def on(day: date, hour: int = 6) -> Entry:
    return Entry(day, at(day, hour), f"run-{day}-{hour}")


class Ledger:
    """identity.person_link in memory, one system ``s`` with records 1, 2 ..."""

    def __init__(self, spark: SparkSession, *rows: tuple[int, str, date]) -> None:
        self.spark = spark
        self.aliases = ALIAS.rows(spark, [])
        self.told = PERSON_CHANGE.rows(spark, [])
        self.links = PERSON_LINK.rows(
            spark,
            [
                {
                    "source_system": "s", "source_record_id": record, "valid_from": since, "person_id": person,
                    "recorded_at": f"{since} 06:00:00", "reason": "match", "probability": 1,
                }
                for record, person, since in rows
            ],
        )  # fmt: skip

    @property
    def named(self) -> DataFrame:
        return self.links.withColumn(
            "unique_id", F.concat_ws(":", "source_system", "source_record_id")
        )

    def assign(self, clusters: Clusters) -> DataFrame:
        rows = [(f"s:{n}", f"s:{min(members)}") for members in clusters for n in members]
        frame = self.spark.createDataFrame(rows, "unique_id string, cluster string")
        return assign_person_ids(frame, self.named).localCheckpoint()

    def enter(
        self, clusters: Clusters, entry: Entry, causes: dict[int, str] | None = None
    ) -> tuple[dict[int, str], set[Change]]:
        """Persons of the records after a run, and what it says has happened."""
        assigned = self.assign(clusters)
        cause = [(f"s:{n}", c) for n, c in (causes or {}).items()]
        caused = self.spark.createDataFrame(cause, "unique_id string, cause string")
        self.changes = PERSON_CHANGE.conform(list_changes(assigned, self.named, caused, entry))
        self.changes = self.changes.localCheckpoint()
        retired = ALIAS.conform(
            update_aliases(self.aliases, self.changes, self.named, assigned, self.told)
        ).localCheckpoint()
        assert retired.count() == retired.select("retired_id").distinct().count()
        same = self.aliases.join(retired, on="retired_id", how="left_anti").select(*ALIAS.names)
        self.aliases = same.unionByName(retired).localCheckpoint()
        self.told = self.told.unionByName(self.changes).localCheckpoint()
        described = assigned.select(
            F.lit("s").alias("source_system"),
            F.expr("substring(unique_id, 3)").alias("source_record_id"),
            "person_id",
            F.lit("match").alias("reason"),
            F.lit(1.0).alias("probability"),
        )
        written = PERSON_LINK.conform(update_links(self.links, described, entry))
        stays = self.links.join(written, on=PERSON_LINK.key, how="left_anti")
        self.links = stays.select(*PERSON_LINK.names).unionByName(written).localCheckpoint()
        self.written = written.count()
        happened = {
            (row["person_id"], row["change_type"], row["other_person_id"])
            for row in self.changes.collect()
        }
        return {int(row["unique_id"][2:]): row["person_id"] for row in assigned.collect()}, happened

    def leads(self) -> dict[str, str]:
        """Where each retired id leads."""
        return {row["retired_id"]: row["person_id"] for row in self.aliases.collect()}

    def rows(self) -> Seen:
        rows = self.links.collect()
        assert len(rows) == len({tuple(row[name] for name in PERSON_LINK.key) for row in rows})
        return {
            (row["source_record_id"], row["valid_from"], row["valid_to"], row["person_id"])
            for row in rows
        }


def test_new_records_make_new_persons_the_same_in_any_order(spark: SparkSession) -> None:
    found, changes = Ledger(spark).enter([[1, 2], [3]], on(MARCH))
    assert found[1] == found[2] != found[3]
    assert changes == {(found[1], "created", None), (found[3], "created", None)}
    again, _ = Ledger(spark).enter([[3], [2, 1]], on(MAY))
    assert again == found, "neither the order nor the day plays a part"


def test_a_rerun_gives_the_same_ids_and_no_changes(spark: SparkSession) -> None:
    ledger = Ledger(spark, (1, "p1", MARCH), (2, "p1", MARCH), (3, "p2", MARCH))
    found, changes = ledger.enter([[1, 2], [3]], on(APRIL))
    assert found == {1: "p1", 2: "p1", 3: "p2"}
    assert changes == set()
    assert ledger.written == 0


def test_a_record_that_joins_is_absorbed_silently(spark: SparkSession) -> None:
    found, changes = Ledger(spark, (2, "p1", MARCH), (3, "p1", MARCH)).enter([[1, 2, 3]], on(APRIL))
    assert set(found.values()) == {"p1"}, "the new smallest record does not rename the person"
    assert changes == set()


def test_of_merging_persons_the_one_with_most_records_survives(spark: SparkSession) -> None:
    ledger = Ledger(spark, *((n, "p2", MARCH) for n in (1, 2, 3)), (4, "p1", MARCH))
    found, changes = ledger.enter([[1, 2, 3, 4]], on(APRIL))
    assert set(found.values()) == {"p2"}
    assert changes == {("p1", "absorbed", "p2"), ("p2", "merged", "p1")}


def test_then_the_oldest_then_the_smallest_survives(spark: SparkSession) -> None:
    older = Ledger(spark, (1, "p1", APRIL), (2, "p2", MARCH))
    assert set(older.enter([[1, 2]], on(MAY))[0].values()) == {"p2"}
    equal = Ledger(spark, (1, "p2", MARCH), (2, "p1", MARCH))
    assert set(equal.enter([[1, 2]], on(MAY))[0].values()) == {"p1"}


def test_on_a_split_the_heaviest_part_keeps_the_id(spark: SparkSession) -> None:
    ledger = Ledger(spark, *((n, "p1", MARCH) for n in (1, 2, 3)))
    found, changes = ledger.enter([[1], [2, 3]], on(APRIL))
    assert found[2] == found[3] == "p1"
    assert found[1] != "p1"
    assert changes == {(found[1], "split", "p1")}


def test_who_falls_apart_is_absorbed_by_the_person_of_most_of_its_records(
    spark: SparkSession,
) -> None:
    kept = [(n, "p1", MARCH) for n in (1, 2, 3, 4)] + [(n, "p2", MARCH) for n in (5, 6)]
    ledger = Ledger(spark, *kept, *((n, "p3", MARCH) for n in (7, 8, 9)))
    found, changes = ledger.enter([[1, 2, 3, 4, 7, 8], [5, 6, 9]], on(APRIL))
    assert found[7] == found[8] == "p1"
    assert found[9] == "p2"
    assert changes == {("p3", "absorbed", "p1"), ("p1", "merged", "p3")}


def test_who_has_no_record_left_ends(spark: SparkSession) -> None:
    ledger = Ledger(spark, (1, "p1", MARCH), (2, "p2", MARCH))
    assert ledger.enter([[1]], on(APRIL))[1] == {("p2", "ended", None)}
    assert ledger.rows() == {("1", MARCH, None, "p1"), ("2", MARCH, APRIL, "p2")}


def test_no_id_is_ever_given_twice(spark: SparkSession) -> None:
    """Record 1 mints an id, leaves the person it named, is lost and comes back, all on one day."""
    ledger = Ledger(spark)
    first = ledger.enter([[1, 2, 3]], on(MARCH, 1))[0][1]
    alone = ledger.enter([[1], [2, 3]], on(MARCH, 2))[0]
    assert alone[2] == first != alone[1]
    assert ledger.enter([[2, 3]], on(MARCH, 3))[1] == {(alone[1], "ended", None)}
    back = ledger.enter([[1], [2, 3]], on(MARCH, 4))[0]
    assert len({first, alone[1], back[1]}) == 3


def test_who_comes_back_is_found_by_the_id_that_ended(spark: SparkSession) -> None:
    """A file that is missing for a day ends persons; those who had absorbed others lead these on."""
    ledger = Ledger(spark, (1, "p1", MARCH), (2, "p1", MARCH), (3, "p2", MARCH), (4, "p4", MARCH))
    assert ledger.enter([[1, 2, 3], [4]], on(MARCH, 7))[1] >= {("p2", "absorbed", "p1")}
    _, changes = ledger.enter([[4]], on(APRIL))
    assert changes == {("p1", "ended", None)}
    back, changes = ledger.enter([[1, 2], [3, 4]], on(APRIL, 8))
    assert changes == {(back[1], "created", None)}
    assert back[1] not in {"p1", "p2"}
    assert back[3] == "p4"
    assert ledger.leads() == {"p1": back[1], "p2": back[1]}
    ledger.enter([[3, 4]], on(MAY))
    again, _ = ledger.enter([[1, 2, 3, 4]], on(MAY, 7))
    assert again[1] == "p4"
    assert ledger.leads() == {"p1": "p4", "p2": "p4", back[1]: "p4"}


def test_an_id_of_somebody_who_still_is_leads_nowhere(spark: SparkSession) -> None:
    """Record 2 left p1 for p3 before it was lost; both live on without it."""
    ledger = Ledger(spark, (1, "p1", MARCH), (2, "p1", MARCH), (3, "p3", MARCH), (4, "p3", MARCH))
    ledger.enter([[1], [2, 3, 4]], on(MARCH, 7))
    ledger.enter([[1], [3, 4]], on(APRIL))
    ledger.enter([[1], [2], [3, 4]], on(APRIL, 7))
    assert ledger.leads() == {}


def test_an_id_minted_again_is_none_that_another_record_could_mint(spark: SparkSession) -> None:
    """Record `a` was linked once before; `a#1` is new."""
    gone = {
        "source_system": "s", "source_record_id": "a", "valid_from": MARCH, "valid_to": APRIL, "person_id": "p1",
        "recorded_at": f"{MARCH} 06:00:00", "closed_at": f"{APRIL} 06:00:00", "reason": "single", "probability": 1,
    }  # fmt: skip
    links = PERSON_LINK.rows(spark, [gone]).withColumn("unique_id", F.lit("s:a"))
    ids = [(name, name) for name in ("s:a", "s:a#1", "s:a#2", "s:b")]
    clusters = spark.createDataFrame(ids, "unique_id string, cluster string")
    assert assign_person_ids(clusters, links).select("person_id").distinct().count() == len(ids)


def test_a_change_tells_run_and_reason(spark: SparkSession) -> None:
    ledger = Ledger(spark, (1, "p1", MARCH), (2, "p2", MARCH), (3, "p3", MARCH), (4, "p4", MARCH))
    causes = {1: "records", 2: "decision", 3: "model"}
    ledger.enter([[1, 2], [3, 4]], on(APRIL), causes)
    told = {(row["person_id"], row["change_type"]): row for row in ledger.changes.collect()}
    assert {key: row["reason"] for key, row in told.items()} == {
        ("p2", "absorbed"): "decision", ("p1", "merged"): "decision",
        ("p4", "absorbed"): "model", ("p3", "merged"): "model",
    }  # fmt: skip
    (row,) = {
        (row["run_id"], row["recorded_at"].timestamp(), row["changed_on"]) for row in told.values()
    }
    assert row == ("run-2026-04-01-6", at(APRIL).timestamp(), APRIL)


def test_links_are_closed_and_opened_on_the_day(spark: SparkSession) -> None:
    ledger = Ledger(spark, *((n, f"p{n}", MARCH) for n in (1, 2, 3, 4)))
    found, _ = ledger.enter([[1, 2], [4], [5]], on(APRIL))
    assert ledger.rows() == {
        ("1", MARCH, None, "p1"),
        ("2", MARCH, APRIL, "p2"),
        ("2", APRIL, None, "p1"),
        ("3", MARCH, APRIL, "p3"),
        ("4", MARCH, None, "p4"),
        ("5", APRIL, None, found[5]),
    }
    assert ledger.written == 4, "rows that stay are not written"


def persons_of(links: DataFrame) -> dict[str, str]:
    rows = links.collect()
    assert len(rows) == len({row["source_record_id"] for row in rows})
    return {row["source_record_id"]: row["person_id"] for row in rows}


def test_who_was_whom_on_a_day_as_was_known_at_a_time(spark: SparkSession) -> None:
    ledger = Ledger(spark, (1, "p1", MARCH), (2, "p2", MARCH))
    ledger.enter([[1, 2]], on(MAY))
    ledger.enter([[1, 2], [3]], on(MAY, 9))
    apart, together = {"1": "p1", "2": "p2"}, {"1": "p1", "2": "p1"}
    assert persons_of(links_as_of(ledger.links, APRIL)) == apart
    assert persons_of(links_as_of(ledger.links, MAY)).items() >= together.items()
    before, between = at(date(2026, 4, 15)), at(MAY, 7)
    assert persons_of(links_as_of(ledger.links, MAY, before)) == apart, "nobody knew better"
    assert persons_of(links_as_of(ledger.links, MAY, between)) == together
    assert persons_of(links_as_of(ledger.links, MARCH, at(date(2026, 2, 1)))) == {}


def test_what_a_second_run_of_a_day_corrects_is_still_known_to_have_been_said(
    spark: SparkSession,
) -> None:
    ledger = Ledger(spark, (1, "p1", APRIL), (2, "p2", APRIL))
    ledger.enter([[1, 2]], on(APRIL, 9))
    assert persons_of(links_as_of(ledger.links, APRIL)) == {"1": "p1", "2": "p1"}
    at_seven = links_as_of(ledger.links, APRIL, at(APRIL, 7))
    assert persons_of(at_seven) == {"1": "p1", "2": "p2"}


def test_retired_ids_lead_to_who_they_are_today_without_a_chain(spark: SparkSession) -> None:
    ledger = Ledger(spark, *((n, f"p{n}", MARCH) for n in (1, 2, 3, 4)), (5, "p4", MARCH))
    for clusters, day in (([[1, 2], [3], [4, 5]], APRIL), ([[1, 2, 4, 5], [3]], MAY)):
        ledger.enter(clusters, on(day))
    assert heirs_of(ledger) == {"p2": "p1", "p4": "p1"}
    asked = spark.createDataFrame([("p2", 1), ("p3", 2), ("p4", 3)], "person_id string, n int")
    rows = resolve_aliases(asked, ledger.aliases).orderBy("n").collect()
    assert [row["person_id"] for row in rows] == ["p1", "p3", "p1"]


def test_an_alias_goes_with_the_records_when_a_merger_is_undone(spark: SparkSession) -> None:
    ledger = Ledger(spark, (1, "p1", MARCH), (2, "p1", MARCH), (3, "p3", MARCH), (4, "p4", MARCH))
    ledger.enter([[1, 2, 3], [4]], on(APRIL))
    assert heirs_of(ledger) == {"p3": "p1"}
    persons, _ = ledger.enter([[1, 2], [3, 4]], on(MAY))
    assert persons == {1: "p1", 2: "p1", 3: "p4", 4: "p4"}
    assert heirs_of(ledger) == {"p3": "p4"}


def heirs_of(ledger: Ledger) -> dict[str, str]:
    return {row["retired_id"]: row["person_id"] for row in ledger.aliases.collect()}


partitions = st.lists(st.integers(0, 3), min_size=5, max_size=5)


@pytest.mark.slow
@settings(max_examples=4)
@given(st.lists(partitions, min_size=2, max_size=4))
def test_ids_are_unique_and_every_retired_one_has_an_heir_or_an_end(
    spark: SparkSession, history: list[list[int]]
) -> None:
    ledger, known, retired = Ledger(spark), set(), set()
    for hour, labels in enumerate(history):
        # Label 3: the record is not there.
        clusters = [[n for n in range(5) if labels[n] == group] for group in range(3)]
        found, changes = ledger.enter([c for c in clusters if c], on(MARCH, hour))
        assert len(set(found.values())) == len([c for c in clusters if c])
        alive = set(found.values())
        assert not alive & retired, "a retired id does not return"
        born = {p for p, kind, _ in changes if kind in ("created", "split")}
        gone = {p for p, kind, _ in changes if kind in ("absorbed", "ended")}
        assert born == alive - known
        assert gone == known - alive
        assert all(heir in alive for _, kind, heir in changes if kind == "absorbed")
        known, retired = alive, retired | gone
