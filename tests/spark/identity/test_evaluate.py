"""Labelled files: what is measured, what the truth may not reach, and what wrong files get."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession
from support.people import SETTINGS, make_people
from typer.testing import CliRunner

from clvspark.cli import app
from clvspark.identity import IdentitySettings, evaluate_clusters
from clvspark.identity.evaluate.records import (
    evaluate_records,
    threshold_weight,
    with_threshold,
)
from clvspark.identity.record_files import read_records
from clvspark.lakehouse.errors import ConfigError, ContractError, MissingInputError

FIELDS = ["unique_id", "person", "given_name", "surname", "birth_date", "email", "postcode"]
LABELLED: dict[str, Any] = {
    **SETTINGS,
    "unique_id": ["unique_id"],
    "attributes": [a for a in SETTINGS["attributes"] if a["column"] != "loyalty_card"],
    "trusted_identifiers": [],
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Path:
    """people.csv, people.parquet and settings.yaml."""
    folder = tmp_path_factory.mktemp("labelled")
    rows = make_people()
    with (folder / "people.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, extrasaction="ignore")
        writer.writeheader()
        for row in rows:
            # The id tells the person, as ids of labelled data do.
            writer.writerow({**row, "unique_id": f"{row['person']}-{row['source_system']}"})
    read_records(spark, folder / "people.csv").write.parquet(str(folder / "people.parquet"))
    (folder / "settings.yaml").write_text(yaml.safe_dump(LABELLED))
    return folder


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["identity", "evaluate", *arguments])


def options(files: Path, name: str = "people.csv") -> list[str]:
    return [
        "--settings", str(files / "settings.yaml"), "--records", str(files / name), "--truth-column", "person",
    ]  # fmt: skip


def test_csv_and_parquet_give_the_same_numbers_as_json_alone(files: Path) -> None:
    told = []
    for name in ("people.csv", "people.parquet"):
        result = run(*options(files, name), "--json")
        assert result.exit_code == 0, result.stderr
        told.append(json.loads(result.stdout))
    for found in told:
        assert found.keys() >= {
            "precision", "recall", "f1", "largest_cluster", "clusters", "records", "pairs", "seconds",
        }  # fmt: skip
        assert found["records"] == 400
        assert found["f1"] > 0.95
        assert found["true_clusters"] == 200
        assert found["exact_clusters"] <= min(found["clusters"], 200)
    same = [{k: v for k, v in t.items() if "seconds" not in k} for t in told]
    assert same[0] == same[1]


def test_a_higher_threshold_finds_less(spark: SparkSession, files: Path) -> None:
    records = read_records(spark, files / "people.csv")
    settings = IdentitySettings.model_validate(LABELLED)
    loose, strict = (
        evaluate_records(records, with_threshold(settings, t), truth_column="person")
        for t in (0.5, 25.0)
    )
    assert strict.pairs < loose.pairs
    assert strict.clusters > loose.clusters
    assert strict.quality.recall < loose.quality.recall


def test_a_threshold_is_a_probability_or_a_weight() -> None:
    assert threshold_weight(0.5) == 0.0
    assert threshold_weight(0.999) == pytest.approx(9.96, abs=0.01)
    assert (threshold_weight(-4.0), threshold_weight(0.0), threshold_weight(1.0)) == (
        -4.0,
        0.0,
        1.0,
    )
    with pytest.raises(ConfigError, match="nan is no number"):
        threshold_weight(float("nan"))


def test_labels_and_ids_change_no_person(spark: SparkSession, files: Path) -> None:
    records = read_records(spark, files / "people.csv")
    settings = IdentitySettings.model_validate(LABELLED)
    honest = evaluate_records(records, settings, truth_column="person")
    nonsense = records.withColumn("person", records["unique_id"])
    blind = evaluate_records(nonsense, settings, truth_column="person")
    assert (blind.clusters, blind.largest_cluster, blind.pairs) == (
        honest.clusters, honest.largest_cluster, honest.pairs,
    )  # fmt: skip
    assert blind.quality.true_pairs == 0


def test_wrong_files_are_one_clear_message(
    spark: SparkSession, files: Path, tmp_path: Path
) -> None:
    settings = IdentitySettings.model_validate(LABELLED)
    records = read_records(spark, files / "people.csv")
    with pytest.raises(ConfigError, match="'cluster' is not among the columns"):
        evaluate_records(records, settings, truth_column="cluster")
    with pytest.raises(ConfigError, match="'surname' is used by 'attributes'"):
        evaluate_records(records, settings, truth_column="surname")
    with pytest.raises(ConfigError, match="column 'postcode' is not among"):
        evaluate_records(records.drop("postcode"), settings, truth_column="person")
    with pytest.raises(ContractError, match="given to more than one record"):
        evaluate_records(records.union(records.limit(1)), settings, truth_column="person")
    few = settings.model_copy(update={"max_pairs": 3})
    with pytest.raises(ConfigError, match="max_pairs allows 3 in all"):
        evaluate_records(records, few, truth_column="person")
    foreign = tmp_path / "foreign.csv"
    foreign.write_bytes("id,name\n1,José\n".encode("latin-1"))
    with pytest.raises(MissingInputError, match=r"not in UTF-8.*iconv"):
        read_records(spark, foreign)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet at all")
    with pytest.raises(MissingInputError, match="cannot be read as Parquet"):
        read_records(spark, broken)
    with pytest.raises(MissingInputError, match="does not exist"):
        read_records(spark, tmp_path / "none.csv")
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(MissingInputError, match="empty"):
        read_records(spark, empty)


def test_a_proposal_is_written_as_settings_that_can_be_measured(
    files: Path, tmp_path: Path
) -> None:
    out = tmp_path / "proposed.yaml"
    arguments = ["identity", "propose", "--records", str(files / "people.csv")]
    result = CliRunner().invoke(app, [*arguments, "--out", str(out)])
    assert result.exit_code == 0, result.stderr
    assert "Blocking rules" in result.stdout
    proposed = IdentitySettings.from_yaml(out)
    assert "person" not in proposed.columns
    assert {"given_name", "email"} <= set(proposed.columns)
    plain = CliRunner().invoke(app, arguments)
    assert plain.stdout == out.read_text()


def test_the_module_is_a_door_too() -> None:
    command = [sys.executable, "-m", "clvspark.cli", "identity", "evaluate", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "--truth-column" in shown


def test_settings_that_compare_nothing_are_measured_too(
    spark: SparkSession, tmp_path: Path
) -> None:
    """A semicolon parts the cells, dates are written in another order, and a family has one address."""
    file = tmp_path / "shop.csv"
    file.write_text(
        "id;who;given;born;mail\n1;a;John;01/02/1970;s@x.org\n2;b;Jane;;s@x.org\n3;c;Al;1980-02-03;o@x.org\n"
        "4;c;Al;1980-02-03;o@x.org\n"
    )
    exact = IdentitySettings.model_validate(
        {
            "unique_id": ["id"],
            "attributes": [
                {"column": "given", "kind": "given_name", "compare": False},
                {"column": "born", "kind": "birth_date", "compare": False},
                {"column": "mail", "kind": "email", "compare": False, "max_distinct_names": 1},
            ],
            "trusted_identifiers": ["mail"],
        }
    )
    found = evaluate_records(read_records(spark, file), exact, truth_column="who")
    assert (found.quality.precision, found.quality.recall, found.clusters) == (1.0, 1.0, 3)
    assert found.unreadable == {"born": 1}


def test_a_truth_without_a_value_measures_nothing(spark: SparkSession) -> None:
    records = spark.createDataFrame(
        [{**row, "unique_id": f"{n}", "person": None} for n, row in enumerate(make_people()[:20])],
        ", ".join(f"{name} string" for name in FIELDS),
    )
    with pytest.raises(ConfigError, match="'person' has no value in any record"):
        evaluate_records(records, IdentitySettings.model_validate(LABELLED), truth_column="person")


def test_clusters_are_counted_against_the_truth(spark: SparkSession) -> None:
    clusters = spark.createDataFrame(
        [("1", "a"), ("2", "a"), ("3", "a"), ("4", "b"), ("5", "b"), ("6", "c")],
        "unique_id string, person_id string",
    )
    truth = spark.createDataFrame(
        [("1", "x"), ("2", "x"), ("3", "y"), ("4", "z"), ("5", "z"), ("6", None)],
        "unique_id string, true_id string",
    )
    quality = evaluate_clusters(clusters, truth)
    assert (quality.found_pairs, quality.true_pairs, quality.common_pairs) == (4, 2, 2)
    assert (quality.precision, quality.recall) == (0.5, 1.0)
    assert (quality.records, quality.true_clusters, quality.exact_clusters) == (5, 3, 1)
    assert (quality.largest_cluster, quality.largest_true_cluster) == (3, 2)
