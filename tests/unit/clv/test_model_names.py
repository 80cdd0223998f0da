"""Short names of models."""

from __future__ import annotations

import pytest

from clvspark.clv import (
    BetaGeoBetaBinomModel,
    BetaGeoModel,
    CondensedBetaGeoModel,
    GammaGammaModel,
    ModifiedBetaGeoModel,
    NBDModel,
    ParetoNBDModel,
    ShiftedBetaGeoModel,
    TimeUnit,
)
from clvspark.clv.models.errors import InvalidArgumentError
from clvspark.clv.names import make_model
from clvspark.lakehouse.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("bg_nbd", BetaGeoModel),
        ("mbg_nbd", ModifiedBetaGeoModel),
        ("pareto_nbd", ParetoNBDModel),
        ("nbd", NBDModel),
        ("bg_bb", BetaGeoBetaBinomModel),
        ("sbg", ShiftedBetaGeoModel),
        ("gamma_gamma", GammaGammaModel),
    ],
)
def test_each_name_is_a_model(name: str, kind: type) -> None:
    model = make_model(name, time_unit="month")
    assert type(model) is kind
    assert model.time_unit is TimeUnit.MONTH


@pytest.mark.parametrize("k", range(1, 13))
@pytest.mark.parametrize(("family", "at_first"), [("bg_cnbd", False), ("mbg_cnbd", True)])
def test_the_number_of_a_name_is_the_regularity(family: str, at_first: bool, k: int) -> None:
    model = make_model(f"{family}_{k}", time_unit="week")
    assert isinstance(model, CondensedBetaGeoModel)
    assert (model.regularity, model.dropout_at_first_purchase) == (k, at_first)


@pytest.mark.parametrize(
    "name",
    ["bg_cnbd_0", "bg_cnbd_13", "bg_cnbd_K", "bg_cnbd_02", "bg_cnbd", "pareto", "", "BG_NBD"],
)
def test_other_names_are_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(ConfigError, match="bg_nbd, mbg_nbd, bg_cnbd_K, mbg_cnbd_K, pareto_nbd"):
        make_model(name, time_unit="week")


def test_a_close_name_is_proposed() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'pareto_nbd'"):
        make_model("paretonbd", time_unit="week")
    with pytest.raises(InvalidArgumentError, match="time_unit"):
        make_model("bg_nbd", time_unit="fortnight")
