"""The generated population: reproducible under any partitioning, true to its process."""

import hashlib
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from support.landing import amounts_of

from clvspark.simulate import simulate_population

PERSONS = 1_000


def digests(folder: Path) -> dict[str, str]:
    """Return a digest per file; Parquet by its rows, since its bytes hold writer details."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        is_parquet = path.suffix == ".parquet"
        content = (
            repr(pq.read_table(path).to_pylist()).encode() if is_parquet else path.read_bytes()
        )
        found[str(path.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    return found


@pytest.fixture(scope="module")
def population(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of 1,000 generated persons."""
    path = tmp_path_factory.mktemp("population") / "out"
    simulate_population(spark, path, persons=PERSONS, seed=11)
    return path


def test_another_partitioning_gives_the_same_files(
    spark: SparkSession, population: Path, tmp_path: Path
) -> None:
    names = ("spark.sql.shuffle.partitions", "spark.sql.files.maxPartitionBytes",
             "spark.sql.leafNodeDefaultParallelism")  # fmt: skip
    before = {name: spark.conf.get(name, None) for name in names}
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    spark.conf.set("spark.sql.files.maxPartitionBytes", "40000")
    spark.conf.set("spark.sql.leafNodeDefaultParallelism", "5")
    try:
        simulate_population(spark, tmp_path / "again", persons=PERSONS, seed=11)
    finally:
        for name, value in before.items():
            if value is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, value)
    assert digests(tmp_path / "again") == digests(population)


def test_first_purchases_fill_the_first_year_and_all_end_in_the_window(population: Path) -> None:
    persons = pq.read_table(population / "truth/persons.parquet")
    baskets = pq.read_table(population / "truth/basket_person.parquet")
    assert persons.num_rows == PERSONS == len(pc.unique(baskets["person_key"]))
    assert str(pc.max(persons["first_on"])) < "2026-01-01"
    assert str(pc.min(baskets["ordered_on"])) >= "2025-01-01"
    assert str(pc.max(baskets["ordered_on"])) <= "2026-06-30"


def test_rates_and_spend_follow_the_parameters(population: Path) -> None:
    process = json.loads((population / "truth/manifest.json").read_text())["process"]
    rates = pq.read_table(population / "truth/persons.parquet")["purchase_rate"].to_numpy()
    expected, deviation = process["r"] / process["alpha"], process["r"] ** 0.5 / process["alpha"]
    assert abs(rates.mean() - expected) < 4 * deviation / np.sqrt(PERSONS)
    amounts = pq.read_table(population / "truth/basket_person.parquet")["amount"].cast("float64")
    mean_spend = process["p"] * process["gamma"] / (process["q"] - 1)
    assert abs(np.mean(amounts.to_numpy()) / mean_spend - 1) < 0.15


def test_campaigns_cause_baskets_of_the_treated_only(population: Path) -> None:
    treated = {
        (row["campaign_id"], row["person_key"])
        for row in pq.read_table(population / "truth/campaign_assignment.parquet").to_pylist()
        if row["treated"]
    }
    caused = [
        (row["campaign_id"], row["person_key"])
        for row in pq.read_table(population / "truth/basket_person.parquet").to_pylist()
        if row["campaign_id"]
    ]
    effects = json.loads((population / "truth/campaign_effects.json").read_text())
    assert caused
    assert set(caused) <= treated
    assert sum(effect["extra_baskets"] for effect in effects) == len(caused)
    assert all(e["extra_baskets"] == 0 for e in effects if e["lift"] == 0.0)
    assert sum(effect["treated"] for effect in effects) == len(treated)


def test_revenue_landed_is_that_of_the_true_baskets_and_the_planted_rows(population: Path) -> None:
    manifest = json.loads((population / "truth/manifest.json").read_text())
    planted = json.loads((population / "truth/planted.json").read_text())
    baskets = pq.read_table(population / "truth/basket_person.parquet")
    landed = sum(amounts_of(population / "landing"), Decimal(0))
    assert sum(baskets["amount"].to_pylist()) * 100 == manifest["revenue_cents"]
    assert landed * 100 == manifest["revenue_cents"] + planted["readable_cents"]


def test_every_person_has_one_to_six_records_and_every_record_one_person(population: Path) -> None:
    records = pq.read_table(population / "truth/record_person.parquet")
    keys = zip(
        records["source_system"].to_pylist(), records["source_record_id"].to_pylist(), strict=True
    )
    sizes = Counter(records["person_key"].to_pylist())
    assert max(Counter(keys).values()) == 1
    assert len(sizes) == PERSONS
    assert set(sizes.values()) <= set(range(1, 7))
