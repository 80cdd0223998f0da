"""Any split of records into batches, in any order, with changes and losses between, ends in the same persons."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from support.people import SETTINGS as PEOPLE

from clvspark.identity import IdentityModel, IdentityResolver, IdentitySettings
from clvspark.identity.champion import crown
from clvspark.identity.config import IdentityConfig
from clvspark.identity.incremental.changes import Renewal, renew_evidence
from clvspark.identity.model.term_frequency import count_term_frequencies
from clvspark.identity.stage import run
from clvspark.identity.tables import (
    DECISION,
    EVIDENCE,
    MODEL,
    PAIR,
    PERSON,
    PERSON_CHANGE,
    PERSON_LINK,
    REVIEW,
    REVIEW_PAIR,
    SHARED_IDENTIFIER,
    TERM_FREQUENCY,
    links_as_of,
)
from clvspark.lakehouse import Lakehouse, Run, Table
from clvspark.lakehouse.errors import ContractError, MissingInputError
from clvspark.lakehouse.tracking import open_tracker
from clvspark.privacy.erase import erase_persons
from clvspark.sources.tables import CUSTOMER_RECORD

Row = dict[str, Any]
START = date(2026, 1, 1)
# Bounds so low that a dozen records cross them.
SETTINGS: dict[str, Any] = PEOPLE | {
    "attributes": [
        *PEOPLE["attributes"],
        {"column": "device_id", "kind": "identifier", "compare": False},
    ],
    "unique_identifiers": ["device_id"],
    "blocking_rules": [
        ["email"],
        ["surname", "birth_date"],
        ["given_name_forms", "postcode"],
        ["surname"],
    ],
    "max_block_records": 7,
    "refining_columns": ["given_name", "postcode"],
    "max_component_records": 14,
    "max_person_records": 5,
    "conflict_weight": 2.0,
}


def draw_record(chance: random.Random, number: int) -> Row:
    """A record that has much in common with others: few names, homes, e-mails and cards."""
    given = chance.choice(["ann", "anne", "bob", "carol", "dan"])
    surname = chance.choice(["smith", "smyth", "jones", "hall"])

    def sometimes(value: str, share: float) -> str | None:
        return value if chance.random() < share else None

    return {
        "source_system": chance.choice("ab"),
        "source_record_id": f"{number:03}",
        "given_name": given,
        "surname": sometimes(surname, 0.9),
        "birth_date": sometimes(f"198{chance.randrange(3)}-01-1{chance.randrange(2)}", 0.7),
        "email": sometimes(f"{chance.choice([given, 'shop', 'family'])}@example.com", 0.6),
        "postcode": sometimes(f"LS{chance.randrange(1, 4)} 1AA", 0.8),
        "loyalty_card": sometimes(f"card{chance.randrange(12)}", 0.15),
        "device_id": sometimes(f"device{chance.randrange(6)}", 0.15),
    }


def customer_records(spark: SparkSession, rows: Iterable[Row]) -> DataFrame:
    def typed(row: Row) -> Row:
        day = row.get("birth_date")
        return row | {"birth_date": date.fromisoformat(day) if day else None}

    return CUSTOMER_RECORD.rows(spark, map(typed, rows))


@pytest.fixture(scope="module")
def champion(spark: SparkSession, people: SimpleNamespace) -> SimpleNamespace:
    """Settings, and a model trained once on people with these attributes."""
    settings = IdentitySettings.model_validate(SETTINGS)
    records = customer_records(spark, people.rows)
    resolver = IdentityResolver(spark, settings)
    standard = resolver.standardise(records).localCheckpoint()
    model = resolver.train(standard)
    frequencies = count_term_frequencies(standard, model).localCheckpoint()
    return SimpleNamespace(settings=settings, model=model, frequencies=frequencies)


class World:
    """A lakehouse whose model is given, and the records that are in it."""

    def __init__(self, lake: Lakehouse, champion: SimpleNamespace, **changes: Any) -> None:
        self.lake, self.records, self.day = lake, {}, START
        settings = champion.settings.model_copy(update=changes)
        self.config = IdentityConfig(settings=settings, engine="local")
        self._crown(champion.model)
        lake.overwrite(TERM_FREQUENCY, champion.frequencies)

    def _crown(self, model: IdentityModel) -> None:
        nothing = self.lake.spark.createDataFrame([], MODEL.schema)
        self.lake.overwrite(MODEL, crown(nothing, model, self.config, trained_on=START))

    def put(self, *rows: Row) -> None:
        self.records |= {(row["source_system"], row["source_record_id"]): row for row in rows}

    def drop(self, *rows: Row) -> None:
        for row in rows:
            self.records.pop((row["source_system"], row["source_record_id"]), None)

    def decide(self, *decisions: tuple[str, str, str]) -> None:
        rows = [
            {"unique_id_l": min(a, b), "unique_id_r": max(a, b), "verdict": verdict, "decided_at": "2026-01-01"}
            for a, b, verdict in decisions
        ]  # fmt: skip
        self.lake.overwrite(DECISION, DECISION.rows(self.lake.spark, rows))

    def resolve(self) -> dict[str, float]:
        self.lake.renew(CUSTOMER_RECORD, customer_records(self.lake.spark, self.records.values()))
        self.lake.log.forget_everything()
        self.day += timedelta(days=1)
        report = run(self.lake, self.config, self.day)
        assert report.status == "success"
        return report.metrics

    def persons(self) -> dict[str, str]:
        """Person of each record."""
        rows = self.lake.read(PERSON_LINK).where("valid_to IS NULL").collect()
        found = {
            f"{row['source_system']}:{row['source_record_id']}": row["person_id"] for row in rows
        }
        assert len(found) == len(rows) == len(self.records)
        return found

    def told(self) -> list[str]:
        """What became of persons, on whatever day."""
        rows = self.lake.read(PERSON_CHANGE).drop(
            "change_id", "changed_on", "recorded_at", "run_id"
        )
        return sorted(str(row) for row in rows.collect())

    def partition(self) -> set[frozenset[str]]:
        groups: dict[str, set[str]] = {}
        for record, person in self.persons().items():
            groups.setdefault(person, set()).add(record)
        return {frozenset(group) for group in groups.values()}

    def state(self) -> dict[str, Any]:
        """All that must not tell how the records came, person ids aside."""
        spark_rows = {
            "pairs": self.lake.read(PAIR).collect(),
            "shared": self.lake.read(SHARED_IDENTIFIER).collect(),
            "review": self.lake.read(REVIEW).collect(),
            "queue": self.lake.read(REVIEW_PAIR).collect(),
            "evidence": self.lake.read(EVIDENCE).collect(),
            "persons": self.lake.read(PERSON).drop("person_id").collect(),
        }
        return {name: sorted(map(_rounded, rows), key=str) for name, rows in spark_rows.items()}


def _rounded(row: Any) -> str:
    return str({k: round(v, 9) if isinstance(v, float) else v for k, v in row.asDict().items()})


@pytest.fixture
def new_world(
    open_lake: Callable[[Path], Lakehouse], tmp_path: Path, champion: SimpleNamespace
) -> Callable[..., World]:
    """Makes lakehouses that share the model."""
    made = iter(range(100))
    return lambda **changes: World(open_lake(tmp_path / str(next(made))), champion, **changes)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_batches_end_in_the_persons_of_one_batch(
    new_world: Callable[..., World], seed: int
) -> None:
    chance = random.Random(seed)
    world = new_world()
    records = [draw_record(chance, number) for number in range(70)]
    chance.shuffle(records)
    cuts = sorted(chance.sample(range(35, 70), 2))
    decisions: list[tuple[str, str, str]] = []
    reached: list[float] = []
    seen: list[dict[str, Any]] = []
    for batch in (records[: cuts[0]], records[cuts[0] : cuts[1]], records[cuts[1] :]):
        world.put(*batch)
        present = list(world.records.values())
        changed = chance.sample(present, 3)
        world.put(*(draw_record(chance, 0) | _id(row) for row in changed))
        world.drop(*chance.sample(present, 4))
        a, b = (":".join(_id(row).values()) for row in chance.sample(present, 2))
        decisions.append((a, b, chance.choice(["same", "different"])))
        world.decide(*decisions)
        reached.append(world.resolve()["records_reached"])
        seen.append(world.state())
    assert reached[-1] < len(world.records), "the last batch was resolved by its changes"
    assert seen[0]["shared"] != seen[-1]["shared"], "identifiers became shared, or stopped to be"
    assert seen[0]["review"] != seen[-1]["review"], "blocks became hot"
    assert_equal_to_one_batch(world, new_world(), *decisions)


def assert_equal_to_one_batch(world: World, other: World, *decisions: tuple[str, str, str]) -> None:
    other.put(*sorted(world.records.values(), key=str))
    if decisions:
        other.decide(*decisions)
    other.resolve()
    assert world.partition() == other.partition()
    state = world.state()
    for name, rows in other.state().items():
        assert state[name] == rows, name


@pytest.mark.slow
@pytest.mark.parametrize("table", [PERSON, PERSON_LINK, EVIDENCE], ids=lambda table: table.name)
def test_an_interrupted_run_is_finished_by_the_next(
    new_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch, table: Table
) -> None:
    chance = random.Random(7)
    world, unharmed = new_world(), new_world()
    records = [draw_record(chance, number) for number in range(40)]
    for shop in (world, unharmed):
        shop.put(*records[:34])
        shop.resolve()
        shop.drop(*records[:3])
        shop.put(*records[34:])
    whole = Run.merge

    def killed(self: Run, written: Table, *rest: Any, **more: Any) -> int:
        if written.name == table.name:
            raise KeyboardInterrupt
        return whole(self, written, *rest, **more)

    monkeypatch.setattr(Run, "merge", killed)
    with pytest.raises(KeyboardInterrupt):
        world.resolve()
    monkeypatch.setattr(Run, "merge", whole)
    metrics = world.resolve()
    unharmed.resolve()
    assert metrics["records_reached"] < 40
    assert (metrics["id_stability"] == 1.0) or table is not EVIDENCE, "the ledger was written"
    assert world.persons() == unharmed.persons(), "the same ids"
    assert world.told() == unharmed.told(), "every change is told once"
    assert_equal_to_one_batch(world, new_world())


@pytest.mark.slow
def test_an_erasure_resolves_anew(new_world: Callable[..., World]) -> None:
    chance = random.Random(7)
    world = new_world()
    records = [draw_record(chance, number) for number in range(40)]
    world.put(*records)
    world.resolve()
    person, group = max(
        ((person, group) for group in world.partition() for person in group),
        key=lambda x: len(x[1]),
    )
    world.drop(*(row for row in records if ":".join(_id(row).values()) in group))
    erase_persons(world.lake, [person], requested_on=START)
    left = {row["unique_id"] for row in world.lake.read(EVIDENCE).collect()}
    assert len(left) == len(world.records)
    assert not left & group
    assert world.resolve()["records_reached"] == len(left), "what is erased cannot be compared"
    assert_equal_to_one_batch(world, new_world())


def test_only_records_that_were_written_are_compared(
    new_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(7)
    world = new_world()
    records = [draw_record(chance, number) for number in range(30)]
    told: list[set[str] | None] = []

    def listen(*given: Any, written: DataFrame | None) -> Renewal:
        rows = None if written is None else written.collect()
        told.append(None if rows is None else {row["unique_id"] for row in rows})
        return renew_evidence(*given, written=written)

    monkeypatch.setattr("clvspark.identity.stage.renew_evidence", listen)
    world.put(*records)
    world.resolve()
    new, moved, lost = draw_record(chance, 30), draw_record(chance, 0) | _id(records[4]), records[9]
    world.put(new, moved)
    world.drop(lost)
    a, b = (":".join(_id(row).values()) for row in records[20:22])
    world.decide((a, b, "same"))
    world.resolve()
    assert told == [{":".join(_id(row).values()) for row in (new, moved, lost)}]
    assert world.persons()[a] == world.persons()[b], "who was decided about is compared, too"
    assert_equal_to_one_batch(world, new_world(), (a, b, "same"))

    world.config = world.config.model_copy(update={"review_pairs": 7})
    world.resolve()
    assert told[1:] == [None], "another configuration compares all"


def test_a_truth_that_is_not_there_is_told_before_anything_is_written(
    new_world: Callable[..., World],
) -> None:
    world = new_world()
    world.put(draw_record(random.Random(1), 1))
    world.config = world.config.model_copy(update={"truth": "/nowhere/truth.parquet"})
    with pytest.raises(
        MissingInputError, match=r"identity\.truth: /nowhere/truth\.parquet does not"
    ):
        world.resolve()
    assert not world.lake.exists(PERSON_LINK)


@pytest.mark.slow
def test_a_model_gets_its_alias_once_the_table_has_it(
    new_world: Callable[..., World], champion: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new_world()
    world.put(*(draw_record(random.Random(1), number) for number in range(8)))
    world.config = world.config.model_copy(update={"retrain": True})
    monkeypatch.setattr(IdentityResolver, "train", lambda *_: champion.model)
    overwrite = Run.overwrite

    def refuse(run: Run, table: Table, *frames: DataFrame, **more: Any) -> int:
        if table is MODEL:
            raise OSError("the disk is full")
        return overwrite(run, table, *frames, **more)

    def aliases() -> dict[str, str]:
        root = world.lake.storage.local_root
        tracker = open_tracker(None, world.config.experiment, root)
        (model,) = tracker._client.search_registered_models()
        return {name: str(version) for name, version in model.aliases.items()}

    with monkeypatch.context() as patched:
        patched.setattr(Run, "overwrite", refuse)
        with pytest.raises(OSError, match="full"):
            world.resolve()
    assert aliases() == {}
    world.resolve()
    assert aliases() == {"champion": "2"}


@pytest.mark.slow
def test_decisions_survive_retraining_and_contradictions_write_nothing(
    new_world: Callable[..., World], people: SimpleNamespace
) -> None:
    world = new_world(max_block_records=1000, max_person_records=50, conflict_weight=8.0)
    world.put(*people.rows[:300])
    apart, together = ("a:0001", "b:0001"), ("a:0002", "a:0003")
    gone = ("a:0001", "z:9999")
    world.decide((*apart, "different"), (*together, "same"), (*gone, "same"))
    for retrain in (False, True):
        world.config = world.config.model_copy(update={"retrain": retrain})
        world.resolve()
        found = world.persons()
        assert found[apart[0]] != found[apart[1]]
        assert found[together[0]] == found[together[1]]
    models = world.lake.read(MODEL).collect()
    assert sorted(row["is_champion"] for row in models) == [False, True]
    links = world.lake.read(PERSON_LINK).where("source_system = 'a'").collect()
    reasons = {row["source_record_id"]: row["reason"] for row in links}
    assert reasons["0002"] == reasons["0003"] == "decision"
    queue = world.lake.read(REVIEW_PAIR).collect()
    assert not {apart, together} & {(row["unique_id_l"], row["unique_id_r"]) for row in queue}

    version = world.lake.version(PERSON_LINK)
    world.decide(
        (*together, "same"), ("a:0003", "b:0001", "same"), ("a:0002", "b:0001", "different")
    )
    with pytest.raises(ContractError, match=r"identity\.decision: 1 decisions"):
        world.resolve()
    assert world.lake.version(PERSON_LINK) == version


def _id(row: Row) -> Row:
    return {name: row[name] for name in ("source_system", "source_record_id")}


@pytest.mark.slow
def test_a_run_of_an_earlier_date_gives_no_record_two_persons(
    new_world: Callable[..., World],
) -> None:
    """A file is missing on one day, and resolved again for a day before that: links end and begin on the later one."""
    chance = random.Random(4)
    world = new_world()
    records = [draw_record(chance, number) for number in range(12)]
    world.put(*records)
    world.resolve()
    world.day += timedelta(days=8)
    world.drop(*records[:4])
    world.resolve()
    world.put(*records[:4])
    world.day = START + timedelta(days=4)
    world.resolve()
    links = world.lake.read(PERSON_LINK)
    for day in range(1, 14):
        of_day = links_as_of(links, START + timedelta(days=day))
        assert (
            of_day.count() == of_day.select("source_system", "source_record_id").distinct().count()
        )
