"""A few records seen closely: what they are compared by, and every pair of them scored with its parts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import duckdb
import pyarrow as pa
from pyspark.sql import functions as F
from splink import DuckDBAPI, Linker

from clvspark.identity.cleaning.standardise import standardise_records
from clvspark.identity.model.estimate import quieten_splink
from clvspark.identity.model.term_frequency import add_term_frequencies
from clvspark.identity.model.train import IdentityModel, columns_of
from clvspark.identity.model.training_report import TrainingReport
from clvspark.identity.record_ids import record_id
from clvspark.identity.settings import IdentitySettings
from clvspark.identity.tables import MODEL, SHARED_IDENTIFIER, TERM_FREQUENCY
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import MissingInputError
from clvspark.sources.tables import CUSTOMER_RECORD

NEXT_STEP = "Next step: clvspark resolve"


@dataclass(frozen=True)
class Ignored:
    """An identifier of a record that is no evidence, as too many differently named records have it."""

    unique_id: str
    column: str
    distinct_names: int
    records: int


@dataclass(frozen=True)
class Step:
    """One comparison of a pair: its level, bits, bits for how common the value is, the values."""

    comparison: str
    level: str
    bits: float
    frequency_bits: float
    left: str
    right: str


@dataclass(frozen=True)
class PairEvidence:
    """A pair as the model sees it: weight = prior + bits of all steps. chart: Splink's waterfall, Vega-Lite."""

    left: str
    right: str
    prior: float
    weight: float
    probability: float
    steps: list[Step]
    chart: dict[str, Any]


@dataclass(frozen=True)
class Inspected:
    """Records by id: values as standardised, frequencies of terms beside them, identifiers that are ignored."""

    records: dict[str, dict[str, Any]]
    ignored: list[Ignored]

    def value(self, unique_id: str, column: str) -> str | None:
        """A standardised value as text."""
        found = self.records[unique_id].get(column)
        return None if found is None else str(found)


def read_champion(lake: Lakehouse) -> IdentityModel | None:
    """The model that links now, with its report; None where nothing is compared."""
    if not lake.exists(MODEL):
        raise MissingInputError(f"No records have been resolved yet. {NEXT_STEP}")
    row = lake.read(MODEL).where("is_champion").first()
    if row is None:
        return None
    report = TrainingReport.from_dict(json.loads(row["report"])) if row["report"] else None
    return IdentityModel(json.loads(row["settings"]), row["records_sampled"], report)


def inspect_records(
    lake: Lakehouse, settings: IdentitySettings, ids: list[str], model: IdentityModel | None
) -> Inspected:
    """Read and standardise the records named SYSTEM:ID, as the last run compared them.

    MissingInputError if one is not known; it does not repeat the id, which a customer may have chosen.
    """
    raw = lake.read(CUSTOMER_RECORD).where(record_id(settings).isin(ids))
    standard = standardise_records(raw, settings)
    if model is not None:
        standard = add_term_frequencies(standard, lake.read(TERM_FREQUENCY), model)
    rows = {row["unique_id"]: row for row in standard.toArrow().to_pylist()}
    absent = [number for number, unique_id in enumerate(ids, start=1) if unique_id not in rows]
    if absent:
        which = ", ".join(str(number) for number in absent)
        raise MissingInputError(
            f"{CUSTOMER_RECORD.name} has no record of the name given as number {which}. Give records as SYSTEM:ID, "
            "e.g. crm:C0000000000001."
        )
    ignored = _ignored(lake, settings, rows)
    for fault in ignored:
        attribute = next(a for a in settings.attributes if a.column == fault.column)
        for name in (attribute.column, *attribute.derived):
            rows[fault.unique_id][name] = None
    return Inspected({unique_id: rows[unique_id] for unique_id in ids}, ignored)


def _ignored(
    lake: Lakehouse, settings: IdentitySettings, rows: dict[str, dict[str, Any]]
) -> list[Ignored]:
    bounded = [a.column for a in settings.attributes if a.max_distinct_names is not None]
    digests = {
        (column, hashlib.sha256(str(row[column]).encode()).hexdigest()): unique_id
        for unique_id, row in rows.items()
        for column in bounded
        if row[column] is not None
    }
    if not digests or not lake.exists(SHARED_IDENTIFIER):
        return []
    wanted = sorted({digest for _, digest in digests})
    shared = lake.read(SHARED_IDENTIFIER).where(F.col("identifier_sha256").isin(wanted)).collect()
    found = {(row["kind"], row["identifier_sha256"]): row for row in shared}
    return [
        Ignored(unique_id, column, row["distinct_names"], row["records"])
        for unique_id, record in rows.items()
        for column in bounded
        if record[column] is not None
        and (row := found.get((column, hashlib.sha256(str(record[column]).encode()).hexdigest())))
    ]


def score_all_pairs(
    inspected: Inspected, settings: IdentitySettings, model: IdentityModel
) -> list[PairEvidence]:
    """Every pair of the records, scored by Splink, in the order of their ids."""
    rows = sorted(inspected.records.values(), key=lambda row: row["unique_id"])
    pairs = list(combinations([row["unique_id"] for row in rows], 2))
    if not pairs:
        return []
    quieten_splink()
    keep = {"retain_intermediate_calculation_columns": True, "retain_matching_columns": True}
    with duckdb.connect(":memory:") as connection:
        api = DuckDBAPI(connection=connection)
        records = api.register(_table(rows, settings), dataset_display_name="records")
        linker = Linker(records, {**model.settings, **keep})
        candidates = pa.table(
            {
                "match_key": ["0"] * len(pairs),
                "join_key_l": [left for left, _ in pairs],
                "join_key_r": [right for _, right in pairs],
            }
        )
        linker.table_management.register_blocked_pairs_for_predict(
            api.register(candidates, dataset_display_name="candidates")
        )
        scored = linker.inference.predict(warning_mode="never").as_record_list()
        scored.sort(key=lambda row: (row["unique_id_l"], row["unique_id_r"]))
        return [_evidence(linker, row, inspected, settings, model) for row in scored]


def _table(rows: list[dict[str, Any]], settings: IdentitySettings) -> pa.Table:
    types = {"string": pa.string(), "array<string>": pa.list_(pa.string())}
    named = {"unique_id": pa.string()} | {n: types[t] for n, t in settings.columns.items()}
    frequencies = {name: pa.float64() for name in rows[0] if name.startswith("tf_")}
    return pa.Table.from_pylist(rows, pa.schema(list((named | frequencies).items())))


def _evidence(
    linker: Linker,
    row: dict[str, Any],
    inspected: Inspected,
    settings: IdentitySettings,
    model: IdentityModel,
) -> PairEvidence:
    left, right = row["unique_id_l"], row["unique_id_r"]
    waterfall = linker.visualisations.waterfall_chart([row])
    raw: Any = waterfall.raw_records
    parts = {part["column_name"]: part for part in raw}
    attributes = [a.column for a in settings.attributes]
    steps = []
    for comparison in model.settings["comparisons"]:
        name = comparison["output_column_name"]
        part, frequency = parts[name], parts.get(f"tf_{name}")
        columns = [n for n in attributes if n in columns_of(comparison)]
        own = [name] if name in attributes else columns
        steps.append(
            Step(
                name,
                part["label_for_charts"],
                part["log2_bayes_factor"],
                frequency["log2_bayes_factor"] if frequency else 0.0,
                ", ".join(inspected.value(left, n) or "-" for n in own),
                ", ".join(inspected.value(right, n) or "-" for n in own),
            )
        )
    prior = parts["Prior"]["log2_bayes_factor"]
    weight, chance = row["match_weight"], row["match_probability"]
    return PairEvidence(
        left, right, prior, weight, chance, steps, _plain(waterfall.chart_dict, steps)
    )


def _plain(chart: dict[str, Any], steps: list[Step]) -> dict[str, Any]:
    """A chart of Splink without its slider (there is one pair), its own looks, links to outside, derived values."""
    spec = {key: value for key, value in chart.items() if key not in ("$schema", "config", "title")}
    for parameter in spec["params"]:
        parameter.pop("bind", None)
    values = {step.comparison: {"value_l": step.left, "value_r": step.right} for step in steps}
    data = [row | values.get(row["column_name"], {}) for row in spec["data"]["values"]]
    return {**spec, "data": {"values": data}}
