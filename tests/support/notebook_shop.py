"""A lakehouse of a few literal rows in every table that the notebooks read."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from clvspark.catalogue import TABLES
from clvspark.lakehouse import Lakehouse
from support.jvm import TINY_SPARK

# Ann is known to three systems and lapsed long ago; Bob has bought last month; Cy and Di are quiet for half a year, and
# Di is angry. The records of Ann and Bob agree on the postcode and on nothing else.
PERSONS = """
sources.customer_record:
- {source_system: crm, source_record_id: C1, given_name: Ann, postcode: YO1 7HH}
- {source_system: web, source_record_id: W1, given_name: Ann}
- {source_system: app, source_record_id: A1, given_name: Ann}
- {source_system: web, source_record_id: W9, given_name: Bob, postcode: YO1 7HH}
- {source_system: web, source_record_id: W3, given_name: Cy, email: cy@example.org}
- {source_system: web, source_record_id: W4, given_name: Di, email: di@example.org}
sources.consent:
- {consent_id: k1, source_record_id: W3, channel: email, val: y}
- {consent_id: k2, source_record_id: W3, channel: push, val: n}
- {consent_id: k3, source_record_id: W4, channel: email, val: y}
sources.survey_response:
- {response_id: s1, source_system: web, source_record_id: W4, score: 2, answered_at: 2025-12-01}
identity.person_link:
- {source_system: crm, source_record_id: C1, valid_from: 2026-04-01, person_id: p1, reason: match}
- {source_system: web, source_record_id: W1, valid_from: 2026-04-01, person_id: p1, reason: match}
- {source_system: app, source_record_id: A1, valid_from: 2026-04-01, person_id: p1, reason: match}
- {source_system: web, source_record_id: W9, valid_from: 2026-04-01, person_id: p2, reason: single}
- {source_system: web, source_record_id: W3, valid_from: 2026-04-01, person_id: p3, reason: single}
- {source_system: web, source_record_id: W4, valid_from: 2026-04-01, person_id: p4, reason: single}
identity.person:
- {person_id: p1, given_name: Ann, records: 3, source_systems: [app, crm, web]}
- {person_id: p2, given_name: Bob, records: 1, source_systems: [web]}
- {person_id: p3, given_name: Cy, email: cy@example.org, records: 1, source_systems: [web]}
- {person_id: p4, given_name: Di, email: di@example.org, records: 1, source_systems: [web]}
identity.pair:
- {unique_id_l: crm:C1, unique_id_r: web:W1, match_weight: 12.5, match_probability: 0.9998}
- {unique_id_l: crm:C1, unique_id_r: web:W9, match_weight: 1, match_probability: 0.67, priority: 2, reason: separated}
identity.review_pair:
- {unique_id_l: crm:C1, unique_id_r: web:W9, match_weight: 1, match_probability: 0.67, priority: 2, reason: separated}
identity.term_frequency: []
history.order:
- {order_id: o1, person_id: p1, ordered_at: 2026-01-05, channel: shop, is_purchase: true, row_type: purchase}
- {order_id: o2, person_id: p1, ordered_at: 2026-03-07, channel: web, is_purchase: true, row_type: purchase}
- {order_id: o3, person_id: p2, ordered_at: 2026-03-08, channel: web, is_purchase: true, row_type: purchase}
- {order_id: o4, person_id: p3, ordered_at: 2025-10-08, channel: web, is_purchase: true, row_type: purchase}
- {order_id: o5, person_id: p4, ordered_at: 2025-10-09, channel: web, is_purchase: true, row_type: purchase}
history.interaction:
- {event_id: e1, person_id: p1, occurred_at: 2026-02-01, interaction_type: visit, channel: app}
clv.customer_value:
- {person_id: p1, as_of_date: 2025-12-31, historical_value: 30, residual_value: 9, clv: 39}
- {person_id: p1, as_of_date: 2026-04-01, historical_value: 40, residual_value: 7, clv: 47}
- {person_id: p2, as_of_date: 2026-04-01, historical_value: 50, residual_value: 18, clv: 68}
- {person_id: p3, as_of_date: 2026-04-01, historical_value: 30, residual_value: 12, clv: 42}
- {person_id: p4, as_of_date: 2026-04-01, historical_value: 20, residual_value: 11, clv: 31}
"""
LISTS = """
audiences.decile:
- {person_id: p2, metric: clv, as_of_date: 2026-04-01, value: 68, rank: 1, decile: 1}
- {person_id: p1, metric: clv, as_of_date: 2026-04-01, value: 47, rank: 2, decile: 2}
- {person_id: p3, metric: clv, as_of_date: 2026-04-01, value: 42, rank: 3, decile: 3}
- {person_id: p4, metric: clv, as_of_date: 2026-04-01, value: 31, rank: 4, decile: 3}
audiences.definition:
- {audience_id: top, version: 1, name: Old name}
- {audience_id: top, version: 2, name: Best}
audiences.membership:
- {audience_id: top, person_id: p1, status: realized, version: 2, qualified_on: 2026-04-01}
audiences.estimate:
- {audience_id: top, as_of_date: 2026-04-01, profiles_matched: 2, contactable_email: 1, clv: 115}
measurement.experiment:
- {audience_id: old, outcome: margin, treatment_persons: 999, holdout_persons: 99, as_of_date: 2025-12-31}
- {audience_id: top, outcome: margin, treatment_persons: 900, holdout_persons: 100, window_days: 91, days_observed: 91,
   treatment_mean: 5.5, holdout_mean: 4, difference: 1.5, ci_low: 0.5, ci_high: 2.5, p_value_adjusted: 0.01,
   is_significant: true, sample_ratio_p_value: 0.9, cuped_difference: 1.25, cuped_ci_low: 0.75, cuped_ci_high: 1.75}
- {audience_id: top, outcome: visits, treatment_persons: 900, holdout_persons: 100, treatment_mean: 1,
   holdout_mean: 1.25, difference: -0.25, ci_low: -1, ci_high: 0.5, p_value_adjusted: 0.6, is_significant: false}
- {audience_id: top, outcome: revenue, treatment_persons: 900, holdout_persons: 100, difference: 3, ci_low: -1,
   ci_high: 7, p_value_adjusted: 0.3, is_significant: false}
- {audience_id: quiet, outcome: margin, treatment_persons: 90, holdout_persons: 10, difference: -3, ci_low: -8,
   ci_high: 2, p_value_adjusted: 0.4, is_significant: false}
- {audience_id: few, outcome: margin, treatment_persons: 9, holdout_persons: 1, status: too_few_persons}
measurement.effect:
- {audience_id: top, effect: extra_margin, kind: realised, value: 1350, ci_low: 450, ci_high: 2250}
- {audience_id: quiet, effect: extra_margin, kind: realised, value: -270}
measurement.power:
- {audience_id: top, outcome: margin, minimum_detectable_effect: 0.75, status: foreseen}
- {audience_id: top, outcome: revenue, power: null, status: all_alike_before}
- {audience_id: top, outcome: visits, minimum_detectable_effect: 2, status: foreseen}
"""
MODELS = """
clv.model:
- {model_id: m1, as_of_date: 2026-04-01, kind: transaction, name: ParetoNBDModel, is_champion: true}
- {model_id: m2, as_of_date: 2026-04-01, kind: transaction, name: BetaGeoModel, is_champion: false}
- {model_id: m3, as_of_date: 2026-04-01, kind: spend, name: GammaGammaModel, is_champion: true}
clv.backtest_decile:
- {model: ParetoNBDModel, decile: 1, mean_predicted: 40, mean_actual: 50}
- {model: ParetoNBDModel, decile: 2, mean_predicted: 5, mean_actual: 4}
- {model: LastPeriod, decile: 1, mean_predicted: 80, mean_actual: 40}
- {model: LastPeriod, decile: 2, mean_predicted: 0, mean_actual: 3}
- {model: ParetoNBDModel, decile: 1, mean_predicted: 9, mean_actual: 9, fold_origin: 2025-08-06}
reporting.dim_person_segment:
- {lifecycle_stage: core, position: 1, description: buys often}
- {lifecycle_stage: lapsed, position: 2, description: has probably left}
reporting.fact_profile:
- {as_of_date: 2026-03-01, lifecycle_stage: core, count_of_profiles: 500, customer_equity: 9000}
- {as_of_date: 2026-04-01, lifecycle_stage: lapsed, count_of_profiles: 100, customer_equity: 25.5}
- {as_of_date: 2026-04-01, lifecycle_stage: core, count_of_profiles: 40, customer_equity: 800.25}
"""
AS_OF, NEW, OLD = "2026-04-01", "2025-10-01", "2025-08-06"
# What rows have that do not say otherwise.
TOLD = {
    "sources.consent": {
        "source_system": "web",
        "purpose": "marketing",
        "recorded_at": "2025-01-01",
    },
    "clv.backtest": {"as_of_date": AS_OF, "holdout_days": 182},
    "clv.backtest_decile": {
        "as_of_date": AS_OF,
        "fold_origin": NEW,
        "outcome": "value",
        "customers": 10,
    },
    "measurement.experiment": {"as_of_date": AS_OF, "status": "measured"},
    "measurement.effect": {"as_of_date": AS_OF, "status": "measured"},
    "measurement.power": {"as_of_date": AS_OF, "basis": "assigned", "power": 0.8},
}
# By model: role, and by measure the values of both folds. Of BG/NBD the older fold could not be fitted.
BACKTEST: dict[str, tuple[str, dict[str, tuple[float | None, float | None]]]] = {
    "ParetoNBDModel": ("candidate", {"fitted": (1, 1), "value_mae": (9, 11), "mae": (0.5, 0.6),
                                     "interval_coverage": (0.79, 0.81), "value_interval_coverage": (0.75, 0.7)}),
    "BetaGeoModel": ("candidate", {"fitted": (1, 0), "value_mae": (9.5, None), "mae": (0.4, None),
                                   "interval_coverage": (0.6, None)}),
    "LastPeriod": ("baseline", {"fitted": (1, 1), "value_mae": (12, 18), "mae": (0.7, 0.9)}),
}  # fmt: skip
CONFIG = """
as_of: 2026-04-01
spark: {{master: "local[1]", driver_memory: 1g, shuffle_partitions: 1, conf: {conf}}}
lakehouse: {{root: {root}, currency: EUR}}
sources:
  landing: landing
  systems:
  - system: crm
    files:
    - path: crm/*.csv
      format: csv
      outputs: [{{to: customer_record, fields: {{source_record_id: id}}}}]
identity:
  settings:
    attributes: [{{column: given_name, kind: given_name}}, {{column: postcode, kind: postcode}}]
    blocking_rules: [[postcode]]
    training: {{deterministic_rules: [[given_name, postcode]], em_rules: [[given_name], [postcode]]}}
activation: {{exports: exports}}
"""


@dataclass(frozen=True)
class NotebookShop:
    """The lakehouse and its configuration in a folder."""

    folder: Path

    @property
    def lakehouse(self) -> Path:
        return self.folder / "lakehouse"

    @property
    def environment(self) -> dict[str, str]:
        """What tells the notebooks where they are."""
        return {
            "CLVSPARK_CONFIG": str(self.folder / "config.yaml"),
            "CLVSPARK_REPORTING": str(self.lakehouse / "reporting"),
        }

    def copy_to(self, folder: Path) -> NotebookShop:
        """The same shop elsewhere, to be written to."""
        copy = NotebookShop(folder)
        shutil.copytree(self.lakehouse, copy.lakehouse)
        copy.write_config()
        return copy

    def write_config(self) -> None:
        text = CONFIG.format(root=self.lakehouse, conf=json.dumps(TINY_SPARK))
        (self.folder / "config.yaml").write_text(text, encoding="utf-8")


def make_notebook_shop(lake: Lakehouse, folder: Path) -> NotebookShop:
    """Write the rows into an empty lakehouse in `folder`."""
    shop = NotebookShop(folder)
    tables: dict[str, list[dict[str, Any]]] = {}
    for text in (PERSONS, LISTS, MODELS):
        tables |= yaml.safe_load(text)
    tables |= {"clv.backtest": list_backtest(), "identity.model": [linkage_model()]}
    for name, rows in tables.items():
        full = [TOLD.get(name, {}) | row for row in rows]
        lake.storage.save(TABLES[name].rows(lake.spark, full).write, name)
    shop.write_config()
    return shop


def list_backtest() -> list[dict[str, Any]]:
    return [
        {"model": model, "role": role, "measure": measure, "value": value, "fold_origin": fold,
         "reason": "no maximum was found" if measure == "fitted" and value == 0 else None}
        for model, (role, measures) in BACKTEST.items()
        for measure, values in measures.items()
        for fold, value in zip((NEW, OLD), values, strict=True)
        if value is not None
    ]  # fmt: skip


def linkage_model() -> dict[str, Any]:
    """Even odds are 2 bits away; other given names take 1 bit, an equal postcode gives 4."""

    def comparison(column: str, m: float, u: float) -> dict[str, Any]:
        missing = f"{column}_l IS NULL OR {column}_r IS NULL"
        equal = f"{column}_l = {column}_r"
        levels = [
            {"sql_condition": missing, "label_for_charts": "unknown", "is_null_level": True},
            {"sql_condition": equal, "label_for_charts": "equal", "m_probability": m, "u_probability": u},
            {"sql_condition": "ELSE", "label_for_charts": "other", "m_probability": 1 - m, "u_probability": 1 - u},
        ]  # fmt: skip
        return {"output_column_name": column, "comparison_levels": levels}

    settings = {
        "link_type": "dedupe_only",
        "unique_id_column_name": "unique_id",
        "probability_two_random_records_match": 0.2,
        "comparisons": [comparison("given_name", 0.75, 0.5), comparison("postcode", 0.8, 0.05)],
        "blocking_rules_to_generate_predictions": [],
    }
    return {
        "model_id": "linkage",
        "is_champion": True,
        "records_sampled": 10,
        "settings": json.dumps(settings),
    }
