"""Covariates, segments and signed spend by configuration: fitted, judged, kept and scored by the stage."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from clvspark.clv import stage
from clvspark.clv.candidates import by_segment, with_covariates
from clvspark.clv.config import BacktestConfig, ChallengerConfig, ClvConfig, SegmentsConfig
from clvspark.clv.fit import model_columns, restore_transaction_model
from clvspark.clv.label_models import ModelsByLabel
from clvspark.clv.tables import BACKTEST, CUSTOMER_VALUE, MODEL, SEGMENT_MODEL
from clvspark.history.clv_summary import summarise_purchases
from clvspark.history.tables import CLV_SUMMARY, ORDER, PERSON_DAY
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.tracking import open_tracker

AS_OF = date(2026, 4, 1)
FAMILY = "ParetoNBDModel"
PLAIN = ClvConfig(
    value="margin",
    models=[FAMILY],
    champion_by="log_likelihood",
    backtest=BacktestConfig(folds=1),  # type: ignore[call-arg]
    challenger=ChallengerConfig(enabled=False),  # type: ignore[call-arg]
    spend_model="NormalNormalModel",
)  # type: ignore[call-arg]
CONFIG = PLAIN.model_copy(
    update={
        "covariates": ["acquisition_channel"],
        "segments": SegmentsConfig(by=["acquisition_channel"], min_customers=60),  # type: ignore[call-arg]
    }
)
# Days between purchases of the typical customer, by channel of the first one.
CHANNELS = {"store": 15.0, "web": 30.0, "app": 60.0, "fair": 45.0}


def purchases(persons: int = 900, seed: int = 2) -> list[dict[str, object]]:
    """Purchases of people who buy as often as their first channel says; some of them cost more than they bring."""
    chance, rows = np.random.default_rng(seed), []
    for person in range(persons):
        # Of the fair there are few: it cannot be fitted alone.
        channel = "fair" if person % 30 == 0 else list(CHANNELS)[person % 3]
        rate = chance.gamma(1.2, 1 / 1.2) / CHANNELS[channel]
        at, end = float(chance.integers(0, 250)), 540.0
        last = min(end, at + chance.exponential(1 / chance.gamma(0.8, 1 / 160)))
        mean, seen = chance.normal(6.0, 8.0), set()
        while at < last:
            seen.add(int(at))
            at += chance.exponential(1 / max(rate, 1e-6))
        for number, day in enumerate(sorted(seen)):
            rows.append(
                {
                    "person_id": f"p{person}",
                    "day": AS_OF - timedelta(days=540 - day),
                    "channel": channel if number == 0 else "web",
                    "margin": round(float(chance.normal(mean, 9.0)), 2),
                }
            )
    return rows


def write(lake: Lakehouse, rows: list[dict[str, object]]) -> None:
    days = [row | {"orders": 1, "net_revenue": 50.0} for row in rows]
    orders = [
        row
        | {
            "order_id": f"{row['person_id']} {row['day']}",
            "ordered_at": datetime.combine(row["day"], time(12), UTC),  # type: ignore[arg-type]
            "row_type": "purchase",
            "is_purchase": True,
            "net_revenue": 50.0,
            "cost": 50.0 - row["margin"],  # type: ignore[operator]
        }
        for row in rows
    ]
    person_days = PERSON_DAY.rows(lake.spark, days)
    lake.overwrite(PERSON_DAY, person_days)
    lake.overwrite(ORDER, ORDER.rows(lake.spark, orders))
    summary = summarise_purchases(person_days, as_of=AS_OF, lags_days=CONFIG.lags_days)
    lake.overwrite(CLV_SUMMARY, summary)


@pytest.fixture(scope="module")
def ran(
    open_lake: Callable[[Path], Lakehouse], tmp_path_factory: pytest.TempPathFactory
) -> SimpleNamespace:
    """Both stages run once with covariates and segments."""
    lake = open_lake(tmp_path_factory.mktemp("candidates"))
    rows = purchases()
    write(lake, rows)
    with lake.writing("fit"):
        report = stage.run_fit(lake, CONFIG, AS_OF)
        stage.run_score(lake, CONFIG, AS_OF)
    first = pd.DataFrame(rows).groupby("person_id").first()
    summary = model_columns(lake.read(CLV_SUMMARY).where("lag_days = 0"), "margin").toPandas()
    return SimpleNamespace(
        lake=lake,
        report=report,
        models={row["name"]: row for row in lake.read(MODEL).collect()},
        summary=summary.set_index("person_id").assign(acquisition_channel=first["channel"]),
        values=lake.read(CUSTOMER_VALUE).toPandas().set_index("person_id"),
    )


def test_all_of_a_family_are_judged_on_the_same_folds_and_one_is_champion(
    ran: SimpleNamespace,
) -> None:
    names = {FAMILY, with_covariates(FAMILY), by_segment(FAMILY)}
    rows = ran.lake.read(BACKTEST).where("role = 'candidate' AND measure = 'log_likelihood'")
    judged = {row["model"]: row["value"] for row in rows.collect()}
    assert set(judged) == names
    # The channel tells much here: whoever knows it explains the purchases better.
    assert judged[FAMILY] + 20 < min(judged[name] for name in names - {FAMILY})
    errors = ran.lake.read(BACKTEST).where("measure IN ('mae', 'value_mae')").collect()
    assert {row["model"] for row in errors} >= names
    champions = {name for name, row in ran.models.items() if row["is_champion"]}
    best = max(judged, key=judged.__getitem__)
    assert champions == {best, "NormalNormalModel"}


def test_coefficients_are_kept_with_the_model(ran: SimpleNamespace) -> None:
    parameters = ran.models[with_covariates(FAMILY)]["parameters"]
    effect = "purchase_coefficient_alpha_acquisition_channel_is"
    # Against those who came by the web, whose repeat buyers are the most: twice as often, and half.
    for channel, times in (("store", 2.0), ("app", 0.5)):
        error = ran.models[with_covariates(FAMILY)]["standard_errors"][f"{effect}_{channel}"]
        assert parameters[f"{effect}_{channel}"] == pytest.approx(np.log(times), abs=3 * error)


def test_segments_are_kept_with_where_their_parameters_come_from(ran: SimpleNamespace) -> None:
    rows = {row["segment"]: row for row in ran.lake.read(SEGMENT_MODEL).collect()}
    assert set(rows) == set(CHANNELS)
    assert {row["model_id"] for row in rows.values()} == {
        ran.models[by_segment(FAMILY)]["model_id"]
    }
    assert {name: row["status"] for name, row in rows.items()} == {
        "store": "fitted", "web": "fitted", "app": "fitted", "fair": "pooled",
    }  # fmt: skip
    assert rows["fair"]["reason"] == "fewer than 60 customers"
    assert rows["fair"]["labels"] == {"acquisition_channel": "fair"}
    sizes = ran.summary["acquisition_channel"].value_counts()
    assert {name: row["customers"] for name, row in rows.items()} == sizes.to_dict()
    rate = {name: row["parameters"]["r"] / row["parameters"]["alpha"] for name, row in rows.items()}
    assert rate["store"] > rate["web"] > rate["app"]


def test_everybody_is_valued_with_the_parameters_of_their_channel(ran: SimpleNamespace) -> None:
    (row,) = (
        row for row in ran.models.values() if row["is_champion"] and row["kind"] == "transaction"
    )
    model = restore_transaction_model(json.loads(row["document"]))
    assert isinstance(model, ModelsByLabel)
    summary = ran.summary.loc[ran.values.index]
    assert (ran.values["model_id"] == row["model_id"]).all()
    for channel, members in summary.groupby("acquisition_channel"):
        own = model.model_of((channel,))
        np.testing.assert_allclose(
            ran.values.loc[members.index, "expected_purchases"],
            own.expected_purchases(members, future_t=52.0),
            rtol=1e-7,
        )
    assert ran.values["p_top_decile"].mean() == pytest.approx(0.1, abs=0.02)


def test_losses_are_seen_and_priced(ran: SimpleNamespace) -> None:
    assert ran.report.warnings == []
    assert ran.report.metrics["repeat buyers without positive spend"] > 50
    spend = ran.models["NormalNormalModel"]
    assert (spend["kind"], spend["priced"]) == ("spend", "margin")
    repeaters = ran.summary["frequency"] > 0
    assert spend["customers"] == repeaters.sum()
    assert spend["parameters"]["mu"] == pytest.approx(6.0, abs=3 * spend["standard_errors"]["mu"])
    losers = ran.values["residual_value"] < -1
    assert losers.sum() > 50
    bounds = ran.values.loc[losers]
    assert (bounds["residual_value_low"] <= bounds["residual_value"]).all()
    assert (bounds["residual_value_high"] >= bounds["residual_value"]).all()


def test_the_alias_is_of_the_champion_alone(ran: SimpleNamespace) -> None:
    tracker = open_tracker(None, CONFIG.experiment, ran.lake.storage.local_root)
    registered = tracker._client.search_registered_models()
    champions = {f"clvspark.{n}" for n, row in ran.models.items() if row["is_champion"]}
    assert {model.name for model in registered} == {f"clvspark.{name}" for name in ran.models}
    assert {model.name for model in registered if model.aliases} == champions


def test_a_fit_without_segments_takes_theirs_back(ran: SimpleNamespace) -> None:
    lake = ran.lake
    with lake.writing("fit"):
        stage.run_fit(lake, PLAIN, AS_OF)
        assert stage.run_fit(lake, PLAIN, AS_OF).status == "unchanged"
    assert lake.read(SEGMENT_MODEL).isEmpty()
    assert {row["name"] for row in lake.read(MODEL).collect()} == {FAMILY, "NormalNormalModel"}
