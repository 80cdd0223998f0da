"""The challenger: features before a date, what came after it, and the two parts."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from clvspark.clv import stage
from clvspark.clv.challenger.categories import category_features, list_categories
from clvspark.clv.challenger.challenge import build_examples, predict_by_features
from clvspark.clv.challenger.features import FEATURES, NEVER, build_features
from clvspark.clv.challenger.two_part import train_two_part
from clvspark.clv.config import ChallengerConfig, ClvConfig
from clvspark.clv.folds import Fold
from clvspark.history.config import RelationshipConfig
from clvspark.history.tables import INTERACTION, ORDER, PERSON_DAY
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import TrainingError
from clvspark.sources.tables import EVENT, PRODUCT
from clvspark.valuation import relationship_stages

MARCH = date(2026, 3, 1)
CATEGORIES = "order_id string, category string"
ANSWERS = "person_id string, answered_at timestamp, score int"


def day(person: str, ago: int, amount: float, *, orders: int = 1) -> dict[str, object]:
    """What a person did so many days before March."""
    on = MARCH - timedelta(days=ago)
    return {
        "person_id": person, "day": on, "orders": orders, "refunds": 1 - orders,
        "net_revenue": amount, "margin": amount / 2, "interactions": 0,
    }  # fmt: skip


def order(person: str, ago: int, store: str | None) -> dict[str, object]:
    return {
        "order_id": f"{person}-{ago}", "person_id": person,
        "ordered_at": f"{MARCH - timedelta(days=ago)} 12:00:00", "channel": "till" if store else "web",
        "store_id": store, "is_purchase": True, "lines": 1, "net_revenue": 10, "cost": 5, "margin": 5,
    }  # fmt: skip


def contact(person: str, ago: int, kind: str) -> dict[str, object]:
    at = f"{MARCH - timedelta(days=ago)} 12:00:00"
    return {
        "event_id": f"e:{person}-{ago}-{kind}", "person_id": person, "occurred_at": at,
        "interaction_type": kind, "channel": "email",
    }  # fmt: skip


PAST = [day("p1", 100, 50.0), day("p1", 40, 30.0), day("p1", 10, -5.0, orders=0), day("p2", 1, 8.0)]
FUTURE = [day("p1", 0, 900.0), day("p2", -5, 900.0), day("p3", -5, 900.0)]


def features(spark: SparkSession, days: list[dict[str, object]], later: int = 0) -> pd.DataFrame:
    orders = [order("p1", 100, "s1"), order("p1", 40, None), order("p2", 1, None)]
    contacts = [contact("p1", 20, "email_sent"), contact("p1", 60, "email_sent"),
                contact("p1", 19, "email_opened"), contact("p1", 200, "visit")]  # fmt: skip
    contacts += [contact("p1", -number, "email_opened") for number in range(later)]
    answered = [("p1", datetime.combine(MARCH, time(12)) - timedelta(days=n), n) for n in (8, 3)]
    bought = [("p1-100", "wine"), ("p1-100", "bread"), ("p1-40", "oil"), ("p2-1", "wine")]
    bought += [(f"p2-{-number}", "salt") for number in range(later)]
    found = build_features(
        PERSON_DAY.rows(spark, days),
        ORDER.rows(spark, orders + [order("p2", -number, "s9") for number in range(later)]),
        INTERACTION.rows(spark, contacts),
        spark.createDataFrame(answered, ANSWERS),
        dates=[MARCH],
        value="revenue",
        categories=spark.createDataFrame(bought, CATEGORIES),
        stages=relationship_stages(RelationshipConfig()),  # type: ignore[call-arg]
    )
    return found.toPandas().set_index("person_id").sort_index()


def test_features_are_what_was_known(spark: SparkSession) -> None:
    found = features(spark, PAST)
    expected = {
        "tenure": 100, "since_purchase": 40, "purchase_days": 2, "spend": 75, "spend_a_day": 37.5,
        "interval": 60, "overdue": 40 / 60, "refunds": 1, "purchases_30": 0, "purchases_91": 1,
        "purchases_182": 2, "spend_30": -5, "channels": 2, "store_share": 0.5, "since_store": 100,
        "since_elsewhere": 40, "since_contact": 19, "emails_30": 1, "emails_91": 2, "visits_182": 0,
        "response_rate": 0.5, "survey_score": 3,
        # Wine was bought twice; of bread and oil, once each, the first by name.
        "since_category_1": 100, "since_category_2": 100, "since_category_3": 40, "since_category_4": NEVER,
        "stage": 2,  # growing
    }  # fmt: skip
    assert found.loc["p1", list(expected)].to_dict() == pytest.approx(expected)
    none = {"interval": NEVER, "overdue": NEVER, "since_store": NEVER, "survey_score": NEVER}
    none |= {"since_category_1": 1, "since_category_2": NEVER, "stage": 1}
    assert found.loc["p2", list(none)].to_dict() == none


def test_nothing_of_the_date_or_later_is_in_the_features(spark: SparkSession) -> None:
    pd.testing.assert_frame_equal(features(spark, PAST), features(spark, PAST + FUTURE, later=3))


def test_categories_have_the_places_of_the_first_date_on_all_dates(spark: SparkSession) -> None:
    bought = [
        (person, f"{person}-{ago}", day, ago - before)
        for person, ago in (("p1", 90), ("p2", 80), ("p1", 5), ("p2", 4), ("p3", 3))
        for day, before in ((MARCH - timedelta(days=28), 28), (MARCH, 0))
        if ago > before
    ]
    # Salt is bought most in the end, and only once before the first date.
    told = [
        ("p1-90", "oil"),
        ("p2-80", "oil"),
        ("p2-80", "salt"),
        *((f"p{n}-{6 - n}", "salt") for n in (1, 2, 3)),
    ]
    found = category_features(
        spark.createDataFrame(
            bought, "person_id string, order_id string, features_on date, ago int"
        ),
        spark.createDataFrame(told, CATEGORIES),
        dates=[MARCH, MARCH - timedelta(days=28)],
    )
    rows = {(row["person_id"], row["features_on"]): tuple(row)[2:4] for row in found.collect()}
    early = MARCH - timedelta(days=28)
    assert rows == {
        ("p1", early): (62, None), ("p2", early): (52, 52), ("p1", MARCH): (90, 5), ("p2", MARCH): (80, 4),
        ("p3", MARCH): (None, 3),
    }  # fmt: skip


def test_categories_are_those_of_the_products_of_an_order(spark: SparkSession) -> None:
    lines = [
        ("order", "o1", "rose"),
        ("order", "o1", "fern"),
        ("refund", "o1", "oak"),
        ("order", "o2", None),
    ]
    events = [
        {"event_type": kind, "order_id": number, "product_id": name} for kind, number, name in lines
    ]
    products = [("rose", "flower"), ("fern", "flower"), ("oak", "tree")]
    known = [{"product_id": name, "category": kind} for name, kind in products]
    found = list_categories(EVENT.rows(spark, events), PRODUCT.rows(spark, known))
    assert [tuple(row) for row in found.collect()] == [("o1", "flower")]


def examples(chance: np.random.Generator, persons: int) -> pd.DataFrame:
    """Who has bought lately, which all features tell, buys again, for ten in the middle."""
    lately = chance.integers(0, 2, persons).astype(float)
    frame = pd.DataFrame(dict.fromkeys(FEATURES, lately))
    buys = chance.random(persons) < np.where(frame["purchases_30"] > 0, 0.8, 0.1)
    amount = 10 * np.exp(chance.normal(0.0, 0.5, persons))
    return frame.assign(purchases_after=buys.astype(float), value_after=np.where(buys, amount, 0.0))


def test_two_parts_and_smearing_give_the_mean_of_what_came(spark: SparkSession) -> None:
    rows = examples(np.random.default_rng(4), 2_000)
    model = train_two_part(spark.createDataFrame(rows), ChallengerConfig(trees=5, depth=2))  # type: ignore[call-arg]
    found = model.predict(spark.createDataFrame(rows)).toPandas()
    means = found.groupby("purchases_30")[
        ["predicted_purchases", "purchases_after", "predicted_value", "value_after"]
    ].mean()
    assert means["predicted_purchases"].to_numpy() == pytest.approx(
        means["purchases_after"], rel=0.1
    )
    assert means["predicted_value"].to_numpy() == pytest.approx(means["value_after"], rel=0.1)
    # exp(mean of logs) alone would be too low by exp(0.5 ** 2 / 2) = 1.13.
    assert model.smearing["value"] == pytest.approx(np.exp(0.125), rel=0.05)


def test_too_few_buyers_are_refused_with_their_number(spark: SparkSession) -> None:
    rows = examples(np.random.default_rng(4), 60).assign(purchases_after=0.0)
    with pytest.raises(TrainingError, match=r"of 60 persons 0 bought .* at least 50"):
        train_two_part(spark.createDataFrame(rows), ChallengerConfig())  # type: ignore[call-arg]


def random_days(spark: SparkSession, price_after: float) -> DataFrame:
    """300 persons over a year; what is bought from March on costs as given."""
    chance = np.random.default_rng(9)
    rows = {
        (f"p{person}", int(ago))
        for person in range(300)
        for ago in chance.integers(-28, 200, chance.integers(1, 9))
    }
    return PERSON_DAY.rows(
        spark, [day(person, ago, 10.0 if ago > 0 else price_after) for person, ago in sorted(rows)]
    )


def test_scores_of_surveys_are_read_from_the_interactions(lake: Lakehouse) -> None:
    said = {**contact("p1", 30, "survey_answer"), "score": 7}
    lake.overwrite(PERSON_DAY, PERSON_DAY.rows(lake.spark, PAST))
    contacts = [said, contact("p1", 29, "visit")]
    lake.overwrite(INTERACTION, INTERACTION.rows(lake.spark, contacts))
    config = ClvConfig(value="revenue", holdout_days=28)  # type: ignore[call-arg]
    found = stage._examples(lake, [Fold(MARCH, 28)], config).where(f"features_on = DATE'{MARCH}'")
    scores = {row["person_id"]: row["survey_score"] for row in found.collect()}
    assert scores == {"p1": 7, "p2": NEVER}


def test_a_fold_learns_nothing_of_its_own_holdout(spark: SparkSession) -> None:
    config = ClvConfig(value="revenue", holdout_days=28)  # type: ignore[call-arg]
    folds = [Fold(MARCH, 28)]
    empty = [spark.createDataFrame([], table.schema) for table in (ORDER, INTERACTION)]
    answers = spark.createDataFrame([], ANSWERS)

    def predict(price: float) -> pd.DataFrame:
        days = random_days(spark, price)
        rows = build_examples(days, *empty, answers, folds=folds, config=config)
        found, reasons = predict_by_features(rows.localCheckpoint(), folds, config)
        assert reasons == {}
        assert found is not None
        return found.where("outcome = 'value'").toPandas()

    cheap, dear = (predict(price).sort_values("predicted") for price in (10.0, 900.0))
    assert cheap["predicted"].to_numpy() == pytest.approx(dear["predicted"].to_numpy())
    assert dear["actual"].sum() == pytest.approx(90 * cheap["actual"].sum())
