"""An address that several persons share: what one of them refused nobody is sent, and it is told or held out as one."""

from __future__ import annotations

import itertools
import json
from datetime import date
from functools import reduce
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from support.lists import APRIL, MAY, activate, configure, consent, lines, sha256, told, write

from clvspark.activation.config import FileDestination, HoldoutConfig
from clvspark.activation.gate import assign_members, join_addresses, judge_members
from clvspark.activation.holdout import deal_groups, groups_today, hold_entries
from clvspark.activation.tables import ASSIGNMENT, DELIVERY, HOLDOUT
from clvspark.identity.tables import ALIAS
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.contract import verify_contract
from clvspark.privacy.addresses import judge_entries, list_entries
from clvspark.privacy.consent import resolve_consent
from clvspark.sources.tables import CONSENT, CUSTOMER_RECORD, UNREAD_ADDRESS

HOME = "home@example.org"
ENTRY = "person_id string, entry string"
MEMBER = ("'top' AS audience_id", "person_id", "CAST(NULL AS STRING) AS channel")


def links(spark: SparkSession, **persons: str) -> DataFrame:
    rows = [("s", record, person) for record, person in persons.items()]
    return spark.createDataFrame(
        rows, "source_system string, source_record_id string, person_id string"
    )


def statement(record: str, val: str, day: int, channel: str = "email") -> dict[str, object]:
    return {
        "consent_id": f"{record}{day}{channel}", "source_system": "s", "source_record_id": record, "channel": channel,
        "purpose": "marketing", "val": val, "recorded_at": f"2026-03-{day:02} 00:00:00",
    }  # fmt: skip


def test_a_person_has_the_addresses_of_all_their_records(spark: SparkSession) -> None:
    golden = spark.createDataFrame(
        [("ann", "ann@example.org"), ("bob", None)], "person_id string, email string"
    )
    rows = [
        ("r1", " ANN@example.org "), ("r2", "Home@Example.org"), ("r3", f"\u00a0\t{HOME}\x00\u200b"), ("r4", " "),
    ]  # fmt: skip
    records = CUSTOMER_RECORD.rows(
        spark, [{"source_system": "s", "source_record_id": r, "email": e} for r, e in rows]
    )
    people = links(spark, r1="ann", r2="ann", r3="bob", r4="bob")
    found = list_entries(golden, records, people, "email").collect()
    assert sorted(map(tuple, found)) == [("ann", "ann@example.org"), ("ann", HOME), ("bob", HOME)]


def test_the_newest_word_of_each_and_of_those_the_most_restrictive_counts(
    spark: SparkSession,
) -> None:
    people = links(
        spark, a="ann", b="bob", c="cat", d="dan", e="dan", f="fay", g="gus", h="hal", i="ida"
    )
    entries = spark.createDataFrame(
        [
            ("ann", HOME), ("bob", HOME), ("cat", "cat@x.org"), ("dan", "dan@x.org"), ("eve", "e@x.org"),
            ("fay", "f@x.org"), ("gus", "f@x.org"), ("hal", "h@x.org"), ("ida", "h@x.org"),
        ],
        ENTRY,
    )  # fmt: skip
    said = [
        statement("a", "y", 1), statement("b", "y", 1), statement("b", "n", 2),
        statement("c", "n", 1), statement("c", "y", 2),
        statement("d", "y", 3), statement("e", "n", 1, "any"),
        statement("f", "y", 1), statement("g", "n", 1, "sms"),
        statement("h", "y", 1), statement("i", "p", 1, "any"),
    ]  # fmt: skip
    until = F.lit(APRIL).cast("timestamp")
    consents = resolve_consent(CONSENT.rows(spark, said), people, purpose="marketing", until=until)
    judged = judge_entries(entries, consents)
    assert {row["entry"]: row["consent_email"] for row in judged.collect()} == {
        HOME: False,
        "cat@x.org": True,
        "dan@x.org": False,
        "f@x.org": True,  # nobody but fay has spoken of e-mail
        "h@x.org": False,
    }


def aliases(spark: SparkSession, absorbed: dict[str, str]) -> DataFrame:
    retired = {"retired_on": APRIL, "recorded_at": "2026-04-01 06:00:00"}
    return ALIAS.rows(
        spark, [{"retired_id": was, "person_id": now, **retired} for was, now in absorbed.items()]
    )


def deal(
    spark: SparkSession,
    persons: str,
    entries: list[tuple[str, str]],
    absorbed: dict[str, str] | None = None,
    **dealt: str,
) -> dict[str, str]:
    before = [{"person_id": p, "split_group": g, "assigned_on": APRIL} for p, g in dealt.items()]
    people = spark.createDataFrame([(name,) for name in persons.split()], "person_id string")
    config = HoldoutConfig(percent=50, salt="a")
    found = HOLDOUT.conform(
        deal_groups(
            people,
            spark.createDataFrame(entries, ENTRY),
            HOLDOUT.rows(spark, before),
            aliases(spark, absorbed or {}),
            config,
            as_of=MAY,
        )
    )
    return {row["person_id"]: row["split_group"] for row in found.collect()}


def test_persons_who_share_an_address_are_dealt_as_one(spark: SparkSession) -> None:
    names = [f"p{n}" for n in range(40)]
    shared = [(name, f"{int(name[1:]) // 2}@x.org") for name in names]
    groups = deal(spark, " ".join(names), shared)
    assert set(groups.values()) == {"treatment", "holdout"}
    for n in range(0, 40, 2):
        assert groups[f"p{n}"] == groups[f"p{n + 1}"]
    alone = deal(spark, " ".join(names), [(name, f"{name}@x.org") for name in names])
    assert alone == deal(spark, " ".join(names), [("p0", "p0@x.org")]), "else by person"


def test_who_shares_an_address_with_somebody_dealt_before_joins_them(spark: SparkSession) -> None:
    entries = [("old", HOME), ("new", HOME), ("held", "x@x.org"), ("told", "x@x.org"), ("late", "x@x.org")]  # fmt: skip
    for group in ("treatment", "holdout"):
        assert deal(spark, "old new", entries, old=group) == {"new": group}
    assert deal(spark, "late", entries, held="holdout", told="treatment") == {"late": "holdout"}


def test_who_absorbs_somebody_dealt_before_takes_over_their_group(spark: SparkSession) -> None:
    entries = [("now", HOME), ("other", HOME), ("old", "old@x.org")]
    for group in ("treatment", "holdout"):
        assert deal(spark, "now", entries, {"was": "now"}, was=group) == {"now": group}
        assert deal(spark, "other", entries, {"was": "now"}, was=group) == {"other": group}
    both = {"one": "now", "two": "now"}
    assert deal(spark, "now", entries, both, one="treatment", two="holdout") == {"now": "holdout"}
    assert deal(spark, "old", entries, {"was": "old"}, was="holdout", old="treatment") == {}, (
        "a group that was dealt stays"
    )


def test_addresses_of_who_was_held_out_stay_held_after_a_merge(spark: SparkSession) -> None:
    before = [
        {"person_id": p, "split_group": g, "assigned_on": APRIL}
        for p, g in (("was", "holdout"), ("own", "treatment"))
    ]
    groups = groups_today(HOLDOUT.rows(spark, before), aliases(spark, {"was": "now"}))
    entries = spark.createDataFrame([("now", HOME), ("own", "own@x.org")], ENTRY)
    assert [row["entry"] for row in hold_entries(entries, groups).collect()] == [HOME]


def test_no_address_is_told_that_one_refused_or_that_is_of_somebody_held_out(
    spark: SparkSession,
) -> None:
    """Every way in which one, two or three persons can share an address."""
    states = list(itertools.product(["y", "n", None], ["treatment", "holdout"]))
    shared = [
        sharers
        for number in (1, 2, 3)
        for sharers in itertools.combinations_with_replacement(states, number)
    ]
    named = [
        (f"p{box}.{n}", f"{box}@x.org", *state)
        for box, sharers in enumerate(shared)
        for n, state in enumerate(sharers)
    ]
    columns = "person_id string, email string, val string, split_group string"
    known = spark.createDataFrame(named, columns)
    entries = known.select("person_id", F.col("email").alias("entry"))
    said = CONSENT.rows(spark, [statement(p, val, 1) for p, _, val, _ in named if val])
    until = F.lit(APRIL).cast("timestamp")
    own = known.select(
        F.lit("s").alias("source_system"), F.col("person_id").alias("source_record_id"), "person_id"
    )
    consents = resolve_consent(said, own, purpose="marketing", until=until)
    allowed = judge_entries(entries, consents)
    contacts = known.withColumn("consent_email", F.col("val") == "y")
    contacts = join_addresses(contacts, allowed, hold_entries(entries, known), "email")
    to = configure(Path("unused")).destinations[0]
    members = known.selectExpr(*MEMBER)
    verdicts = judge_members(members, contacts, to).where("verdict = 'eligible'").collect()
    eligible = {row["person_id"] for row in verdicts}
    wanted = {
        f"p{box}.{n}"
        for box, sharers in enumerate(shared)
        for n, (val, _) in enumerate(sharers)
        if val == "y" and ("n" not in dict(sharers)) and "holdout" not in {g for _, g in sharers}
    }
    assert wanted
    assert eligible == wanted


@pytest.mark.slow
def test_a_withdrawal_takes_the_address_off_the_list_whoever_it_was(
    lake: Lakehouse, tmp_path: Path
) -> None:
    write(lake, {"ann": HOME, "bob": "Home@example.org"})
    activate(lake, configure(tmp_path), APRIL)
    assert len(lines(tmp_path, "tool/2026-04-01")) == 1
    (row,) = lake.read(DELIVERY).collect()
    assert (row["persons_added"], row["entries_added"]) == (2, 1)
    manifest = json.loads((tmp_path / "exports/tool/2026-04-01/manifest.json").read_text())
    assert manifest["audiences"] == [
        {"audience_id": "top", "persons_added": 2, "persons_removed": 0, "entries_added": 1, "entries_removed": 0}
    ]  # fmt: skip

    consent(lake, "bob", "n", "2026-05-01 08:00:00")
    report = activate(lake, configure(tmp_path), date(2026, 5, 1))
    (line,) = lines(tmp_path, "tool/2026-05-01")
    assert (line["operation"], line["email"].lower()) == ("remove", HOME)
    assert [step[:2] for step in told(lake)] == [
        ("ann", "add"), ("ann", "remove"), ("bob", "add"), ("bob", "remove")
    ]  # fmt: skip
    may = {row["as_of_date"]: row for row in lake.read(DELIVERY).collect()}[MAY]
    assert (may["without_consent"], may["persons_removed"], may["entries_removed"]) == (2, 2, 1)
    assert report.rows["activation.outbox"] == 2, "a row is counted once"


def test_a_number_is_the_same_however_it_is_written(spark: SparkSession) -> None:
    golden = spark.createDataFrame([("ann", "+447700900123")], "person_id string, phone string")
    numbers = {"r1": "07700 900123", "r2": "0044 (7700) 900-123", "r3": "07700 900124"}
    rows = [{"source_system": "s", "source_record_id": r, "mobile": n} for r, n in numbers.items()]
    records = CUSTOMER_RECORD.rows(spark, rows)
    people = links(spark, r1="bob", r2="cat", r3="dan")
    entries = list_entries(golden, records, people, "phone").collect()
    sharing = {row["person_id"] for row in entries if row["entry"] == "700900123"}
    assert sharing == {"ann", "bob", "cat"}


def test_who_is_held_out_by_one_address_is_held_out_by_every_destination(
    spark: SparkSession,
) -> None:
    columns = "person_id string, email string, phone string, split_group string, email_held boolean, phone_held boolean"
    rows = [
        ("free", "f@x.org", "1", "treatment", None, False), ("held", "h@x.org", "2", "treatment", False, True),
        ("only", None, "3", "treatment", None, True),
    ]  # fmt: skip
    yes = {
        f"{name}consent_{kind}": F.lit(True)
        for name in ("", "email_", "phone_")
        for kind in ("email", "sms")
    }
    contacts = spark.createDataFrame(rows, columns).withColumns(yes)
    members = contacts.selectExpr(*MEMBER)
    email = configure(Path("unused")).destinations[0]
    sms = email.model_copy(update={"id": "sms", "channel": "sms", "identifier": "phone"})
    found = [
        {row["person_id"]: row["verdict"] for row in judge_members(members, contacts, to).collect()}
        for to in (email, sms)
    ]
    assert found == [
        {"free": "eligible", "held": "held_out", "only": "without_identifier"},
        {"free": "eligible", "held": "held_out", "only": "held_out"},
    ]
    every = reduce(
        DataFrame.unionByName, [judge_members(members, contacts, to) for to in (email, sms)]
    )
    none = spark.createDataFrame([], ASSIGNMENT.schema)
    assigned = assign_members(every, none, as_of=APRIL)
    verify_contract(ASSIGNMENT.conform(assigned), ASSIGNMENT)


def test_a_destination_names_an_audience_once() -> None:
    destination = configure(Path("unused")).destinations[0].model_dump()
    with pytest.raises(ValueError, match="names top more than once"):
        FileDestination.model_validate({**destination, "audiences": ["top", "new", "top"]})


@pytest.mark.slow
def test_nobody_is_sent_to_an_address_that_a_record_in_quarantine_refused(
    lake: Lakehouse, tmp_path: Path
) -> None:
    write(lake)
    consent(lake, "torn", "n", "2026-03-01 00:00:00")
    consent(lake, "ripped", "y", "2026-03-01 00:00:00")
    lost = {"source_system": "s", "identifier": "email"}
    rows = [("torn", "ann@example.org"), ("ripped", "bob@example.org"), ("torn", "x@example.org")]
    lake.overwrite(
        UNREAD_ADDRESS,
        UNREAD_ADDRESS.rows(
            lake.spark,
            [{**lost, "source_record_id": r, "address_sha256": sha256(a)} for r, a in rows],
        ),
    )
    activate(lake, configure(tmp_path), APRIL)
    assert [line["email"] for line in lines(tmp_path, "tool/2026-04-01")] == ["bob@example.org"]
    [delivery] = lake.read(DELIVERY).collect()
    assert (delivery["members"], delivery["without_consent"]) == (2, 1)
