"""What is scored of a person depends on nobody else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clvspark.clv.config import ClvConfig
from clvspark.clv.fit import TRANSACTION_MODELS, ValueModels
from clvspark.clv.intervals import BOUNDS
from clvspark.clv.models import GammaGammaModel
from clvspark.clv.score import round_to_digits, score_batch
from clvspark.clv.uncertainty import ValueUncertainty

CONFIG = ClvConfig(value="revenue")  # type: ignore[call-arg]


@pytest.mark.parametrize("name", TRANSACTION_MODELS)
def test_equal_histories_are_worth_the_same_in_whatever_batch_they_are(
    name: str, cdnow: pd.DataFrame
) -> None:
    model = TRANSACTION_MODELS[name](time_unit="week").fit(cdnow)
    models = ValueModels(
        model, GammaGammaModel(time_unit="week").fit(cdnow[cdnow["frequency"] > 0])
    )
    columns = ["frequency", "recency", "T", "monetary_value"]
    history = (
        cdnow[columns]
        .assign(spend_days=cdnow["frequency"])[:: 40 if "Condensed" in name else 4]
        .reset_index(drop=True)
    )
    before = history.assign(frequency=0, recency=0.0, spend_days=0, monetary_value=0.0).add_prefix(
        "then_"
    )
    persons = pd.concat([history, before], axis=1).assign(
        person_id=history.index.astype(str), link_doubt=0.1
    )
    known = ValueUncertainty(
        model, models.spend, horizon=52, annual_discount_rate=0.1, sample=history
    )
    mixed = persons.sample(frac=1, random_state=7)

    def score(part: pd.DataFrame) -> pd.DataFrame:
        return score_batch(part, models, CONFIG, known).set_index(part["person_id"])

    whole = score(persons)
    assert (whole["residual_value_low"] <= whole["residual_value"]).all()
    assert (whole["residual_value_high"] >= whole["residual_value"]).all()
    assert whole[list(BOUNDS)].notna().all(axis=None), "whatever the champion"
    assert (whole["outcome_value_low"] <= whole["outcome_value_high"]).all()
    for size in (13, 97, 400):
        parts = [mixed[at : at + size] for at in range(0, len(mixed), size)]
        scored = pd.concat([score(part) for part in parts])
        pd.testing.assert_frame_equal(scored.loc[whole.index], whole, check_exact=True)


def test_values_keep_their_first_digits() -> None:
    given = np.array([0.0, 123456.784999, -0.00123456789, np.nan, np.inf, 1e-300, 5e-324])
    found = round_to_digits(given)
    assert found[:3] == pytest.approx([0.0, 123456.78, -0.0012345679], rel=1e-15)
    assert np.isnan(found[3])
    assert found[4] == np.inf
    assert (found[5:] == 0.0).all()
