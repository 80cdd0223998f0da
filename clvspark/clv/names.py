"""The short names of the models, as the command line and its output have them."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from clvspark.clv.models import (
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
from clvspark.clv.models.base import LifetimeModel
from clvspark.clv.models.condensed_beta_geo import MAX_REGULARITY
from clvspark.lakehouse.errors import ConfigError

_MAKERS: dict[str, Callable[[TimeUnit], LifetimeModel]] = {
    "bg_nbd": lambda unit: BetaGeoModel(time_unit=unit),
    "mbg_nbd": lambda unit: ModifiedBetaGeoModel(time_unit=unit),
    "pareto_nbd": lambda unit: ParetoNBDModel(time_unit=unit),
    "nbd": lambda unit: NBDModel(time_unit=unit),
    "bg_bb": lambda unit: BetaGeoBetaBinomModel(time_unit=unit),
    "sbg": lambda unit: ShiftedBetaGeoModel(time_unit=unit),
    "gamma_gamma": lambda unit: GammaGammaModel(time_unit=unit),
}
_REGULAR = {"bg_cnbd": False, "mbg_cnbd": True}
# What messages and helps say; K stands for a number.
MODEL_NAMES = (*list(_MAKERS)[:2], "bg_cnbd_K", "mbg_cnbd_K", *list(_MAKERS)[2:])


def make_model(name: str, *, time_unit: TimeUnit | str) -> LifetimeModel:
    """A model that is not fitted yet: one of `MODEL_NAMES`, with K a regularity from 1 to 12.

    ConfigError, which lists the names, for any other.
    """
    unit = TimeUnit.parse(time_unit)
    if name in _MAKERS:
        return _MAKERS[name](unit)
    family, _, regularity = name.rpartition("_")
    if family in _REGULAR and regularity in map(str, range(1, MAX_REGULARITY + 1)):
        return CondensedBetaGeoModel(
            time_unit=unit,
            regularity=int(regularity),
            dropout_at_first_purchase=_REGULAR[family],
        )
    close = difflib.get_close_matches(name, MODEL_NAMES, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ConfigError(
        "model",
        [
            f"{name!r} is no model.{hint} Allowed: {', '.join(MODEL_NAMES)}, with K from 1 to {MAX_REGULARITY}"
        ],
    )
