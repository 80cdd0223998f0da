"""A cluster: records travel to the shards that own their block keys, later to those of their components.

In a shard works the same DuckDB, Splink and NumPy code as on one machine. Every shard sees all records of a
block, or of a component, so that nothing has to be put together afterwards.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain

import duckdb
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.identity.blocking.candidates import block_keys, count_blocks, create_candidates
from clvspark.identity.clustering.components import gather_edges, label_components
from clvspark.identity.clustering.trusted import trusted_pairs
from clvspark.identity.engines.evidence import Evidence, smallest_doubtful, used_columns
from clvspark.identity.engines.grouping import group_members
from clvspark.identity.model.scoring import connect, number_records, score_candidates
from clvspark.identity.model.term_frequency import add_term_frequencies, count_term_frequencies
from clvspark.identity.model.train import IdentityModel
from clvspark.identity.settings import IdentitySettings
from clvspark.lakehouse.elements import known_elements, map_elements

PAIR_SCHEMA = (
    "unique_id_l string, unique_id_r string, match_weight double, match_probability double"
)
CLUSTER_SCHEMA = "unique_id string, person_id string, raised_cut boolean"
_RECORDS_PER_SHARD = 500_000
_BATCH_ROWS = 50_000

Worker = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


class DistributedEngine:
    """Links and clusters in Spark's executors."""

    def __init__(
        self, spark: SparkSession, settings: IdentitySettings, *, shards: int | None = None
    ) -> None:
        """Bind a session; `shards` defaults to a multiple of the cores that keeps a shard within memory."""
        self._spark, self._settings, self._shards = spark, settings, shards

    def release(self) -> None:
        """Nothing is left behind."""

    def resolve(
        self, evidence: Evidence, model: IdentityModel | None
    ) -> tuple[DataFrame, DataFrame]:
        """Pairs and persons; the pairs are kept while they are clustered."""
        keys = block_keys(self._settings).alias("keys")
        prepared = self._prepare(evidence, model, keys).localCheckpoint()
        evidence = Evidence(prepared, evidence.term_frequencies, evidence.decisions)
        if model is None:
            pairs = self._spark.createDataFrame([], PAIR_SCHEMA)
        else:
            pairs = self.link(evidence, model).localCheckpoint()
        return pairs, self.cluster(evidence, pairs, model)

    def link(self, evidence: Evidence, model: IdentityModel) -> DataFrame:
        """Scored pairs from `link_weight` on, see `IdentityResolver.link`."""
        keys = block_keys(self._settings).alias("keys")
        keyed = self._prepare(evidence, model, keys)
        keyed = keyed.where(F.size("keys") > 0)
        hot = self._hot_keys(keyed)
        shards = self._count_shards(keyed)
        if evidence.flags:
            keyed = _near_touched(keyed)
        owners = map_elements(
            F.col("keys"),
            lambda key: F.pmod(key, F.lit(shards)).cast("int"),
            "int",
            written_out=2 * len(self._settings.blocking_rules),
        )
        spread = keyed.withColumn("_shard", F.explode(known_elements(owners, "int")))
        worker = _linker(self._settings, model, hot, shards, touched=bool(evidence.flags))
        # By the number itself: hashes of two shards may be those of one core.
        pairs = spread.repartitionById(shards, F.col("_shard")).mapInArrow(worker, PAIR_SCHEMA)
        # Only pairs of refined blocks can be found by two shards.
        return pairs.dropDuplicates(["unique_id_l", "unique_id_r"]) if hot and shards > 1 else pairs

    def cluster(
        self, evidence: Evidence, pairs: DataFrame, model: IdentityModel | None
    ) -> DataFrame:
        """Persons of the records, see `IdentityResolver.cluster`."""
        components = label_components(
            gather_edges(
                pairs, trusted_pairs(evidence.records, self._settings), evidence.decisions
            ),
            link_weight=self._settings.link_weight,
            max_records=self._settings.max_component_records,
        )
        grouped = self._group(evidence, components, model)
        ids = evidence.records.select("unique_id")
        known = components.join(grouped, on="unique_id", how="left")
        whole = F.when(~F.col("is_oversized"), F.col("component"))
        return ids.join(known, on="unique_id", how="left").select(
            "unique_id",
            F.coalesce("person_id", whole, "unique_id").alias("person_id"),
            F.coalesce("raised_cut", "is_oversized", F.lit(False)).alias("raised_cut"),
        )

    def _group(
        self, evidence: Evidence, components: DataFrame, model: IdentityModel | None
    ) -> DataFrame:
        """Persons of the records whose component needs a second look."""
        sizes = (
            components.where("NOT is_oversized")
            .groupBy("component")
            .agg(F.count(F.lit(1)).alias("n"))
        )
        smallest = smallest_doubtful(self._settings, evidence)
        doubtful = sizes.where(F.col("n") >= smallest).select("component")
        member = components.join(doubtful, on="component", how="left_semi")
        member = member.select("unique_id", "component")
        records = self._prepare(evidence, model).drop("keys").join(member, on="unique_id")
        decisions = _collect_decisions(evidence)
        worker = _grouper(self._settings, model, decisions)
        shards = records.repartition(self._count_shards(evidence.records), "component")
        return shards.mapInArrow(worker, CLUSTER_SCHEMA)

    def _prepare(
        self, evidence: Evidence, model: IdentityModel | None, *added: Column
    ) -> DataFrame:
        """Records with the columns that travel, ``tf_`` columns and those `added` among them."""
        if "keys" in evidence.records.columns:
            return evidence.records
        columns = used_columns(self._settings, model)
        records = evidence.records.select("unique_id", *columns, *evidence.flags, *added)
        if model is None:
            return records
        frequencies = evidence.term_frequencies
        if frequencies is None:
            frequencies = count_term_frequencies(evidence.records, model).localCheckpoint()
        return add_term_frequencies(records, frequencies, model)

    def _hot_keys(self, keyed: DataFrame) -> list[int]:
        """Keys of blocks that are too large: at most one for each `max_block_records` keys."""
        blocks = count_blocks(keyed).where(F.col("records") > self._settings.max_block_records)
        return [row["key"] for row in blocks.select("key").collect()]

    def _count_shards(self, records: DataFrame) -> int:
        if self._shards is None:
            cores = self._spark.sparkContext.defaultParallelism
            self._shards = cores * max(1, -(-records.count() // (cores * _RECORDS_PER_SHARD)))
        return self._shards


def _near_touched(keyed: DataFrame) -> DataFrame:
    """Records that share a key with a touched one; the others are in no pair that is wanted."""
    keys = keyed.where("touched").select(F.explode("keys").alias("key")).distinct()
    exploded = keyed.select("unique_id", F.explode("keys").alias("key"))
    near = exploded.join(keys, on="key", how="left_semi").select("unique_id").distinct()
    return keyed.join(near, on="unique_id", how="left_semi")


def _collect_decisions(evidence: Evidence) -> pa.Table | None:
    """What people decided: as many rows as people can decide."""
    return None if evidence.decisions is None else evidence.decisions.toArrow()


def _linker(
    settings: IdentitySettings,
    model: IdentityModel,
    hot: list[int],
    shards: int,
    *,
    touched: bool,
) -> Worker:
    document = json.dumps(model.settings)

    def link(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with closing(_load(batches)) as connection:
            row = connection.execute("SELECT any_value(_shard) FROM received").fetchone()
            if row is None or row[0] is None:
                return
            connection.register("_hot", pa.table({"key": pa.array(hot, pa.int64())}))
            connection.execute("CREATE TABLE hot_key AS SELECT * FROM _hot")
            for shard in _shards_of(connection):
                connection.execute(
                    f"CREATE OR REPLACE VIEW source AS SELECT * EXCLUDE (_shard) FROM received WHERE _shard = {shard}"
                )
                connection.execute("DROP TABLE IF EXISTS records; DROP TABLE IF EXISTS record_id")
                number_records(connection, "source")
                if create_candidates(
                    connection, settings, shard=shard, shards=shards, only_touched=touched
                ):
                    score_candidates(
                        connection,
                        json.loads(document),
                        candidates="candidates",
                        into="pair",
                        min_weight=settings.link_weight,
                    )
                    yield from _read(connection, _PAIRS)

    return link


def _grouper(
    settings: IdentitySettings, model: IdentityModel | None, decisions: pa.Table | None
) -> Worker:
    def group(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with closing(_load(batches)) as connection:
            connection.execute("CREATE VIEW source AS SELECT * FROM received")
            records = number_records(connection, "source")
            if not records:
                return
            connection.execute(_MEMBERS)
            if decisions is not None:
                connection.register("_decisions", decisions)
                connection.execute(_DECISIONS)
            grouping = group_members(
                connection, settings, model, records=records, decided=decisions is not None
            )
            grouping.create_table(connection, "grouped")
            yield from _read(connection, _CLUSTERS)

    return group


def _load(batches: Iterator[pa.RecordBatch]) -> duckdb.DuckDBPyConnection:
    """A DuckDB of one thread with the table ``received``, filled batch by batch."""
    logging.disable(logging.WARNING)
    connection = connect(threads=1)
    first = next(batches, None)
    if first is None:
        connection.execute(
            "CREATE TABLE received (unique_id VARCHAR, component VARCHAR, _shard INT)"
        )
        return connection
    reader = pa.RecordBatchReader.from_batches(first.schema, chain([first], batches))
    connection.register("_reader", reader)
    connection.execute("CREATE TABLE received AS SELECT * FROM _reader")
    connection.unregister("_reader")
    return connection


def _shards_of(connection: duckdb.DuckDBPyConnection) -> list[int]:
    """Shards of this partition: one, or none."""
    rows = connection.execute("SELECT DISTINCT _shard FROM received ORDER BY _shard").fetchall()
    return [row[0] for row in rows]


def _read(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[pa.RecordBatch]:
    yield from connection.sql(query).to_arrow_table().to_batches(max_chunksize=_BATCH_ROWS)


_PAIRS = """
    SELECT l.unique_id AS unique_id_l, r.unique_id AS unique_id_r, match_weight, match_probability
    FROM pair JOIN record_id l ON l.number = unique_id_l JOIN record_id r ON r.number = unique_id_r
"""
_MEMBERS = """
    CREATE TABLE member AS
    SELECT unique_id, min(unique_id) OVER (PARTITION BY component) AS component FROM records
"""
_DECISIONS = """
    CREATE TABLE decision AS
    SELECT least(l.number, r.number) AS unique_id_l, greatest(l.number, r.number) AS unique_id_r, bond
    FROM _decisions d
    JOIN record_id l ON l.unique_id = d.unique_id_l JOIN record_id r ON r.unique_id = d.unique_id_r
"""
_CLUSTERS = """
    SELECT i.unique_id, p.unique_id AS person_id, raised_cut
    FROM grouped JOIN record_id i ON i.number = grouped.unique_id JOIN record_id p ON p.number = grouped.person
"""
