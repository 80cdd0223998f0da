"""The BG/NBD model."""

from __future__ import annotations

from typing import ClassVar

from clvspark.clv.models.geometric_dropout import GeometricDropoutModel


class BetaGeoModel(GeometricDropoutModel):
    """BG/NBD: Poisson purchases, and a chance to drop out after each *repeat* purchase.

    Parameters r, alpha (gamma distributed rates), a, b (beta distributed dropout). A customer
    without repeat purchases is alive with probability 1 by construction; judge churn with
    `ModifiedBetaGeoModel` or `ParetoNBDModel` instead.

    Source: Fader, Hardie and Lee (2005), "Counting your customers the easy way: an alternative to
    the Pareto/NBD model", Marketing Science 24(2), eqs. 6-10.
    """

    initial_chances: ClassVar[int] = 0
