"""One run of the simulation: stage persons, records and baskets once, then write every file."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.lakehouse.side_by_side import side_by_side
from clvspark.simulate import interactions, landing, truth
from clvspark.simulate.accounts import assign_campaigns, open_accounts
from clvspark.simulate.baskets import assign_baskets, split_lines
from clvspark.simulate.catalogue import write_campaigns, write_products
from clvspark.simulate.cdnow import SHIFT_WEEKS
from clvspark.simulate.draws import Draws
from clvspark.simulate.files import DropFolder
from clvspark.simulate.persons import draw_persons
from clvspark.simulate.planted import PlantedRow, plant_broken_rows
from clvspark.simulate.records import write_records
from clvspark.simulate.settings import EXTRA_COLUMN, EXTRA_COLUMN_MONTH, PopulationSettings

_PERSONS_PER_PART: Final = 250_000

Progress = Callable[[str], None]


@dataclass(frozen=True)
class SimulationSummary:
    """What was written: rows per landing file without the broken ones, money, people, records."""

    files: dict[str, int]
    revenue_cents: int
    baskets: int
    persons: int
    records: int
    planted: dict[str, int]


@dataclass(frozen=True)
class PurchaseSource:
    """Where purchases come from: relationships of persons, and the baskets of drawn persons."""

    kind: str
    persons: int
    relationships: DataFrame
    baskets: Callable[[DataFrame], DataFrame]
    effects_apply: bool


@dataclass(frozen=True)
class Staged:
    """The tables from which every file is one select."""

    persons: DataFrame
    records: DataFrame
    baskets: DataFrame
    assignments: DataFrame
    calendar: DataFrame


def write_drops(
    spark: SparkSession,
    folder: Path,
    source: PurchaseSource,
    draws: Draws,
    settings: PopulationSettings,
    progress: Progress,
) -> SimulationSummary:
    """Write landing/ and truth/ into the folder and return what was written."""
    parts = math.ceil(source.persons / _PERSONS_PER_PART)
    staged = _stage_tables(spark, folder / ".staging", source, draws, settings, progress)
    files = DropFolder(folder / "landing", parts)
    truths = DropFolder(folder / "truth", parts)
    progress("landing files")
    counts = _run(_landing_writes(files, staged, draws))
    progress("truth")
    known = _run(_truth_writes(truths, staged))
    counts["products/products.csv"] = write_products(files.root / "products/products.csv")
    counts["campaigns/campaigns.csv"] = write_campaigns(
        files.root / "campaigns/campaigns.csv", settings.campaigns
    )
    planted = plant_broken_rows(files.root, counts)
    records = sum(n for file, n in known.items() if file.startswith("record_person"))
    summary = _summarise(staged, source, counts, records, planted)
    _write_reports(truths.root, staged, source, draws, settings, summary, planted)
    shutil.rmtree(folder / ".staging")
    return summary


def _stage_tables(
    spark: SparkSession,
    folder: Path,
    source: PurchaseSource,
    draws: Draws,
    settings: PopulationSettings,
    progress: Progress,
) -> Staged:
    def stage(name: str, frame: DataFrame) -> DataFrame:
        progress(name)
        path = (folder / name).as_uri()
        frame.write.parquet(path)
        return spark.read.parquet(path)

    key_bits = max(15, source.persons.bit_length() + 1)
    drawn = draw_persons(source.relationships, draws, key_bits=key_bits)
    assigned = assign_campaigns(open_accounts(drawn, draws), settings.campaigns, draws)
    persons = stage("persons", assigned)
    written = stage("records", write_records(persons, draws))
    bought = assign_baskets(source.baskets(persons), persons, settings.campaigns, draws)
    identities = written.select(
        "record_key", "source_system", "source_record_id", "household_key",
        "email", "given", "family", "postcode",
    )  # fmt: skip
    baskets = stage("baskets", bought.join(identities, on="record_key", how="left"))
    records = truth.known_records(written, baskets)
    calendar = interactions.campaign_table(spark, settings.campaigns)
    assignments = interactions.campaign_assignments(persons, calendar)
    return Staged(persons, records, baskets, assignments, calendar)


Write = Callable[[], dict[str, int]]


def _run(writes: list[Write]) -> dict[str, int]:
    """Run the writes, a few at a time, and return rows per file."""
    counts: dict[str, int] = {}
    for written in side_by_side(lambda write: write(), writes):
        counts |= written
    return counts


def _landing_writes(files: DropFolder, staged: Staged, draws: Draws) -> list[Write]:
    """Return one deferred write per landing data set, the longest first."""
    lines = split_lines(staged.baskets, draws)
    sales = landing.till_sales(lines, draws)
    operator = F.lpad(
        (draws.integer(60, "operator", F.col("receipt_no")) + 1).cast("string"), 3, "0"
    )
    extended = sales.where(F.col("month") == EXTRA_COLUMN_MONTH)
    usual = sales.where(F.col("month") != EXTRA_COLUMN_MONTH)
    events = interactions.email_events(staged.assignments, draws)
    left = events.where(F.col("type") == "unsubscribed").select(
        F.col("contact_id").alias("source_record_id"), "occurred_at"
    )
    sorting = ("receipt_no", "line_no")
    tables: list[tuple[str, DataFrame, tuple[str, ...]]] = [
        ("web/orders.jsonl", landing.web_orders(lines, draws), ("order_no", "line_no")),
        ("web/guest_orders.jsonl", landing.guest_orders(lines, draws), ("order_no", "line_no")),
        ("app/orders.parquet", landing.app_orders(lines, draws), ("order_id", "line_no")),
        ("email/events.jsonl", events, ("event_id",)),
        ("loyalty/members.csv", landing.members(staged.records, draws), ("card_no",)),
        ("web/accounts.jsonl", landing.web_accounts(staged.records, draws), ("account_id",)),
        ("app/accounts.parquet", landing.app_accounts(staged.records, draws), ("app_user_id",)),
        ("app/sessions.parquet", interactions.app_sessions(staged.records, draws), ("session_id",)),
        ("crm/contacts.csv", landing.contacts(staged.records, draws), ("contact_id",)),
        (
            "email/coupon_redemptions.csv",
            interactions.coupon_redemptions(staged.baskets, staged.calendar, draws),
            ("redemption_id",),
        ),
        (
            "survey/responses.csv",
            interactions.survey_responses(staged.persons, draws),
            ("response_id",),
        ),
        (
            "consent/consents.jsonl",
            interactions.consents(staged.records, left, draws),
            ("consent_id",),
        ),
    ]
    with_operator = extended.withColumn(EXTRA_COLUMN, operator)
    return [
        lambda: files.write_by(usual, "till/sales_{}.csv", by="month", order=sorting),
        lambda: files.write_by(with_operator, "till/sales_{}.csv", by="month", order=sorting),
        *(_deferred(files, frame, name, order) for name, frame, order in tables),
    ]


def _truth_writes(files: DropFolder, staged: Staged) -> list[Write]:
    tables = [
        ("record_person.parquet", truth.record_person(staged.records), ("source_record_id",)),
        (
            "basket_person.parquet",
            truth.basket_person(staged.baskets, staged.calendar),
            ("order_id",),
        ),
        ("persons.parquet", truth.true_persons(staged.persons), ("person_key",)),
        (
            "campaign_assignment.parquet",
            staged.assignments.select("campaign_id", "contact_id", "person_key", "treated"),
            ("contact_id", "campaign_id"),
        ),
    ]
    return [_deferred(files, frame, name, order) for name, frame, order in tables]


def _deferred(files: DropFolder, frame: DataFrame, name: str, order: tuple[str, ...]) -> Write:
    return lambda: files.write(frame, name, order=order)


def _summarise(
    staged: Staged,
    source: PurchaseSource,
    counts: dict[str, int],
    records: int,
    planted: list[PlantedRow],
) -> SimulationSummary:
    totals = staged.baskets.agg(F.sum("cents").alias("cents"), F.count("*").alias("n"))
    (money,) = totals.collect()
    return SimulationSummary(
        files=dict(sorted(counts.items())),
        revenue_cents=int(money["cents"] or 0),
        baskets=int(money["n"]),
        persons=source.persons,
        records=records,
        planted=truth.planted_by_kind(planted),
    )


def _write_reports(
    folder: Path,
    staged: Staged,
    source: PurchaseSource,
    draws: Draws,
    settings: PopulationSettings,
    summary: SimulationSummary,
    planted: list[PlantedRow],
) -> None:
    """Write planted.json, campaign_effects.json and manifest.json."""
    manifest: dict[str, Any] = {
        "kind": source.kind,
        "seed": draws.seed,
        "persons": summary.persons,
        "records": summary.records,
        "baskets": summary.baskets,
        "revenue_cents": summary.revenue_cents,
        "files": summary.files,
    }
    if source.effects_apply:
        manifest |= settings.to_dict()
    else:
        manifest["shift_weeks"] = SHIFT_WEEKS
    truth.write_json(folder / "manifest.json", manifest)
    truth.write_json(folder / "planted.json", truth.planted_report(planted, summary.files))
    effects = truth.campaign_effects(
        staged.assignments,
        staged.baskets,
        settings.campaigns,
        effects_apply=source.effects_apply,
    )
    truth.write_json(folder / "campaign_effects.json", effects)
