"""One machine: Spark hands the records to DuckDB as files, DuckDB and NumPy do the rest with all cores."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from contextlib import closing
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from clvspark.identity.blocking.candidates import create_candidates
from clvspark.identity.clustering.components import CERTAIN, bounded_components
from clvspark.identity.engines.evidence import Evidence, smallest_doubtful, used_columns
from clvspark.identity.engines.grouping import group_members
from clvspark.identity.engines.handover import hand_over
from clvspark.identity.model.scoring import (
    connect,
    count_term_frequencies,
    number_records,
    score_candidates,
)
from clvspark.identity.model.term_frequency import adjusted_columns, value_hash
from clvspark.identity.model.train import IdentityModel
from clvspark.identity.settings import IdentitySettings

LOCAL_MEMORY = "6GB"
_PREFIX = "clvspark-identity-"


class LocalEngine:
    """Links and clusters in one DuckDB on the driver's machine, which spills to disk beyond `memory`."""

    def __init__(
        self, spark: SparkSession, settings: IdentitySettings, *, memory: str = LOCAL_MEMORY
    ) -> None:
        """Bind a session; files live in a temporary folder until the process ends or `release`."""
        self._spark, self._settings, self._memory = spark, settings, memory
        _sweep()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        atexit.register(self.release)
        self._calls = 0

    def release(self) -> None:
        """Remove the files; data frames made by this engine cannot be read any more."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def link(self, evidence: Evidence, model: IdentityModel) -> DataFrame:
        """Scored pairs from `link_weight` on, see `IdentityResolver.link`."""
        with closing(self._open()) as connection:
            call = self._load(connection, evidence, model)
            self._score(connection, evidence, model)
            return self._pairs(connection, call)

    def cluster(
        self, evidence: Evidence, pairs: DataFrame, model: IdentityModel | None
    ) -> DataFrame:
        """Persons of the records, see `IdentityResolver.cluster`."""
        with closing(self._open()) as connection:
            call = self._load(connection, evidence, model)
            source = call / "given_pairs"
            pairs.select("unique_id_l", "unique_id_r", "match_weight").write.parquet(str(source))
            connection.execute(f"""
                CREATE TABLE pair AS
                SELECT l.number AS unique_id_l, r.number AS unique_id_r, match_weight
                FROM '{source}/*.parquet' p
                JOIN record_id l ON l.unique_id = p.unique_id_l
                JOIN record_id r ON r.unique_id = p.unique_id_r
            """)
            return self._clusters(connection, evidence, model, call)

    def resolve(
        self, evidence: Evidence, model: IdentityModel | None
    ) -> tuple[DataFrame, DataFrame]:
        """Pairs and persons in one go: the records are handed over once."""
        with closing(self._open()) as connection:
            call = self._load(connection, evidence, model)
            scored = "pair" if self._score(connection, evidence, model) else None
            pairs = self._pairs(connection, call)
            return pairs, self._clusters(connection, evidence, model, call, scored=scored)

    def _open(self) -> duckdb.DuckDBPyConnection:
        return connect(
            threads=os.cpu_count() or 1, memory=self._memory, spill=str(self._folder / "spill")
        )

    def _load(
        self, connection: duckdb.DuckDBPyConnection, evidence: Evidence, model: IdentityModel | None
    ) -> Path:
        """Create ``records`` with ``tf_`` columns, ``record_id`` and ``decision``; return the call's folder."""
        self._calls += 1
        call = self._folder / f"{self._calls:06d}"
        frozen = evidence.term_frequencies
        adjusted = adjusted_columns(model) if model is not None and frozen is not None else []
        needed = evidence.records.select(
            "unique_id",
            *used_columns(self._settings, model, blocking=True),
            *(value_hash(name).alias(f"_hash_{name}") for name in adjusted),
            *evidence.flags,
        )
        number_records(connection, hand_over(needed, call / "records"))
        if frozen is not None and adjusted:
            frozen.write.parquet(str(call / "term_frequencies"))
            _join_term_frequencies(connection, adjusted, call / "term_frequencies")
        else:
            count_term_frequencies(connection, adjusted_columns(model) if model is not None else [])
        if evidence.decisions is not None:
            evidence.decisions.write.parquet(str(call / "decisions"))
            connection.execute(f"""
                CREATE TABLE decision AS
                SELECT least(l.number, r.number) AS unique_id_l, greatest(l.number, r.number) AS unique_id_r, bond
                FROM '{call / "decisions"}/*.parquet' d
                JOIN record_id l ON l.unique_id = d.unique_id_l
                JOIN record_id r ON r.unique_id = d.unique_id_r
            """)
        return call

    def _score(
        self, connection: duckdb.DuckDBPyConnection, evidence: Evidence, model: IdentityModel | None
    ) -> bool:
        """Create ``pair`` (numbers, match_weight, match_probability); whether there was anything to score."""
        if model is None or not create_candidates(
            connection, self._settings, only_touched=bool(evidence.flags)
        ):
            connection.execute(
                "CREATE TABLE pair (unique_id_l BIGINT, unique_id_r BIGINT, match_weight DOUBLE, "
                "match_probability DOUBLE)"
            )
            return False
        score_candidates(
            connection,
            model.settings,
            candidates="candidates",
            into="pair",
            min_weight=self._settings.link_weight,
            with_bits=True,
        )
        return True

    def _pairs(self, connection: duckdb.DuckDBPyConnection, call: Path) -> DataFrame:
        return self._publish(
            connection,
            call / "pairs",
            """
            SELECT l.unique_id AS unique_id_l, r.unique_id AS unique_id_r, match_weight, match_probability
            FROM pair JOIN record_id l ON l.number = unique_id_l JOIN record_id r ON r.number = unique_id_r
            """,
        )

    def _clusters(
        self,
        connection: duckdb.DuckDBPyConnection,
        evidence: Evidence,
        model: IdentityModel | None,
        call: Path,
        *,
        scored: str | None = None,
    ) -> DataFrame:
        self._label(connection, evidence)
        records = connection.execute("SELECT count(*) FROM record_id").fetchall()[0][0]
        grouping = group_members(
            connection,
            self._settings,
            model,
            records=records,
            decided=evidence.decisions is not None,
            scored=scored,
        )
        grouping.create_table(connection, "grouped")
        return self._publish(
            connection,
            call / "clusters",
            """
            SELECT i.unique_id, p.unique_id AS person_id,
                   coalesce(g.raised_cut, c.is_oversized, false) AS raised_cut
            FROM record_id i
            LEFT JOIN labelled c ON c.unique_id = i.number
            LEFT JOIN grouped g ON g.unique_id = i.number
            JOIN record_id p ON p.number
                = coalesce(g.person, CASE WHEN NOT c.is_oversized THEN c.component END, i.number)
            """,
        )

    def _label(self, connection: duckdb.DuckDBPyConnection, evidence: Evidence) -> None:
        """Create ``labelled`` (unique_id, component, is_oversized), and ``member`` of those to be taken apart."""
        edges = connection.execute(self._edges(evidence)).fetchnumpy()
        records = connection.execute("SELECT count(*) FROM record_id").fetchall()[0][0]
        labels, oversized = bounded_components(
            np.asarray(edges["l"], np.int64),
            np.asarray(edges["r"], np.int64),
            np.asarray(edges["w"], np.float64),
            records,
            link_weight=self._settings.link_weight,
            max_records=self._settings.max_component_records,
        )
        columns = {"unique_id": np.arange(records), "component": labels, "is_oversized": oversized}
        connection.register("_labels", pa.table(columns))
        smallest = smallest_doubtful(self._settings, evidence)
        connection.execute(f"""
            CREATE TABLE labelled AS SELECT * FROM _labels;
            CREATE TABLE member AS
            SELECT unique_id, component FROM labelled WHERE NOT is_oversized
            QUALIFY count(*) OVER (PARTITION BY component) >= {smallest}
        """)
        connection.unregister("_labels")

    def _edges(self, evidence: Evidence) -> str:
        parts = ["SELECT unique_id_l AS l, unique_id_r AS r, match_weight AS w FROM pair"]
        parts += [
            f"""SELECT min(unique_id) OVER (PARTITION BY "{name}"), unique_id, {CERTAIN}
                FROM records WHERE "{name}" IS NOT NULL"""
            for name in self._settings.trusted_identifiers
        ]
        if evidence.decisions is not None:
            parts.append(f"SELECT unique_id_l, unique_id_r, {CERTAIN} FROM decision WHERE bond > 0")
        return " UNION ALL ".join(parts)

    def _publish(
        self, connection: duckdb.DuckDBPyConnection, folder: Path, query: str
    ) -> DataFrame:
        # A file for each thread, so that Spark reads them with as many cores.
        connection.execute(f"COPY ({query}) TO '{folder}' (FORMAT parquet, PER_THREAD_OUTPUT)")
        folder.chmod(0o700)
        return self._spark.read.parquet(str(folder))


def _join_term_frequencies(
    connection: duckdb.DuckDBPyConnection, names: list[str], folder: Path
) -> None:
    """Make ``records`` a table with a ``tf_`` column for each of its ``_hash_`` columns."""
    shares = "".join(f', "t_{n}".share AS "tf_{n}"' for n in names)
    joins = " ".join(
        f"""LEFT JOIN (SELECT value_hash, share FROM '{folder}/*.parquet' WHERE name = '{n}') "t_{n}"
            ON "t_{n}".value_hash = r."_hash_{n}" """
        for n in names
    )
    hashes = ", ".join(f'"_hash_{n}"' for n in names)
    connection.execute(f"""
        CREATE TABLE with_frequencies AS SELECT r.* EXCLUDE ({hashes}){shares} FROM records r {joins};
        DROP VIEW records;
        ALTER TABLE with_frequencies RENAME TO records
    """)


def _sweep() -> None:
    """Remove the folders of processes that were killed: records are in them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        process = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if not process.isdigit() or not _is_alive(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
