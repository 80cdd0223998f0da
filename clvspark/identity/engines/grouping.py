"""Components become persons: the steps that both engines take in their DuckDB."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from clvspark.identity.clustering.linkage import ComponentPairs, LinkageRules, group_records
from clvspark.identity.model.scoring import comparison_names, create_inside_pairs, score_candidates
from clvspark.identity.model.train import IdentityModel
from clvspark.identity.settings import IdentitySettings

# Pairs that are grouped at once in memory.
_PAIRS_AT_ONCE = 4_000_000
_NEVER_BITS = -1000.0
# Kinds that tell people of one household apart.
_TELLING = ("given_name", "birth_date")


@dataclass(frozen=True)
class Grouping:
    """Persons of the records of components: numbers of record and person, and whether a guard divided it."""

    record: np.ndarray
    person: np.ndarray
    raised_cut: np.ndarray

    def create_table(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        """Create a table ``unique_id, person, raised_cut`` of it."""
        columns = {"unique_id": self.record, "person": self.person, "raised_cut": self.raised_cut}
        connection.register("_grouping", pa.table(columns))
        connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM _grouping")
        connection.unregister("_grouping")


def linkage_rules(settings: IdentitySettings, model: IdentityModel | None) -> LinkageRules:
    """Rules of the agglomeration; without a model only what is certain joins."""
    prior = _NEVER_BITS
    conflicts: tuple[float, ...] = (0.0,)
    if model is not None:
        chance = model.settings["probability_two_random_records_match"]
        prior = log2(chance / (1 - chance))
        telling = {a.column for a in settings.compared if a.kind in _TELLING}
        conflicts = tuple(
            settings.conflict_weight if name in telling else 0.0
            for name in comparison_names(model.settings)
        )
    return LinkageRules(
        prior,
        settings.cut_weight,
        settings.contradiction_growth,
        conflicts,
        settings.max_person_records,
    )


def group_members(
    connection: duckdb.DuckDBPyConnection,
    settings: IdentitySettings,
    model: IdentityModel | None,
    *,
    records: int,
    decided: bool,
    scored: str | None = None,
) -> Grouping:
    """Persons of the records in ``member`` (unique_id, component), see `create_inside_pairs`.

    All pairs of every component are scored, also those that no blocking rule has brought together; `scored` is a
    table of pairs that are scored already, with their bits.
    """
    create_inside_pairs(connection, settings, decided=decided)
    names: list[str] = []
    if model is not None:
        names = comparison_names(model.settings)
        _score_inside(connection, model, names, scored)
    labels, raised = np.arange(records), np.zeros(records, dtype=bool)
    total = connection.execute("SELECT count(*) FROM inside").fetchall()[0][0]
    rules = linkage_rules(settings, model)
    slices = -(-total // _PAIRS_AT_ONCE)
    for part in range(slices):
        pairs = _fetch_pairs(connection, names, f"component % {slices} = {part}")
        found, higher = group_records(pairs, records, rules)
        moved = found != np.arange(records)
        labels[moved], raised = found[moved], raised | higher
    member = np.asarray(
        connection.execute("SELECT unique_id FROM member").fetchnumpy()["unique_id"]
    )
    return Grouping(member, labels[member], raised[member])


def _score_inside(
    connection: duckdb.DuckDBPyConnection,
    model: IdentityModel,
    names: list[str],
    scored: str | None,
) -> None:
    """Create ``evidence``: the bits of every pair of ``inside``."""
    candidates = "inside"
    if scored is not None:
        candidates = "missing"
        connection.execute(f"""
            CREATE OR REPLACE TABLE missing AS
            SELECT match_key, join_key_l, join_key_r FROM inside
            ANTI JOIN {scored} ON unique_id_l = join_key_l AND unique_id_r = join_key_r
        """)
    score_candidates(
        connection, model.settings, candidates=candidates, into="evidence", with_bits=True
    )
    if scored is not None:
        bits = "".join(f', "bits_{name}"' for name in names)
        connection.execute(f"""
            INSERT INTO evidence BY NAME SELECT unique_id_l, unique_id_r{bits} FROM {scored}
        """)


def _fetch_pairs(
    connection: duckdb.DuckDBPyConnection, names: list[str], where: str
) -> ComponentPairs:
    source = "inside"
    if names:
        source += " JOIN evidence e ON e.unique_id_l = join_key_l AND e.unique_id_r = join_key_r"
    bits = "".join(f', CAST("bits_{name}" AS DOUBLE) AS "bits_{name}"' for name in names)
    found: dict[str, Any] = connection.execute(f"""
        SELECT component, join_key_l, join_key_r, bond{bits} FROM {source} WHERE {where}
    """).fetchnumpy()
    count = len(found["component"])
    stacked = [np.ma.filled(found[f"bits_{name}"], 0.0) for name in names]
    return ComponentPairs(
        found["component"].astype(np.int64),
        found["join_key_l"].astype(np.int64),
        found["join_key_r"].astype(np.int64),
        np.column_stack(stacked) if names else np.zeros((count, 1)),
        found["bond"].astype(np.int8),
    )
