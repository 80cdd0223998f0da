"""Persons keep their ids: created, absorbed, merged, split, and the same again on a rerun."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.identity.ledger import assign_person_ids, list_changes, update_links
from clvspark.identity.tables import PERSON_CHANGE, PERSON_LINK

MARCH, APRIL, MAY = date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1)
Clusters = dict[str, list[int]]


def frame(spark: SparkSession, clusters: Clusters) -> DataFrame:
    """Records s:1, s:2 ... of clusters; the cluster's label is its smallest record."""
    rows = [(f"s:{n}", f"s:{min(members)}") for members in clusters.values() for n in members]
    return spark.createDataFrame(rows, "unique_id string, cluster string")


def currently(
    spark: SparkSession, persons: dict[str, list[int]], since: dict[str, date] | None = None
) -> DataFrame:
    rows = [
        (f"s:{n}", person, (since or {}).get(person, MARCH))
        for person, ns in persons.items()
        for n in ns
    ]
    return spark.createDataFrame(rows, "unique_id string, person_id string, valid_from date")


def assign(
    spark: SparkSession, clusters: Clusters, before: DataFrame, day: date = APRIL
) -> DataFrame:
    return assign_person_ids(frame(spark, clusters), before, changed_on=day).persist()


def ids(assigned: DataFrame) -> dict[str, str]:
    return {row["unique_id"]: row["person_id"] for row in assigned.collect()}


def changes(
    assigned: DataFrame, before: DataFrame, day: date = APRIL
) -> set[tuple[str, str, str | None]]:
    listed = PERSON_CHANGE.conform(list_changes(assigned, before, changed_on=day))
    return {
        (row["person_id"], row["change_type"], row["other_person_id"]) for row in listed.collect()
    }


def test_new_records_make_new_persons_the_same_in_any_order(spark: SparkSession) -> None:
    nobody = currently(spark, {})
    assigned = assign(spark, {"a": [1, 2], "b": [3]}, nobody)
    found = ids(assigned)
    assert found["s:1"] == found["s:2"] != found["s:3"]
    assert changes(assigned, nobody) == {
        (found["s:1"], "created", None),
        (found["s:3"], "created", None),
    }
    again = ids(assign(spark, {"b": [3], "a": [2, 1]}, nobody, MAY))
    assert again == found, "neither the order nor the day plays a part"


def test_a_rerun_gives_the_same_ids_and_no_changes(spark: SparkSession) -> None:
    before = currently(spark, {"p1": [1, 2], "p2": [3]})
    assigned = assign(spark, {"a": [1, 2], "b": [3]}, before)
    assert ids(assigned) == {"s:1": "p1", "s:2": "p1", "s:3": "p2"}
    assert changes(assigned, before) == set()


def test_a_record_that_joins_is_absorbed_silently(spark: SparkSession) -> None:
    before = currently(spark, {"p1": [2, 3]})
    assigned = assign(spark, {"a": [1, 2, 3]}, before)
    assert set(ids(assigned).values()) == {"p1"}, (
        "the new smallest record does not rename the person"
    )
    assert changes(assigned, before) == set()


def test_of_merging_persons_the_one_with_most_records_survives(spark: SparkSession) -> None:
    before = currently(spark, {"p2": [1, 2, 3], "p1": [4]})
    assigned = assign(spark, {"a": [1, 2, 3, 4]}, before)
    assert set(ids(assigned).values()) == {"p2"}
    assert changes(assigned, before) == {("p1", "absorbed", "p2"), ("p2", "merged", "p1")}


def test_then_the_oldest_then_the_smallest_survives(spark: SparkSession) -> None:
    older = currently(spark, {"p1": [1], "p2": [2]}, {"p1": APRIL, "p2": MARCH})
    assert set(ids(assign(spark, {"a": [1, 2]}, older)).values()) == {"p2"}
    equal = currently(spark, {"p2": [1], "p1": [2]})
    assert set(ids(assign(spark, {"a": [1, 2]}, equal)).values()) == {"p1"}


def test_on_a_split_the_heaviest_part_keeps_the_id(spark: SparkSession) -> None:
    before = currently(spark, {"p1": [1, 2, 3]})
    assigned = assign(spark, {"a": [1], "b": [2, 3]}, before)
    found = ids(assigned)
    assert found["s:2"] == found["s:3"] == "p1"
    assert found["s:1"] != "p1"
    assert changes(assigned, before) == {(found["s:1"], "split", "p1")}


def test_a_part_never_gets_the_id_that_its_first_record_once_minted(spark: SparkSession) -> None:
    minted = ids(assign(spark, {"a": [1, 2, 3]}, currently(spark, {}), MARCH))["s:1"]
    before = currently(spark, {minted: [1, 2, 3]})
    found = ids(assign(spark, {"a": [1], "b": [2, 3]}, before))
    assert found["s:2"] == minted
    assert found["s:1"] != minted


def links(spark: SparkSession, *rows: tuple[str, date, date | None, str]) -> DataFrame:
    return PERSON_LINK.rows(
        spark,
        [
            {
                "source_system": "s", "source_record_id": record, "valid_from": start, "valid_to": end,
                "person_id": person, "reason": "match", "probability": 1,
            }
            for record, start, end, person in rows
        ],
    )  # fmt: skip


def after(
    before: DataFrame, assigned: DataFrame, day: date
) -> set[tuple[str, date, date | None, str]]:
    now = assigned.drop("valid_from", "valid_to")
    rows = PERSON_LINK.conform(update_links(before, now, changed_on=day)).collect()
    assert len(rows) == len({(row["source_record_id"], row["valid_from"]) for row in rows})
    return {(r["source_record_id"], r["valid_from"], r["valid_to"], r["person_id"]) for r in rows}


def test_links_are_closed_and_opened_on_the_day(spark: SparkSession) -> None:
    before = links(
        spark, ("1", MARCH, None, "p1"), ("2", MARCH, None, "p2"), ("3", MARCH, None, "p3"),
        ("4", date(2026, 1, 1), MARCH, "p0"), ("4", MARCH, None, "p4"),
    )  # fmt: skip
    assigned = links(spark, ("1", APRIL, None, "p1"), ("2", APRIL, None, "p1"), ("4", APRIL, None, "p4"),
                     ("5", APRIL, None, "p5"))  # fmt: skip
    assert after(before, assigned, APRIL) == {
        ("1", MARCH, None, "p1"),
        ("2", MARCH, APRIL, "p2"),
        ("2", APRIL, None, "p1"),
        ("3", MARCH, APRIL, "p3"),
        ("4", date(2026, 1, 1), MARCH, "p0"),
        ("4", MARCH, None, "p4"),
        ("5", APRIL, None, "p5"),
    }


def test_a_second_run_of_a_day_replaces_what_the_first_opened(spark: SparkSession) -> None:
    before = links(spark, ("1", APRIL, None, "p1"), ("2", APRIL, None, "p2"))
    assigned = links(spark, ("1", APRIL, None, "p9"))
    assert after(before, assigned, APRIL) == {("1", APRIL, None, "p9")}
    assert after(before, before, MAY) == {("1", APRIL, None, "p1"), ("2", APRIL, None, "p2")}


def test_the_persons_of_any_past_day_can_be_told(spark: SparkSession) -> None:
    before = links(spark, ("1", MARCH, None, "p1"), ("2", MARCH, None, "p2"))
    rows = update_links(
        before, links(spark, ("1", MAY, None, "p1"), ("2", MAY, None, "p1")), changed_on=MAY
    )
    day = F.lit(APRIL)
    then = rows.where(
        (F.col("valid_from") <= day) & (F.col("valid_to").isNull() | (F.col("valid_to") > day))
    )
    assert {(r["source_record_id"], r["person_id"]) for r in then.collect()} == {
        ("1", "p1"),
        ("2", "p2"),
    }
