"""Splink's own Spark backend with the same model: the reference that the other engines are held to.

It is exact and slow, and it clusters by connected components alone.
"""

from __future__ import annotations

import tempfile
from itertools import count
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from splink import Linker, SparkAPI
from splink.clustering import cluster_pairwise_predictions_at_threshold

from clvspark.identity.engines.evidence import Evidence
from clvspark.identity.model.comparisons import splink_settings
from clvspark.identity.model.train import IdentityModel
from clvspark.identity.settings import IdentitySettings

# Splink's tables are known by name to the whole session, whichever engine registers them.
_CALLS = count(1)


class ReferenceEngine:
    """Links by Splink's predict on Spark, clusters by its connected components at `link_weight`."""

    def __init__(self, spark: SparkSession, settings: IdentitySettings) -> None:
        """Bind a session; Splink keeps its intermediate tables in a checkpoint folder."""
        self._spark, self._settings = spark, settings
        self._folder = tempfile.TemporaryDirectory(prefix="clvspark-splink-")
        spark.sparkContext.setCheckpointDir(self._folder.name)

    def release(self) -> None:
        """Remove Splink's intermediate tables."""
        self._folder.cleanup()

    def link(self, evidence: Evidence, model: IdentityModel) -> DataFrame:
        """Scored pairs from `link_weight` on, see `IdentityResolver.link`."""
        # Splink keeps the term frequencies of the first records that an API has seen.
        api = SparkAPI(spark_session=self._spark)
        linker = Linker(
            api.register(evidence.records, dataset_display_name=f"records_{next(_CALLS)}"),
            spark_model(self._settings, model),
        )
        scored = linker.inference.predict(
            threshold_match_weight=self._settings.link_weight, warning_mode="never"
        )
        return scored.as_spark_dataframe().selectExpr(
            "least(unique_id_l, unique_id_r) AS unique_id_l",
            "greatest(unique_id_l, unique_id_r) AS unique_id_r",
            "match_weight",
            "match_probability",
        )

    def cluster(
        self,
        evidence: Evidence,
        pairs: DataFrame,
        model: IdentityModel | None,  # noqa: ARG002 - as the other engines
    ) -> DataFrame:
        """Connected components: ``unique_id``, ``person_id``, ``raised_cut`` (always false)."""
        call, api = next(_CALLS), SparkAPI(spark_session=self._spark)
        nodes = api.register(
            evidence.records.select("unique_id"), dataset_display_name=f"nodes_{call}"
        )
        edges = api.register(pairs, dataset_display_name=f"edges_{call}")
        clusters = cluster_pairwise_predictions_at_threshold(
            nodes=nodes,
            edges=edges,
            db_api=api,
            node_id_column_name="unique_id",
            threshold_match_probability=0.0,
        )
        return clusters.as_spark_dataframe().selectExpr(
            "unique_id", "cluster_id AS person_id", "false AS raised_cut"
        )

    def resolve(
        self, evidence: Evidence, model: IdentityModel | None
    ) -> tuple[DataFrame, DataFrame]:
        """Pairs and persons."""
        if model is None:
            raise ValueError(
                "the reference engine links by a model; these settings compare nothing"
            )
        pairs = self.link(evidence, model)
        return pairs, self.cluster(evidence, pairs, model)


def spark_model(settings: IdentitySettings, model: IdentityModel) -> dict[str, Any]:
    """Splink settings in Spark's dialect with the trained parameters.

    A model trained in DuckDB does not load on Spark: its SQL is DuckDB's. Levels are in the same order, so that
    m and u probabilities can be carried over.
    """
    transplanted = splink_settings(settings).create_settings_dict(sql_dialect_str="spark")
    trained = model.settings
    for ours, theirs in zip(transplanted["comparisons"], trained["comparisons"], strict=True):
        levels = zip(ours["comparison_levels"], theirs["comparison_levels"], strict=True)
        for level, fitted in levels:
            for key in ("m_probability", "u_probability"):
                if key in fitted:
                    level[key] = fitted[key]
    key = "probability_two_random_records_match"
    return {**transplanted, key: trained[key]}
