"""The facade of the room: standardise, train, link, cluster. Takes data frames, needs no lakehouse."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from clvspark.identity.cleaning.shared_identifiers import drop_shared_identifiers
from clvspark.identity.cleaning.standardise import standardise_records
from clvspark.identity.engines import LOCAL_MEMORY, EngineName, Evidence, choose_engine
from clvspark.identity.model.train import (
    IdentityModel,
    refuse_other_columns,
    sample_records,
    train_model,
)
from clvspark.identity.record_ids import refuse_bad_ids
from clvspark.identity.settings import IdentitySettings


class Resolution(NamedTuple):
    """Scored pairs (unique_id_l, unique_id_r, match_weight, match_probability) and persons, see `cluster`."""

    pairs: DataFrame
    persons: DataFrame


class IdentityResolver:
    """Resolves records into persons as `settings` say.

    Steps: `standardise`, `train` (once), `link` (pairs), `cluster` (persons); `resolve` links and clusters in one
    go. Each takes and gives data frames and accepts raw records, which it standardises first.

    Parameters
    ----------
    engine : ``local`` (one DuckDB with all cores), ``distributed`` (Spark's executors), or ``auto``: local where
        Spark itself runs in one process. Both give the same pairs, weights and persons.
    local_memory : what the local engine may hold in memory before it spills to disk, as DuckDB writes it.
    """

    def __init__(
        self,
        spark: SparkSession,
        settings: IdentitySettings,
        *,
        engine: EngineName = "auto",
        local_memory: str = LOCAL_MEMORY,
    ) -> None:
        """Bind a session and settings."""
        self.spark, self.settings = spark, settings
        self.engine = choose_engine(spark, settings, engine, local_memory=local_memory)

    def standardise(self, records: DataFrame) -> DataFrame:
        """Standardised records with shared identifiers blanked, see `standardise_records`.

        ContractError where an id is missing or given to more than one record.
        """
        if self._is_standardised(records):
            return records
        standard = standardise_records(records, self.settings)
        refuse_bad_ids(records, self.settings)
        return drop_shared_identifiers(standard, self.settings)

    def _is_standardised(self, records: DataFrame) -> bool:
        """Whether the records have the columns of the settings, and are not raw ones with columns of these names."""
        columns, settings = set(records.columns), self.settings
        may_be_raw = columns >= set(settings.unique_id)
        # Standardising twice comes to the same as once.
        is_derived = any(attribute.derived for attribute in settings.attributes)
        return columns >= {"unique_id", *settings.columns} and (is_derived or not may_be_raw)

    def train(self, records: DataFrame) -> IdentityModel:
        """Train on a sample of the records; TrainingError names what the sample cannot determine."""
        training = self.settings.training
        sample = sample_records(
            self.standardise(records), records=training.sample_records if training else 0
        )
        return train_model(sample, self.settings)

    def link(
        self, records: DataFrame, model: IdentityModel, *, frequencies: DataFrame | None = None
    ) -> DataFrame:
        """Pairs of records from `link_weight` on: unique_id_l, unique_id_r, match_weight, match_probability.

        `frequencies` are those of `count_term_frequencies`; without them the records given are counted.
        """
        refuse_other_columns(model, self.settings)
        return self.engine.link(Evidence(self.standardise(records), frequencies), model)

    def cluster(
        self,
        records: DataFrame,
        pairs: DataFrame,
        model: IdentityModel | None = None,
        *,
        frequencies: DataFrame | None = None,
        decisions: DataFrame | None = None,
    ) -> DataFrame:
        """Persons: ``unique_id``, ``person_id`` (the smallest unique_id of the person), ``raised_cut``.

        Components of the pairs propose persons; with a `model`, all pairs inside a component are scored and
        profile linkage takes apart what does not hold together (see `linkage`). `raised_cut` marks records
        that only a guard has separated. `decisions`: ``unique_id_l, unique_id_r, bond`` (1 together, -1 apart).
        """
        if model is not None:
            refuse_other_columns(model, self.settings)
        evidence = Evidence(self.standardise(records), frequencies, decisions)
        return self.engine.cluster(evidence, pairs, model)

    def resolve(
        self,
        records: DataFrame,
        model: IdentityModel | None,
        *,
        frequencies: DataFrame | None = None,
        decisions: DataFrame | None = None,
    ) -> Resolution:
        """Link and cluster in one go, which moves the records only once on one machine."""
        if model is not None:
            refuse_other_columns(model, self.settings)
        evidence = Evidence(self.standardise(records), frequencies, decisions)
        return Resolution(*self.engine.resolve(evidence, model))
