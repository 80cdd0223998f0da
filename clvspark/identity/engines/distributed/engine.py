"""A cluster: Spark moves parcels of records between shards, in which the DuckDB, Splink and NumPy of one machine work.

1. `records`: every record gets a handle and a home; its keys, terms and trusted identifiers go to shards of their own.
2. `blocks`: there it turns out which records meet, and how common their values are. Blocks that are too large are
   refined in a round of their own.
3. `scores`: at home each record learns that, and visits the homes of those it is compared with; there pairs are scored.
4. The link graph is labelled with components.
5. `persons`: records go to the shard of their component, which is divided into persons.

A record travels home, to the homes of those it is compared with, and to its component: the number of rules plays no
part, and that of shards only as far as it has company in them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.identity.clustering.components import CERTAIN, label_components
from clvspark.identity.engines.distributed.blocks import meet_records, meet_refined, refine_keys
from clvspark.identity.engines.distributed.parcels import exchange, finish, process, unpack
from clvspark.identity.engines.distributed.persons import (
    PERSON_SCHEMA,
    group_records,
    label_edges,
    send_labels,
    sort_records,
)
from clvspark.identity.engines.distributed.plan import Plan
from clvspark.identity.engines.distributed.records import (
    ASKED,
    KNOWN_SCHEMA,
    TOLD,
    send_frequencies,
    send_links,
    send_records,
)
from clvspark.identity.engines.distributed.scores import (
    PAIR_SCHEMA,
    complete_records,
    score_pairs,
)
from clvspark.identity.engines.evidence import Evidence, smallest_doubtful
from clvspark.identity.model.term_frequency import adjusted_columns
from clvspark.identity.model.train import IdentityModel
from clvspark.identity.settings import IdentitySettings

_EDGE_SCHEMA = pa.schema(
    [("unique_id_l", pa.int64()), ("unique_id_r", pa.int64()), ("match_weight", pa.float64())]
)
_RECORDS_PER_SHARD = 500_000
# Labelling edges by numbers takes about 100 bytes each.
EDGES_IN_ONE_TASK = 20_000_000
# A power of two.
_MOST_SHARDS_A_CORE = 16


class DistributedEngine:
    """Links and clusters in Spark's executors."""

    def __init__(
        self, spark: SparkSession, settings: IdentitySettings, *, shards: int | None = None
    ) -> None:
        """Bind a session; `shards` defaults to what keeps each within memory."""
        self._settings, self._shards = settings, shards
        self._cores = spark.sparkContext.defaultParallelism

    def release(self) -> None:
        """Nothing is left behind."""

    def resolve(
        self, evidence: Evidence, model: IdentityModel | None
    ) -> tuple[DataFrame, DataFrame]:
        """Pairs and persons; what was scored is kept while it is clustered."""
        plan, scored = self._score(evidence, model, linked=model is not None)
        return unpack(scored, "scored", PAIR_SCHEMA), self._cluster(plan, scored)

    def link(self, evidence: Evidence, model: IdentityModel) -> DataFrame:
        """Scored pairs from `link_weight` on, see `IdentityResolver.link`."""
        bare = Evidence(evidence.records, evidence.term_frequencies)
        return unpack(self._score(bare, model, linked=True)[1], "scored", PAIR_SCHEMA)

    def cluster(
        self, evidence: Evidence, pairs: DataFrame, model: IdentityModel | None
    ) -> DataFrame:
        """Persons of the records, see `IdentityResolver.cluster`."""
        return self._cluster(*self._score(evidence, model, linked=False, pairs=pairs))

    def _score(
        self,
        evidence: Evidence,
        model: IdentityModel | None,
        *,
        linked: bool,
        pairs: DataFrame | None = None,
    ) -> tuple[Plan, DataFrame]:
        """Parcels ``record``, ``scored``, ``edge`` and ``bits`` of the shards; `pairs` become edges as they are."""
        plan = self._plan(evidence, model, linked=linked)
        sources = [send_records(evidence, plan)]
        if model is not None and evidence.term_frequencies is not None:
            sources.append(send_frequencies(evidence.term_frequencies, plan))
        if pairs is not None:
            sources.append(send_links(pairs, plan))
        if evidence.decisions is not None:
            together = evidence.decisions.where("bond > 0")
            sources.append(send_links(together.withColumn("match_weight", F.lit(CERTAIN)), plan))
        sent = reduce(DataFrame.unionByName, sources).localCheckpoint()
        plan = self._merge_shards(plan, sent)
        known = _count_known(sent) if plan.adjusted and not plan.is_frozen else {}
        asked, told = F.col("kind").isin(*ASKED), F.col("kind").isin(*TOLD)
        met = process(
            exchange(sent.where(asked), plan.shards), meet_records(plan)
        ).localCheckpoint()
        met = _meet_hot(met, sent, plan) if linked else met
        at_home = exchange(sent.where(told).unionByName(met), plan.shards)
        complete = process(at_home, complete_records(plan, known)).localCheckpoint()
        scored = process(exchange(complete, plan.shards), score_pairs(plan)).localCheckpoint()
        records = complete.where(F.col("kind") == "record")
        return plan, scored.unionByName(records)

    def _cluster(self, plan: Plan, scored: DataFrame) -> DataFrame:
        kept = scored.where(F.col("kind").isin("record", "bits"))
        labelled = exchange(kept.unionByName(_label(scored, plan)), plan.shards)
        sorted_records = process(labelled, sort_records(plan))
        return finish(exchange(sorted_records, plan.shards), group_records(plan), PERSON_SCHEMA)

    def _plan(self, evidence: Evidence, model: IdentityModel | None, *, linked: bool) -> Plan:
        return Plan(
            settings=self._settings,
            shards=self._shards or self._cores * _MOST_SHARDS_A_CORE,
            model=model,
            adjusted=tuple(adjusted_columns(model)) if model is not None else (),
            is_linked=linked,
            is_frozen=evidence.term_frequencies is not None,
            only_touched=bool(evidence.flags),
            smallest=smallest_doubtful(self._settings, evidence),
            decisions=None if evidence.decisions is None else evidence.decisions.toArrow(),
        )

    def _merge_shards(self, plan: Plan, sent: DataFrame) -> Plan:
        """The plan with as few shards as can hold the records: a divisor of those that parcels were made for."""
        rows = sent.where(F.col("kind") == "record").agg(F.sum("rows").alias("records")).first()
        records, shards = (rows["records"] or 0) if rows else 0, plan.shards
        while (
            self._shards is None
            and shards > self._cores
            and records <= shards // 2 * _RECORDS_PER_SHARD
        ):
            shards //= 2
        return replace(plan, shards=shards)


def _label(scored: DataFrame, plan: Plan) -> DataFrame:
    """Parcels ``label`` of the components that the edges make."""
    edges = scored.where(F.col("kind") == "edge")
    total = edges.agg(F.sum("rows").alias("rows")).first()
    if total is not None and (total["rows"] or 0) <= EDGES_IN_ONE_TASK:
        return process(edges.coalesce(1), label_edges(plan)).localCheckpoint()
    settings = plan.settings
    labels = label_components(
        unpack(edges, "edge", _EDGE_SCHEMA),
        link_weight=settings.link_weight,
        max_records=settings.max_component_records,
    )
    return send_labels(labels, plan)


def _count_known(sent: DataFrame) -> dict[str, int]:
    """Records that know each term-adjusted column."""
    counts = unpack(sent, "known", KNOWN_SCHEMA)
    known = counts.groupBy("name").agg(F.sum("records").alias("records"))
    return {row["name"]: row["records"] for row in known.collect()}


def _meet_hot(met: DataFrame, sent: DataFrame, plan: Plan) -> DataFrame:
    """What `met` says, and the pairs of its blocks that were too large, refined."""
    hot = met.where(F.col("kind") == "hot")
    if hot.isEmpty():
        return met
    asked = sent.where(F.col("kind") == "record").unionByName(hot)
    keys = process(exchange(asked, plan.shards), refine_keys(plan))
    refined = process(exchange(keys, plan.shards), meet_refined(plan))
    return met.where(F.col("kind") != "hot").unionByName(refined)
