"""Splink's estimators in their order: prior from deterministic rules, u by random sampling, m by EM."""

from __future__ import annotations

import hashlib
import logging
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
from splink import DuckDBAPI, Linker, block_on
from splink.internals.blocking_rule_creator import BlockingRuleCreator
from splink.internals.em_training_session import EMTrainingSession
from splink.internals.splink_dataframe import SplinkDataFrame

from clvspark.identity.model.comparisons import splink_settings
from clvspark.identity.model.training_report import (
    Session,
    TrainingReport,
    describe_session,
    list_levels,
    unlinkable_shares,
)
from clvspark.identity.settings import IdentitySettings, TrainingSettings

# A level that no true pair shows; Splink gives as much to a level that no pair shows at all.
LEAST_M = 1e-6
LEAST_U = 1e-6
# A change of less than this in every m ends an EM run; Splink's default.
_TOLERANCE = 0.0001
_PROBES = (12, 6, 3, 1)
# Splink raises this where m falls below what it can represent.
_VANISHED = "m_probability"


@dataclass(frozen=True)
class Estimates:
    """What the estimators found.

    model : in Splink's JSON form. untrained : comparisons that no EM run could see at all.
    """

    model: dict[str, Any]
    report: TrainingReport
    untrained: tuple[str, ...]


def quieten_splink() -> None:
    """Let Splink speak of errors only."""
    for logger in ("splink", "splink.internals"):
        logging.getLogger(logger).setLevel(logging.ERROR)


def estimate_model(
    connection: duckdb.DuckDBPyConnection, sample: pa.Table, settings: IdentitySettings
) -> Estimates:
    """Run the estimators on a sample; whatever Splink raises is let through."""
    quieten_splink()
    training = settings.training
    if training is None:
        raise ValueError("settings without training have no model")
    api = DuckDBAPI(connection=connection)
    rules = [*training.deterministic_rules, *training.em_rules]
    _mark_fitting(connection, sample, rules, settings.max_block_records)
    # A rule that meets nobody teaches nothing, and Splink ends there; where none does, it says so.
    meeting = [rule for rule in training.em_rules if _has_pairs(connection, rule)]
    training = training.model_copy(update={"em_rules": meeting or training.em_rules})
    records = api.register("sample", dataset_display_name="records of the sample")
    linker = Linker(records, splink_settings(settings))
    linker.training.estimate_probability_two_random_records_match(
        [_block_on(rule) for rule in training.deterministic_rules],
        recall=training.deterministic_recall,
    )
    linker.training.estimate_u_using_random_sampling(
        max_pairs=training.u_max_pairs, seed=training.seed
    )
    base = linker.misc.save_model_to_json(None, overwrite=True)
    vanished: set[tuple[str, str]] = set()
    while True:
        try:
            return _run_em(records, len(sample), linker, training, vanished)
        except ValueError as error:
            if _VANISHED not in str(error):
                raise
            more = _find_vanished(records, _hold(base, vanished), training) - vanished
            if not more:
                raise
            vanished |= more
            linker = Linker(records, _hold(base, vanished))


def _mark_fitting(
    connection: duckdb.DuckDBPyConnection, sample: pa.Table, rules: list[list[str]], limit: int
) -> None:
    """Create ``sample``, with a column for each rule that is NULL in blocks of more than `limit` records.

    A hundred thousand records with one e-mail would make five thousand million pairs, and teach nothing.
    """
    marks = {
        _fitting(
            rule
        ): f"""CASE WHEN count(*) OVER (PARTITION BY {", ".join(f'"{name}"' for name in rule)}) <= {limit}
            THEN true END AS {_fitting(rule)}"""
        for rule in rules
    }
    connection.register("_sample", sample)
    connection.execute(
        f"CREATE TABLE sample AS SELECT *, {', '.join(marks.values())} FROM _sample ORDER BY unique_id"  # noqa: S608
    )


def _has_pairs(connection: duckdb.DuckDBPyConnection, rule: list[str]) -> bool:
    known = " AND ".join(f'"{name}" IS NOT NULL' for name in [*rule, _fitting(rule)])
    names = ", ".join(f'"{name}"' for name in rule)
    found = connection.execute(
        f"SELECT 1 FROM sample WHERE {known} GROUP BY {names} HAVING count(*) > 1 LIMIT 1"  # noqa: S608
    )
    return found.fetchone() is not None


def _fitting(rule: list[str]) -> str:
    return f"fits_{hashlib.sha256('|'.join(rule).encode()).hexdigest()[:8]}"


def _block_on(rule: list[str]) -> BlockingRuleCreator:
    """Pairs that agree on the columns of the rule, within blocks that are not too large."""
    return block_on(*rule, _fitting(rule))


def _run_em(
    records: SplinkDataFrame,
    records_sampled: int,
    linker: Linker,
    training: TrainingSettings,
    vanished: set[tuple[str, str]],
) -> Estimates:
    sessions = [
        _describe(
            rule,
            linker.training.estimate_parameters_using_expectation_maximisation(
                _block_on(rule), estimate_without_term_frequencies=True
            ),
        )
        for rule in training.em_rules
    ]
    model = linker.misc.save_model_to_json(None, overwrite=True)
    untrained = tuple(
        comparison["output_column_name"]
        for comparison in model["comparisons"]
        if all("m_probability" not in level for level in _trainable(comparison))
    )
    unseen = {
        (comparison["output_column_name"], level["label_for_charts"])
        for comparison in model["comparisons"]
        for level in _trainable(comparison)
        if "m_probability" not in level or "u_probability" not in level
    }
    final = _release(model)
    curve = Linker(records, final).evaluation.unlinkables_chart().raw_records
    report = TrainingReport(
        records=records_sampled,
        prior=final["probability_two_random_records_match"],
        levels=list_levels(final, vanished | unseen),
        sessions=sessions,
        unlinkables=unlinkable_shares(curve),
    )
    return Estimates(final, report, untrained)


def _describe(rule: list[str], session: EMTrainingSession) -> Session:
    history = session.m_u_values_interactive_history_chart().raw_records
    return describe_session(", ".join(rule), [record.as_dict() for record in history], _TOLERANCE)


def _trainable(comparison: dict[str, Any]) -> list[dict[str, Any]]:
    return [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]


def _find_vanished(
    records: SplinkDataFrame, base: dict[str, Any], training: TrainingSettings
) -> set[tuple[str, str]]:
    """Comparison and label of the levels whose m falls towards nothing, seen before it gets there."""
    found: set[tuple[str, str]] = set()
    for rule in training.em_rules:
        for iterations in _PROBES:
            linker = Linker(records, {**base, "max_iterations": iterations})
            try:
                linker.training.estimate_parameters_using_expectation_maximisation(
                    _block_on(rule), estimate_without_term_frequencies=True
                )
            except ValueError:
                continue
            model = linker.misc.save_model_to_json(None, overwrite=True)
            found |= {
                (comparison["output_column_name"], level["label_for_charts"])
                for comparison in model["comparisons"]
                for level in comparison["comparison_levels"]
                if level.get("m_probability", 1.0) < LEAST_M
            }
            break
    return found


def _hold(base: dict[str, Any], vanished: set[tuple[str, str]]) -> dict[str, Any]:
    """The model with m of the vanished levels held at `LEAST_M`."""
    model = deepcopy(base)
    for comparison in model["comparisons"]:
        for level in comparison["comparison_levels"]:
            if (comparison["output_column_name"], level["label_for_charts"]) in vanished:
                level |= {"m_probability": LEAST_M, "fix_m_probability": True}
    return model


def _release(model: dict[str, Any]) -> dict[str, Any]:
    """The model as it is used: nothing is held or random, levels that no pair showed have probabilities of their own.

    Splink leaves them out of its file, and would make up others when it reads it. A level that no pair of the EM
    runs showed says nothing (m = u); one that no sampled pair showed has u = `LEAST_U`. No m is below `LEAST_M`: EM
    ends at 1e-70 where a sample shows no slip of the pen, and the first one of a later day would outweigh all else.
    """
    model.pop("linker_uid", None)  # drawn anew by every linker; the same model has the same id
    for comparison in model["comparisons"]:
        for level in comparison["comparison_levels"]:
            level.pop("fix_m_probability", None)
        for level in _trainable(comparison):
            u = level.setdefault("u_probability", LEAST_U)
            level["m_probability"] = max(level.get("m_probability", u), LEAST_M)
    return model
