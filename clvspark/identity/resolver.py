"""The facade of the room: train, link, cluster. Takes data frames, needs no lakehouse."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.identity import link as linking
from clvspark.identity.components import label_components
from clvspark.identity.refine import split_components
from clvspark.identity.settings import IdentitySettings
from clvspark.identity.shared_identifiers import blank_shared_identifiers, find_shared_identifiers
from clvspark.identity.standardise import standardise_records
from clvspark.identity.train import IdentityModel, sample_records, train_model

_RECORDS_PER_SHARD = 100_000
# Components beyond this are first taken apart by a higher link weight: their pairs grow with the square.
_MAX_COMPONENT = 400
_WEIGHT_STEP = 4.0


class IdentityResolver:
    """Resolves records into persons as `settings` say.

    Steps: `standardise`, `train` (once), `link` (pairs), `cluster` (persons). Each takes and gives data frames;
    `train`, `link` and `cluster` also accept raw records and standardise them first.
    """

    def __init__(self, spark: SparkSession, settings: IdentitySettings) -> None:
        """Bind a session and settings."""
        self.spark, self.settings = spark, settings

    def standardise(self, records: DataFrame) -> DataFrame:
        """Standardised records with shared identifiers blanked, see `standardise_records`."""
        if _is_standard(records):
            return records
        standard = standardise_records(records, self.settings)
        shared = find_shared_identifiers(standard, self.settings)
        return standard if shared is None else blank_shared_identifiers(standard, shared)

    def train(self, records: DataFrame) -> IdentityModel:
        """Train on a sample of the records; TrainingError if the sample cannot determine the model."""
        standard = self.standardise(records)
        training = self.settings.training
        sample = sample_records(standard, records=training.sample_records if training else 0)
        return train_model(sample, self.settings)

    def hot_blocks(self, records: DataFrame) -> DataFrame:
        """Block keys with more than `max_block_records` records: ``key, records``. They are not compared."""
        keyed = self.standardise(records).select(
            linking.block_keys(self.settings.blocking_rules).alias("keys")
        )
        return linking.count_blocks(keyed).where(F.col("records") > self.settings.max_block_records)

    def link(self, records: DataFrame, model: IdentityModel) -> DataFrame:
        """Pairs of records from `link_weight` on: unique_id_l, unique_id_r, match_weight, match_probability."""
        standard = self.standardise(records)
        keys = linking.block_keys(self.settings.blocking_rules)
        keyed = linking.add_term_frequencies(standard, model).withColumn("keys", keys)
        hot = self.hot_blocks(standard)
        cool = linking.drop_hot_keys(keyed, hot)
        return linking.score_pairs(
            cool, model, min_weight=self.settings.link_weight, shards=self._shards(standard)
        )

    def trusted_pairs(self, records: DataFrame) -> DataFrame | None:
        """Pairs that share a trusted identifier, each record with the smallest of its value; None without any."""
        standard = self.standardise(records)
        parts = []
        for name in self.settings.trusted_identifiers:
            known = standard.where(F.col(name).isNotNull()).select(
                "unique_id", F.col(name).alias("_value")
            )
            smallest = known.groupBy("_value").agg(F.min("unique_id").alias("unique_id_l"))
            pairs = known.join(smallest, on="_value").where("unique_id_l < unique_id")
            parts.append(pairs.select("unique_id_l", F.col("unique_id").alias("unique_id_r")))
        if not parts:
            return None
        weight = F.lit(self.settings.clip_weight).alias("match_weight")
        return (
            reduce(DataFrame.unionByName, parts)
            .distinct()
            .select("*", weight, F.lit(1.0).alias("match_probability"))
        )

    def cluster(
        self, records: DataFrame, pairs: DataFrame, model: IdentityModel | None = None
    ) -> DataFrame:
        """Persons: ``unique_id``, ``person_id`` (the smallest unique_id of the person), ``raised_cut``.

        Components of the pairs; with a `model`, all pairs of every component are scored, and average linkage
        takes apart what does not hold together. Without one, components are persons.
        """
        standard = self.standardise(records)
        trusted = self.trusted_pairs(standard)
        edges = pairs.select("unique_id_l", "unique_id_r", "match_weight")
        if trusted is not None:
            edges = edges.unionByName(trusted.select(*edges.columns))
        components = self._components(edges)
        inside = self._pairs_inside(standard, components, model)
        if trusted is not None:
            certain = trusted.select(
                "unique_id_l", "unique_id_r", F.col("match_weight").alias("_trusted")
            )
            inside = inside.join(certain, on=["unique_id_l", "unique_id_r"], how="left")
            inside = inside.withColumn("match_weight", F.coalesce("_trusted", "match_weight")).drop(
                "_trusted"
            )
        clusters = split_components(
            inside,
            cut_weight=self.settings.cut_weight,
            clip_weight=self.settings.clip_weight,
            max_records=self.settings.max_person_records,
        )
        alone = standard.select("unique_id").join(clusters, on="unique_id", how="left")
        return alone.select(
            "unique_id",
            F.coalesce("cluster", "unique_id").alias("person_id"),
            F.coalesce("raised_cut", F.lit(False)).alias("raised_cut"),
        )

    def _components(self, edges: DataFrame) -> DataFrame:
        """Components of at most `_MAX_COMPONENT` records; larger ones only keep their stronger edges."""
        components = label_components(edges)
        bar = self.settings.link_weight
        while True:
            sizes = components.groupBy("component").agg(F.count(F.lit(1)).alias("n"))
            large = components.join(
                sizes.where(F.col("n") > _MAX_COMPONENT), on="component"
            ).select("unique_id")
            if bar >= 4 * self.settings.clip_weight or not large.limit(1).count():
                return components
            bar += _WEIGHT_STEP
            large = large.localCheckpoint()
            within = edges.join(
                large.withColumnRenamed("unique_id", "unique_id_l"),
                on="unique_id_l",
                how="left_semi",
            )
            finer = label_components(within.where(F.col("match_weight") >= bar))
            rest = components.join(large, on="unique_id", how="left_anti")
            components = rest.unionByName(finer).localCheckpoint()

    def _pairs_inside(
        self, standard: DataFrame, components: DataFrame, model: IdentityModel | None
    ) -> DataFrame:
        """All pairs of each component with their weights and ``component``."""
        if model is None:
            certain = F.lit(self.settings.clip_weight).alias("match_weight")
            star = components.where("unique_id <> component")
            ends = [
                F.col("component").alias("unique_id_l"),
                F.col("unique_id").alias("unique_id_r"),
            ]
            return star.select("component", *ends, certain)
        keys = components.select("unique_id", F.array(F.xxhash64("component")).alias("keys"))
        keyed = linking.add_term_frequencies(standard, model).join(keys, on="unique_id")
        scored = linking.score_pairs(
            keyed,
            model,
            min_weight=None,
            shards=self._shards(standard),
            conflicting=self._conflicting(),
        )
        left = components.withColumnRenamed("unique_id", "unique_id_l")
        return scored.join(left, on="unique_id_l").select(
            "component", "unique_id_l", "unique_id_r", self._evidence().alias("match_weight")
        )

    def _conflicting(self) -> list[str]:
        """Comparisons whose contradiction tells two people of one household apart."""
        return [a.column for a in self.settings.compared if a.kind in ("given_name", "birth_date")]

    def _evidence(self) -> Column:
        """Weight for the refinement: no contradiction is no evidence against, a contradiction counts double."""
        weight, conflicts = F.col("match_weight"), F.col("conflicts")
        penalised = weight - conflicts * F.lit(self.settings.conflict_weight)
        return F.when(conflicts > 0, penalised).otherwise(F.greatest(weight, F.lit(0.0)))

    def _shards(self, standard: DataFrame) -> int:
        cores = self.spark.sparkContext.defaultParallelism
        return max(cores, -(-standard.count() // _RECORDS_PER_SHARD))


def _is_standard(records: DataFrame) -> bool:
    return "unique_id" in records.columns and "source_system" not in records.columns
