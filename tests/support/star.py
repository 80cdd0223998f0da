"""Rows of the star schema without Spark: a small shop, as the dashboards read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from clvspark.reporting.dashboards.answers import Tables
from clvspark.reporting.datasets import DATASETS

AS_OF = date(2026, 4, 1)
MARCH = date(2026, 3, 1)
_TYPES = {
    "string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "double": pa.float64(),
    "date": pa.date32(), "timestamp": pa.timestamp("us"), "boolean": pa.bool_(),
    "decimal(18,2)": pa.decimal128(18, 2),
}  # fmt: skip


def dataset_rows(name: str, rows: Iterable[Mapping[str, Any]] = ()) -> pa.Table:
    """Literal rows of a dataset, of AS_OF unless they say otherwise; a column not given is NULL."""
    table = DATASETS[name].table
    schema = pa.schema([(c.name, _TYPES[c.type]) for c in table.columns])
    dated = {"as_of_date": AS_OF} if "as_of_date" in table.names else {}
    full = [{n: {**dated, **row}.get(n) for n in table.names} for row in rows]
    return pa.Table.from_pylist(full, schema)


def tables_of(*, smallest_group: int = 1, **rows: Iterable[Mapping[str, Any]]) -> Tables:
    """Tables of literal rows; all others are empty."""
    given = {name.replace("__", "."): found for name, found in rows.items()}
    every = {name: dataset_rows(name, given.get(name, ())) for name in DATASETS}
    return Tables(every, DATASETS, as_of=AS_OF, smallest_group=smallest_group)


def shop_rows() -> dict[str, pa.Table]:
    """A shop in which every dashboard has something to show."""
    audiences = [("top", "Top customers", 400), ("lapsed", "Lapsed", 200)]
    models = ["BetaGeoModel", "ParetoNBDModel"]
    stages = [("core", 200, 4_500.0, 8_845.0), ("prospect", 34, 0.0, 0.0)]
    profile = [
        {"lifecycle_stage": s, "count_of_profiles": n, "count_of_single_identity_profiles": n // 2,
         "records": 2 * n, "customer_equity": equity, "historical_value": value}
        for s, n, equity, value in stages
    ]  # fmt: skip
    months = [date(2026, 1, 1), date(2026, 2, 1), MARCH]
    found: dict[str, list[dict[str, Any]]] = {
        "dim_date": [{"date": date(2025, 1, 1)}, {"date": date(2026, 6, 30)}],
        "dim_audience": [{"audience_id": i, "name": name, "version": 1} for i, name, _ in audiences],
        "dim_campaign": [{"campaign_id": "c1", "name": "Spring"}, {"campaign_id": "c2", "name": "Summer"}],
        "dim_channel": [{"channel": "web"}],
        "dim_person_segment": [{"lifecycle_stage": s, "position": n, "description": "d"}
                               for n, (s, *_) in enumerate(stages)],
        "fact_profile": [*profile, {**profile[0], "as_of_date": MARCH, "count_of_profiles": 160}],
        "fact_clv_decile": [
            {"metric": metric, "decile": n, "count_of_profiles": 20, "value": 1_000.0 / n,
             "p_alive": 0.5, "expected_purchases": 1.25, "historical_value": 600.0 / n,
             "residual_value": 400.0 / n, "revenue_after": 90.0 / n, "days_observed": 91}
            for metric in ("clv", "residual_value") for n in range(1, 11)
        ],
        "fact_profile_by_audience": [
            {"audience_id": i, "count_of_profiles": size, "contactable_email": size // 2,
             "clv": 10_000.0, "entered": size, "exited": 0} for i, _, size in audiences
        ],
        "fact_audience_overlap": [
            {"audience_id": "lapsed", "other_audience_id": "top", "count_of_profiles": 50}
        ],
        "fact_activation": [
            {"destination_id": "email_tool", "audience_id": "top", "members": 400, "held_out": 40,
             "without_consent": 100}
        ],
        "fact_response": [
            {"campaign_id": "c1", "clv_decile": n, "contacted": 100, "opened": 50 - n, "clicked": 10,
             "redeemed": 5, "responded_not_contacted": 2} for n in range(11)
        ] + [  # of nobody who is in an audience
            {"campaign_id": "c2", "clv_decile": 0, "contacted": 40, "opened": 10, "clicked": 4, "redeemed": 2,
             "responded_not_contacted": 0}
        ],
        "fact_response_by_audience": [
            {"campaign_id": "c1", "audience_id": "top", "contacted": 100, "opened": 40, "clicked": 8,
             "redeemed": 4, "responded_not_contacted": 0}
        ],
        "fact_model_quality": [
            {"model": name, "measure": "r", "value": 0.5, "kind": "parameter", "standard_error": 0.01,
             "is_champion": name == models[1]} for name in models
        ],
        "fact_identity": [
            {"aspect": "records_of_person", "item": str(n), "position": n, "value": 100.0 / n}
            for n in (1, 2, 3)
        ],
        "fact_quarantine": [
            {"source_system": "till", "target_table": "sources.event", "reason": "check:quantity",
             "rows": 7, "net_revenue": Decimal("12.30")}
        ],
        "fact_operation": [
            {"stage": stage, "measure": measure, "value": value, "kind": kind,
             "started_at": datetime(2026, 4, 1, 6, 30)}  # noqa: DTZ001 - Spark gives UTC without zone
            for stage, measure, value, kind in (
                ("ingest", "seconds", 12.34, "run"), ("ingest", "rows_written", 1_007.0, "run"),
                ("ingest", "rows_received", 1_007.0, "metric"), ("ingest", "rows_kept", 1_000.0, "metric"),
                ("history", "revenue", 20_000.0, "metric"), ("history", "revenue_anonymous", 1_000.0, "metric"),
                ("resolve", "pairwise_f1", 0.9805, "metric"), ("resolve", "id_stability", 0.9987, "metric"),
            )
        ],
        "fact_cohort_month": [
            {"cohort_month": month, "channel": "web", "age_months": age, "active_customers": 100 // (age + 1),
             "orders": 100, "net_revenue": Decimal("10.00"), "margin": Decimal("5.00")}
            for n, month in enumerate(months) for age in range(3 - n)
        ],
        "fact_customer_equity": [
            {"cohort_month": month, "channel": "web", "customers": 100, "active_customers": 40.0,
             "historical_value": 900.0, "residual_value": 300.0, "clv": 1_200.0} for month in months
        ],
        "fact_forecast": [
            {"month_starts_on": date(2026, month, 1), "ends_before": date(2026, month + 1, 1), "customers": 300,
             "expected_purchases": 50.0, "expected_value": 500.0,
             "actual_purchases": 40 if month < 6 else None,
             "actual_value": Decimal("400.00") if month < 6 else None} for month in (4, 5, 6)
        ],
        "fact_attribution": [
            {"method": method, "touchpoint_channel": channel, "campaign_id": campaign, "persons": 40, "orders": orders,
             "net_revenue": Decimal(revenue), "margin": Decimal(revenue) / 2}
            for method, *cells in (
                ("last", ("email", "c1", 30.5, "305.00"), ("direct", "none", 69.5, "695.00")),
                ("markov", ("email", "c1", 25.25, "252.50"), ("direct", "none", 74.75, "747.50")),
            )
            for channel, campaign, orders, revenue in cells
        ],
        "fact_sensitivity": [
            {"horizon_months": h, "annual_discount_rate": r, "customer_equity": h * 100.0 * (1 - r)}
            for h in (6, 12) for r in (0.05, 0.1)
        ],
        "clv.backtest": [
            {"model": name, "measure": measure, "value": value, "role": "candidate", "holdout_days": 182,
             "fold_origin": date(2025, 10, 1)}
            for name, predicted in (("BetaGeoModel", 900.0), ("ParetoNBDModel", 990.0))
            for measure, value in {"predicted_purchases": predicted, "actual_purchases": 1_000.0,
                                   "interval_coverage": 0.79}.items()
        ],
        "clv.backtest_decile": [
            {"model": name, "fold_origin": date(2025, 10, 1), "outcome": "purchases", "decile": n, "customers": 20,
             "mean_predicted": 2.0 / n, "mean_actual": 2.2 / n} for name in models for n in range(1, 11)
        ],
        "history.kpi": [
            {"period_starts_on": month, "kpi": kpi, "grain": "all_channels", "channel": "all", "value": value}
            for month in months for kpi, value in (("active_customers", 90.0), ("new_customers", 9.0),
                                                   ("retention_rate", 0.3), ("churn_rate", 0.1))
        ],
        "measurement.experiment": [
            {"audience_id": i, "outcome": "margin", "status": "measured", "treatment_persons": 360,
             "holdout_persons": 40, "treatment_mean": 3.0, "holdout_mean": 2.0, "difference": 1.0, "ci_low": low,
             "ci_high": 2.0, "p_value": 0.04, "p_value_adjusted": 0.08, "is_significant": low > 0,
             "sample_ratio_p_value": 0.9} for i, low in (("top", 0.2), ("lapsed", -0.5))
        ],
        "measurement.incremental_value": [
            {"audience_id": "top", "status": "measured", "treatment_persons": 360, "holdout_persons": 40,
             "incremental_margin": 450.0, "ci_low": -900.0, "ci_high": 1_800.0, "p_value": 0.3,
             "p_value_adjusted": 0.6, "is_significant": False}
        ],
        "measurement.effect": [
            {"audience_id": "top", "effect": "extra_clv_per_person", "kind": "predicted", "status": "measured",
             "value": 1.5, "ci_low": 0.5, "ci_high": 2.5}
        ],
    }  # fmt: skip
    return {name: dataset_rows(name, found.get(name, ())) for name in DATASETS}
