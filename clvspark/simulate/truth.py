"""What is really so, written beside the landing files and never read by the pipeline."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.simulate.planted import PlantedRow
from clvspark.simulate.settings import EXTRA_COLUMN, EXTRA_COLUMN_MONTH, Campaign


def known_records(records: DataFrame, baskets: DataFrame) -> DataFrame:
    """Return the records that appear in the landing files: guests only once they ordered."""
    ordered = baskets.where(F.col("channel") == "web_guest").select("record_key")
    guests = records.where(F.col("source_system") == "web_guest").join(
        ordered, on="record_key", how="leftsemi"
    )
    return records.where(F.col("source_system") != "web_guest").unionByName(guests)


def record_person(records: DataFrame) -> DataFrame:
    """Return which person each record belongs to."""
    return records.select("source_system", "source_record_id", "person_key")


def basket_person(baskets: DataFrame, calendar: DataFrame) -> DataFrame:
    """Return which person really bought each basket, also the anonymous ones."""
    causes = calendar.select("campaign", "campaign_id")
    return baskets.join(F.broadcast(causes), on="campaign", how="left").select(
        "order_id",
        "channel",
        "source_system",
        "source_record_id",
        "person_key",
        F.col("day").alias("ordered_on"),
        "quantity",
        (F.col("cents").cast("decimal(14,2)") / 100).cast("decimal(12,2)").alias("amount"),
        "campaign_id",
    )


def true_persons(persons: DataFrame) -> DataFrame:
    """Return the persons as they are, with the rates that drive their behaviour."""
    return persons.drop("accounts", "assignments", "unsubscribed_index", "primary_slot")


def campaign_effects(
    assignments: DataFrame,
    baskets: DataFrame,
    campaigns: tuple[Campaign, ...],
    *,
    effects_apply: bool,
) -> list[dict[str, Any]]:
    """Return, per campaign, the group sizes, the true lift and the baskets it caused."""
    groups = {
        row["campaign"]: row
        for row in assignments.groupBy("campaign")
        .agg(F.count_if("treated").alias("treated"), F.count_if(~F.col("treated")).alias("control"))
        .collect()
    }
    caused = {
        row["campaign"]: row
        for row in baskets.where(F.col("campaign").isNotNull())
        .groupBy("campaign")
        .agg(F.count("*").alias("baskets"), F.sum("cents").alias("cents"))
        .collect()
    }
    return [
        {
            "campaign_id": campaign.campaign_id,
            "starts_on": campaign.starts_on.isoformat(),
            "ends_on": campaign.ends_on.isoformat(),
            "lift": campaign.lift if effects_apply else 0.0,
            "treated": groups[index]["treated"] if index in groups else 0,
            "control": groups[index]["control"] if index in groups else 0,
            "extra_baskets": caused[index]["baskets"] if index in caused else 0,
            "extra_revenue_cents": caused[index]["cents"] if index in caused else 0,
        }
        for index, campaign in enumerate(campaigns)
    ]


def planted_by_kind(planted: list[PlantedRow]) -> dict[str, int]:
    """Count the broken rows of each kind."""
    return dict(sorted(Counter(row.kind for row in planted).items()))


def planted_report(planted: list[PlantedRow], files: dict[str, int]) -> dict[str, Any]:
    """Return the broken rows in order, how many there are of each kind and file, and rows with a further column.

    `files` are the rows of each file before rows were planted.
    """
    per_file = Counter((row.file, row.kind) for row in planted)
    extended = {name for name in files if name.startswith(f"till/sales_{EXTRA_COLUMN_MONTH}")}
    further = sum(files[name] for name in extended) + sum(row.file in extended for row in planted)
    return {
        "by_kind": planted_by_kind(planted),
        "by_file": [
            {"file": file, "kind": kind, "rows": rows}
            for (file, kind), rows in sorted(per_file.items())
        ],
        "further_column": {"name": EXTRA_COLUMN, "rows": further},
        "readable_cents": sum(row.cents or 0 for row in planted),
        "rows": [asdict(row) for row in planted],
    }


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with sorted keys, so that equal runs give equal files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
