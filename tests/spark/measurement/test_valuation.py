"""Values at the end of an experiment are those of the parameters known before it, whatever was fitted since."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from clvspark.clv import GammaGammaModel, NBDModel
from clvspark.clv.config import ClvConfig
from clvspark.clv.tables import MODEL
from clvspark.history.clv_summary import summarise_purchases
from clvspark.history.tables import ORDER, PERSON_DAY
from clvspark.lakehouse import Lakehouse
from clvspark.valuation import frozen_valuation

APRIL = date(2026, 4, 1)
JULY = APRIL + timedelta(days=91)
CONFIG = ClvConfig(value="revenue", horizon_days=364, annual_discount_rate=0.1)  # type: ignore[call-arg]
BOUGHT = {
    "ann": [(date(2025, 6, 1), 20), (date(2025, 9, 1), 30), (date(2026, 5, 5), 40)],
    "bob": [(date(2025, 6, 1), 10), (date(2025, 12, 1), 12)],
    "new": [(date(2026, 4, 20), 25)],
    "late": [(JULY, 99)],
}


def fit(shape: float) -> list[tuple[str, dict[str, object]]]:
    """Documents of a transaction and a spend model, the first by a population of this activity."""
    random = np.random.default_rng(5)
    age = random.uniform(20, 60, 500)
    purchases = random.poisson(random.gamma(shape, 0.05, 500) * age)
    recency = np.where(purchases > 0, age * random.random(500), 0.0)
    seen = {"frequency": purchases, "recency": recency, "T": age}
    spent = {"frequency": np.arange(1, 301) % 5 + 1, "monetary_value": random.gamma(4, 6, 300)}
    return [
        ("transaction", NBDModel(time_unit="week").fit(seen).to_dict()),
        ("spend", GammaGammaModel(time_unit="week").fit(spent).to_dict()),
    ]


def model_rows(as_of: date, shape: float) -> list[tuple[object, ...]]:
    return [
        (
            f"{kind} {as_of}", as_of, kind, document["model"], True, document["params"], {}, 0.0, 500,
            json.dumps(document), "revenue" if kind == "spend" else None, None,
        )
        for kind, document in fit(shape)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def lake(
    open_lake: Callable[[Path], Lakehouse], tmp_path_factory: pytest.TempPathFactory
) -> Lakehouse:
    lake = open_lake(tmp_path_factory.mktemp("valuation"))
    day = {"orders": 1, "refunds": 0, "margin": 0, "interactions": 0}
    rows = [
        {**day, "person_id": person, "day": on, "net_revenue": amount}
        for person, bought in BOUGHT.items()
        for on, amount in bought
    ]
    lake.overwrite(PERSON_DAY, PERSON_DAY.rows(lake.spark, rows))
    lake.overwrite(ORDER, ORDER.rows(lake.spark, []))
    return lake


def value(lake: Lakehouse, *persons: str, known_on: date = APRIL) -> dict[str, float] | None:
    people = lake.spark.createDataFrame([(person,) for person in persons], "person_id string")
    found = frozen_valuation(CONFIG).value_on(lake, people, known_on, JULY)
    return None if found is None else {row[0]: row[1] for row in found.collect()}


def test_without_a_model_nobody_is_valued(lake: Lakehouse) -> None:
    assert value(lake, "ann") is None


def test_histories_are_those_of_the_end_and_parameters_those_of_before(lake: Lakehouse) -> None:
    lake.overwrite(MODEL, lake.spark.createDataFrame(model_rows(APRIL, 1.0), MODEL.schema))
    found = value(lake, "ann", "bob", "new", "late")
    assert found is not None
    assert set(found) == {"ann", "bob", "new"}, (
        "who bought after the window was no customer by its end"
    )

    summary = summarise_purchases(lake.read(PERSON_DAY), as_of=JULY, lags_days=[0]).toPandas()
    summary = summary.assign(recency=summary["recency_days"] / 7, T=summary["t_days"] / 7)
    purchases, spend = (document for _, document in fit(1.0))
    repeats = NBDModel.from_dict(purchases).discounted_expected_residual_transactions(
        summary, annual_discount_rate=0.1, horizon=52
    )
    worth = np.asarray(repeats) * GammaGammaModel.from_dict(spend).expected_customer_spend(summary)
    expected = dict(zip(summary["person_id"], worth, strict=True))
    assert found == pytest.approx({name: expected[name] for name in found}, rel=1e-6)

    later = model_rows(JULY, 4.0)
    lake.append(MODEL, lake.spark.createDataFrame(later, MODEL.schema))
    assert value(lake, "ann", "bob", "new") == found
    assert value(lake, "ann", known_on=JULY) != {"ann": found["ann"]}
    assert value(lake, "ann", known_on=date(2026, 3, 1)) is None
