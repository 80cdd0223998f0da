"""Figures of a small shop, without a lakehouse."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from support.report_rows import experiment, worth

from clvspark.reporting.figures import Figures

AS_OF = date(2026, 4, 1)


def decile(metric: str, number: int, **values: Any) -> dict[str, Any]:
    """One row of reporting.fact_clv_decile."""
    row = {
        "metric": metric,
        "decile": number,
        "count_of_profiles": 100,
        "value": 12_345.0 if number == 1 else 1_000.0,
        "min_value": 80.0,
        "p_alive": 0.5,
        "expected_purchases": 1.25,
        "historical_value": 8_345.0 if number == 1 else 500.0,
        "residual_value": 4_000.0 if number == 1 else 500.0,
        "revenue_after": 900.0 if number == 1 else 100.0,
    }
    return row | values


def response(campaign: str, number: int, contacted: int, opened: int) -> dict[str, Any]:
    """One row of reporting.fact_response with its campaign's name."""
    return {
        "campaign_id": campaign,
        "name": f"Campaign {campaign}",
        "clv_decile": number,
        "contacted": contacted,
        "opened": opened,
        "clicked": 1,
        "redeemed": 0,
        "responded_not_contacted": 2,
    }


@pytest.fixture
def nothing() -> Figures:
    """Return the figures of a lakehouse in which no stage has run."""
    return Figures(as_of=AS_OF, currency="EUR", window_days=91)


@pytest.fixture
def figures() -> Figures:
    """Return figures in which every section has something to show."""
    model = {"kind": "transaction", "standard_errors": {"r": 0.01}, "customers": 200}
    return Figures(
        as_of=AS_OF,
        currency="EUR",
        window_days=91,
        days_observed=91,
        horizon_days=364,
        value_kind="margin",
        first_day=date(2025, 1, 1),
        last_day=date(2026, 6, 30),
        profile=[
            {
                "lifecycle_stage": stage,
                "count_of_profiles": persons,
                "records": 2 * persons,
                "customer_equity": 4_500.0 * bool(persons == 200),
                "historical_value": 8_845.0 * bool(persons == 200),
            }
            for stage, persons in (("core", 200), ("prospect", 34))
        ],
        deciles=[decile(m, n) for m in ("clv", "residual_value", "revenue_all") for n in (1, 2)],
        audiences=[
            {
                "audience_id": i,
                "name": name,
                "count_of_profiles": size,
                "contactable_email": size // 2,
                "clv": 10_000.0,
                "entered": size,
                "exited": 0,
            }
            for i, name, size in (("top", "Top customers", 40), ("lapsed", "Lapsed", 20))
        ],
        overlap=[
            {"audience_id": "lapsed", "other_audience_id": "top", "count_of_profiles": 5},
        ],
        activation=[
            {
                "destination_id": "email_tool",
                "audience_id": "top",
                "members": 40,
                "without_consent": 10,
                "without_identifier": 1,
                "held_out": 4,
                "suppressed": 3,
                "waiting": 2,
                "dead": 0,
                "persons_added": 25,
                "persons_removed": 1,
                "entries_added": 24,
                "entries_removed": 1,
            }
        ],
        responses=[response("c1", 1, 50, 20), response("c1", 2, 50, 5), response("c2", 0, 10, 1)],
        models=[
            {
                **model,
                "name": name,
                "is_champion": name == "ParetoNBDModel",
                "parameters": {"r": r},
                "log_likelihood": -1234.5,
            }
            for name, r in (("BetaGeoModel", 0.2426), ("ParetoNBDModel", 0.5533))
        ],
        backtest=[
            {"model": name, "measure": measure, "value": value, "holdout_days": 182}
            for name, predicted in (("BetaGeoModel", 900.0), ("ParetoNBDModel", 990.0))
            for measure, value in {
                "predicted_purchases": predicted,
                "actual_purchases": 1_000.0,
            }.items()
        ],
        experiments=[experiment("top", -1.0, 2.0), experiment("lapsed", -2.0, 0.5)],
        incremental=[
            worth(experiment("top", -1.0, 2.0)),
            worth(experiment("lapsed", -2.0, 0.5)),
        ],
        quarantine=[
            {
                "source_system": "till",
                "target_table": "sources.event",
                "reason": "check:quantity",
                "rows": 7,
                "net_revenue": Decimal("12.30"),
            }
        ],
        record_counts=[{"records": 1, "persons": 150}, {"records": 10, "persons": 3}],
        runs=[
            {
                "stage": "ingest",
                "started_at": datetime(2026, 4, 1, 6, 30),  # noqa: DTZ001 - Spark gives UTC without zone
                "seconds": 12.34,
                "rows": {"sources.event": 1_000, "sources.quarantine": 7},
            }
        ],
        metrics={
            ("resolve", "pairwise_precision"): 0.99123,
            ("resolve", "pairwise_recall"): 0.97,
            ("resolve", "pairwise_f1"): 0.9805,
            ("resolve", "largest_person"): 6.0,
            ("resolve", "largest_true_person"): 6.0,
            ("history", "revenue"): 20_000.0,
            ("history", "revenue_anonymous"): 1_000.0,
            ("ingest", "rows_received"): 1_007.0,
            ("ingest", "rows_kept"): 1_000.0,
        },
    )
