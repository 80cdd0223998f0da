"""The MBG/NBD model."""

from __future__ import annotations

from typing import ClassVar

from clvspark.clv.models.geometric_dropout import GeometricDropoutModel


class ModifiedBetaGeoModel(GeometricDropoutModel):
    """MBG/NBD: BG/NBD in which customers may also drop out right after the *first* purchase.

    Parameters r, alpha (gamma distributed rates), a, b (beta distributed dropout). Customers
    without repeat purchases get a P(alive) below 1.

    Sources: Batislam, Denizel and Filiztekin (2007), "Empirical validation and comparison of
    models for customer base analysis", Int. J. of Research in Marketing 24(3); Hoppe and Wagner
    (2007), "Customer base analysis: the case for a central variant of the Betageometric/NBD".
    """

    initial_chances: ClassVar[int] = 1
