"""Records of a simulated population, standardised once: what every engine of the benchmark starts from."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.identity import IdentityResolver, IdentitySettings
from clvspark.identity.record_ids import record_id
from clvspark.simulate.accounts import assign_campaigns, open_accounts
from clvspark.simulate.draws import Draws
from clvspark.simulate.persons import draw_persons
from clvspark.simulate.process import draw_relationships
from clvspark.simulate.records import write_records
from clvspark.simulate.settings import PopulationSettings

RECORDS_A_PERSON = 2.4
SEED = 4
FILES = 8
SETTINGS = Path(__file__).parents[2] / "conf" / "identity.yaml"


def simulate_records(spark: SparkSession, records: int, *, seed: int = SEED) -> DataFrame:
    """Exactly `records` raw records of simulated persons, with ``person_key``, the truth.

    Persons are whole but for the last few that the limit cuts.
    """
    settings, draws = PopulationSettings(), Draws(seed)
    persons = math.ceil(records / RECORDS_A_PERSON * 1.3)
    relationships = draw_relationships(spark, persons, seed, settings.process)
    drawn = draw_persons(relationships, draws, key_bits=max(15, persons.bit_length() + 1))
    written = write_records(
        assign_campaigns(open_accounts(drawn, draws), settings.campaigns, draws), draws
    )
    named = written.where("source_record_id IS NOT NULL").dropDuplicates(
        ["source_system", "source_record_id"]
    )
    return named.select(
        "source_system",
        "source_record_id",
        "person_key",
        F.col("given").alias("given_name"),
        F.col("family").alias("surname"),
        F.lit(None).cast("string").alias("full_name"),
        "birth_date",
        "email",
        F.col("mobile_phone").alias("mobile"),
        F.col("landline_phone").alias("phone"),
        "street",
        "postcode",
        F.lit(None).cast("string").alias("device_id"),
        "loyalty_card",
    ).limit(records)


def prepare(records: int, out: Path) -> None:
    """Write ``standard/``, ``truth/`` and ``model.json``, which all engines share."""
    from clvspark.lakehouse import SparkConfig, build_session

    # Whole-stage code of the wide projections exceeds what the JVM compiles.
    config = SparkConfig(driver_memory="6g", conf={"spark.sql.codegen.wholeStage": "false"})
    spark = build_session(config)
    settings = IdentitySettings.from_yaml(SETTINGS)
    simulate_records(spark, records).write.mode("overwrite").parquet(str(out / "raw"))
    raw = spark.read.parquet(str(out / "raw"))
    truth = raw.select(record_id(settings), "person_key")
    truth.write.mode("overwrite").parquet(str(out / "truth"))
    resolver = IdentityResolver(spark, settings)
    # In several files, as pipelines leave them; one alone would be read by one core.
    standard = resolver.standardise(raw).repartition(FILES)
    standard.write.mode("overwrite").parquet(str(out / "standard"))
    resolver.train(spark.read.parquet(str(out / "standard"))).save(out / "model.json")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Prepare the records of the benchmark.")
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    prepare(given.records, given.out)
