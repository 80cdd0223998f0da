"""Models of customers told apart by labels: everybody is asked for with parameters of their own."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.buyers import customers_who_die, customers_who_drop_out

from clvspark.clv import ModifiedBetaGeoModel, ParetoNBDModel
from clvspark.clv.config import ClvConfig
from clvspark.clv.covariate_models import CovariateModels, fit_with_covariates
from clvspark.clv.decline import chance_of_so_few
from clvspark.clv.fit import ValueModels, restore_transaction_model
from clvspark.clv.label_encoding import OTHERS, LabelEncoding, learn_encoding
from clvspark.clv.label_models import count_parameters, drop_labels
from clvspark.clv.label_uncertainty import UncertaintyByLabel
from clvspark.clv.models import GammaGammaModel, NormalNormalModel
from clvspark.clv.models.errors import DegenerateDataError
from clvspark.clv.score import score_batch, value_histories
from clvspark.clv.segments import fit_by_segment
from clvspark.clv.spend import SpendModel
from clvspark.clv.uncertainty import ValueUncertainty

CONFIG = ClvConfig(value="revenue")  # type: ignore[call-arg]
TRUTH = {
    "r": 0.8, "alpha": 6.0, "s": 0.7, "beta": 12.0,
    "purchase_coefficient_alpha_web": 0.5, "dropout_coefficient_beta_web": -0.4,
}  # fmt: skip


def known(model: SpendModel) -> SpendModel:
    """The model with parameters known to about a percent."""
    return model.with_unconstrained(model.unconstrained(), covariance=np.eye(3) * 1e-4)


GAMMA = known(GammaGammaModel.from_params({"p": 6.0, "q": 4.0, "v": 15.0}, time_unit="week"))
NORMAL = known(
    NormalNormalModel.from_params({"mu": 5.0, "tau": 8.0, "sigma": 10.0}, time_unit="week")
)
LEVELS = LabelEncoding({"channel": ("store", "web", OTHERS), "consent": ("no", "yes")})


def customers(n: int = 4_000, seed: int = 21) -> pd.DataFrame:
    """Pareto/NBD customers of two channels, one of which buys more and leaves later."""
    rows = customers_who_die(TRUTH, n=n, seed=seed)
    channel = np.where(rows["web"] == 1, "web", "store")
    return rows.drop(columns=["web", "age"]).assign(channel=channel, weight=1.0)


def fitted(rows: pd.DataFrame) -> CovariateModels:
    return fit_with_covariates(rows, columns=["channel"], kind=ParetoNBDModel, time_unit="week")


@pytest.fixture(scope="module")
def models() -> CovariateModels:
    return fitted(customers())


@pytest.mark.parametrize(
    ("labels", "key", "ones"),
    [
        (("store", "no"), ("store", "no"), set()),
        (("web", "yes"), ("web", "yes"), {"channel_is_web", "consent_is_yes"}),
        (("fair", "no"), (OTHERS, "no"), {"channel_is_other"}),
        ((None, "maybe"), (OTHERS, "no"), {"channel_is_other"}),
    ],
)
def test_a_label_is_its_level_or_one_of_the_others_or_the_commonest(
    labels: tuple[str | None, ...], key: tuple[str, ...], ones: set[str]
) -> None:
    assert LEVELS.key_of(labels) == key
    assert {name for name, one in LEVELS.indicate(labels).items() if one} == ones
    assert list(LEVELS.indicate(labels)) == ["channel_is_web", "channel_is_other", "consent_is_yes"]


def test_levels_are_those_of_enough_repeat_buyers() -> None:
    histories = pd.DataFrame(
        [
            ("store", "de", 1, 50.0), ("web", "de", 2, 30.0), ("fair", "de", 1, 12.0),
            ("mail", "de", 3, 8.0), ("call", "at", 0, 900.0), ("web", "at", 1, 2.0),
        ],
        columns=["channel", "country", "frequency", "weight"],
    )  # fmt: skip
    # Of another country only two have come back: it says nothing.
    assert learn_encoding(histories, ["channel", "country"]).levels == {
        "channel": ("store", "web", OTHERS)
    }
    few = histories[histories["channel"] != "mail"]
    assert learn_encoding(few, ["channel"]).levels == {"channel": ("store", "web")}


@given(st.lists(st.text(min_size=1, max_size=3), min_size=2, max_size=6, unique=True))
def test_indicators_have_different_names_that_a_registry_takes(levels: list[str]) -> None:
    names = list(LabelEncoding({"channel": ("store", *levels)}).indicators)
    assert len(set(names)) == len(levels)
    assert all(name.isascii() and name.isidentifier() for name in names)


def test_coefficients_are_recovered_and_everybody_has_own_parameters(
    models: CovariateModels,
) -> None:
    found = models.fitted
    for name, truth in (
        ("purchase_coefficient_alpha_channel_is_web", 0.5),
        ("dropout_coefficient_beta_channel_is_web", -0.4),
    ):
        sign = 1.0 if models.encoding.levels["channel"][0] == "store" else -1.0
        other = name if sign > 0 else name.replace("web", "store")
        error = found.standard_errors_[other]
        assert sign * found.params_[other] == pytest.approx(truth, abs=3 * error)
    rows = customers(6)
    own = models.customer_parameters(rows)
    indicators = models.encoding.indicate_rows(rows)
    pd.testing.assert_frame_equal(own, found.customer_parameters(indicators))
    assert own.groupby(rows["channel"])["alpha"].nunique().eq(1).all()


def test_predictions_are_those_of_the_model_with_covariates(models: CovariateModels) -> None:
    rows = customers(300, seed=5)
    indicators = models.encoding.indicate_rows(rows)
    whole = models.fitted
    np.testing.assert_allclose(
        models.expected_purchases(rows, future_t=26),
        whole.expected_purchases(indicators, future_t=26),
    )
    assert models.log_likelihood(customers()) == pytest.approx(models.log_likelihood_)
    shares = customers()["channel"].value_counts(normalize=True)
    new = sum(
        share * models.model_of((channel,)).expected_purchases_new_customer(t=52.0)
        for channel, share in shares.items()
    )
    assert models.expected_purchases_new_customer(t=52.0) == pytest.approx(new)


def test_the_covariance_of_own_parameters_is_that_of_the_estimates(models: CovariateModels) -> None:
    """log alpha_i = log alpha - coefficient z: of the reference its own error, of others that of the sum."""
    whole, (reference, other) = models.fitted, models.encoding.levels["channel"]
    covariance = whole.log_covariance_
    at = list(whole.params_).index(f"purchase_coefficient_alpha_channel_is_{other}")
    plain, moved = (models.model_of((level,)).log_covariance_ for level in (reference, other))
    np.testing.assert_allclose(plain, covariance[:4, :4])
    by_hand = covariance[1, 1] - 2 * covariance[1, at] + covariance[at, at]
    assert moved[1, 1] == pytest.approx(by_hand)


def test_what_is_the_same_for_all_is_no_covariate() -> None:
    rows = customers(500).assign(channel="store")
    with pytest.raises(DegenerateDataError, match="by channel too few repeat customers differ"):
        fitted(rows)


def test_documents_keep_what_is_needed_to_predict(models: CovariateModels) -> None:
    rows = customers(60, seed=3)
    segments = fit_by_segment(
        customers().assign(place=lambda f: np.arange(len(f)) % 4),
        segment_columns=["channel", "place"],
        model=ModifiedBetaGeoModel(time_unit="week"),
    )
    rows["place"] = np.arange(len(rows)) % 5
    for model in (models, segments):
        again = restore_transaction_model(json.loads(json.dumps(model.to_dict())))
        assert type(again) is type(model)
        np.testing.assert_array_equal(
            again.expected_purchases(rows, future_t=26),
            model.expected_purchases(rows, future_t=26),
        )
        assert again.to_dict() == model.to_dict()
    assert count_parameters(segments) == 4 * len(segments.fits) == 32
    assert count_parameters(models) == 6


def test_without_labels_histories_are_those_of_all_customers() -> None:
    rows = pd.DataFrame(
        [
            (1, 2.0, 9.0, "store", 0.5, 3), (1, 2.0, 9.0, "web", 0.9, 1), (0, 0.0, 4.0, "web", 0.0, 2),
        ],
        columns=["frequency", "recency", "T", "channel", "log_intervals", "weight"],
    )  # fmt: skip
    expected = pd.DataFrame(
        [(0, 0.0, 4.0, 0.0, 2), (1, 2.0, 9.0, 0.6, 4)],
        columns=["frequency", "recency", "T", "log_intervals", "weight"],
    )
    pd.testing.assert_frame_equal(drop_labels(rows, ["channel"]), expected)


def persons(rows: pd.DataFrame, spend: float) -> pd.DataFrame:
    """Rows as the stage scores them: now, and as they were when nobody had come back."""
    history = rows[["frequency", "recency", "T"]].assign(
        spend_days=rows["frequency"], monetary_value=spend
    )
    then = history.assign(frequency=0, recency=0.0, spend_days=0, monetary_value=0.0)
    keys = {"person_id": rows.index.astype(str), "link_doubt": 0.1}
    found = history.join(then.add_prefix("then_")).assign(channel=rows["channel"], **keys)
    return found.assign(then_T=lambda f: np.maximum(f["T"] - 13.0, 0.0))


def uncertainty(
    models: CovariateModels, spend: SpendModel, sample: pd.DataFrame
) -> UncertaintyByLabel:
    return UncertaintyByLabel(
        models, spend, horizon=52.0, annual_discount_rate=0.1, sample=sample, level=0.8, share=0.1
    )


@pytest.mark.parametrize(
    ("spend", "amount"), [(GAMMA, 30.0), (NORMAL, -4.0)], ids=["gamma", "normal"]
)
def test_each_is_scored_as_by_the_model_of_their_channel_alone(
    models: CovariateModels, spend: SpendModel, amount: float
) -> None:
    batch = persons(customers(400, seed=8), amount)
    bounds = uncertainty(models, spend, batch)
    together = score_batch(batch, ValueModels(models, spend), CONFIG, bounds)
    for channel, rows in batch.groupby("channel"):
        own = models.model_of((channel,))
        alone = ValueUncertainty(own, spend, horizon=52.0, annual_discount_rate=0.1, sample=rows)
        expected = score_batch(rows.drop(columns="channel"), ValueModels(own, spend), CONFIG, alone)
        found = together.loc[rows.index].drop(columns="p_top_decile")
        pd.testing.assert_frame_equal(
            found, expected.drop(columns="p_top_decile").set_axis(rows.index)
        )
    residual = together["residual_value"]
    assert (together["residual_value_low"] <= residual).all()
    assert (together["residual_value_high"] >= residual).all()
    if spend is NORMAL:
        assert (residual < 0).any()


def test_chances_of_the_top_decile_are_among_all_customers(models: CovariateModels) -> None:
    batch = persons(customers(2_000, seed=8), 30.0)
    found = uncertainty(models, GAMMA, batch).describe(batch)
    assert found["p_top_outcome"].mean() == pytest.approx(0.1, abs=1e-3)
    by_channel = found["p_top_outcome"].groupby(batch["channel"]).mean()
    assert by_channel["web"] > 1.2 * by_channel["store"]
    assert found["p_top_expected"].mean() == pytest.approx(0.1, abs=0.01)


def test_the_chance_of_so_few_is_by_own_rates(models: CovariateModels) -> None:
    then = pd.DataFrame({"frequency": 4, "recency": 30.0, "T": 40.0, "channel": ["store", "web"]})
    found = chance_of_so_few(models, then, np.zeros(2), CONFIG)
    for label, chance in zip(then["channel"], found, strict=True):
        own = models.model_of((label,))
        assert chance == pytest.approx(chance_of_so_few(own, then[:1], np.zeros(1), CONFIG)[0])
    assert found[1] < found[0], "who buys more often is rather missed"


def test_values_by_segment_are_those_of_the_segment() -> None:
    rows = customers_who_drop_out(
        {"r": 0.6, "alpha": 5.0, "a": 0.8, "b": 2.5}, n=3_000, seed=4, initial_chances=1
    ).assign(channel=lambda f: [f"c{i % 4}" for i in range(len(f))])
    segments = fit_by_segment(
        rows, segment_columns=["channel"], model=ModifiedBetaGeoModel(time_unit="week")
    )
    batch = persons(rows[:200], 20.0)
    batch.loc[batch.index[::9], "channel"] = "new"
    value = value_histories(
        batch, ValueModels(segments, GAMMA), horizon=52.0, annual_discount_rate=0.1
    )["p_alive"]
    for channel, members in batch.groupby("channel"):
        own = segments.whole if channel == "new" else segments.fits[(channel,)].model
        np.testing.assert_allclose(
            value[batch.index.get_indexer(members.index)], own.expected_probability_alive(members)
        )
    bounds = UncertaintyByLabel(
        segments, GAMMA, horizon=52.0, annual_discount_rate=0.1, sample=batch, level=0.8, share=0.1
    ).describe(batch)
    width = bounds["p_alive_high"] - bounds["p_alive_low"]
    assert (width >= 0).all()
    assert (width > 0).any()
