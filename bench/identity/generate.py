"""Records of a simulated population, standardised once: what every engine of the benchmark starts from."""

from __future__ import annotations

import math

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.simulate.accounts import assign_campaigns, open_accounts
from clvspark.simulate.draws import Draws
from clvspark.simulate.persons import draw_persons
from clvspark.simulate.process import draw_relationships
from clvspark.simulate.records import write_records
from clvspark.simulate.settings import PopulationSettings

RECORDS_A_PERSON = 2.4
SEED = 4


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
