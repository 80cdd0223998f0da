"""What an engine works on: records, frozen term frequencies, and what people decided."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame

from clvspark.identity.model.train import IdentityModel
from clvspark.identity.settings import IdentitySettings


@dataclass(frozen=True)
class Evidence:
    """Standardised records and what is known about them.

    Parameters
    ----------
    records : ``unique_id`` and the columns of the settings; with a boolean ``touched``, only pairs of which at
        least one record is touched are linked.
    term_frequencies : ``name, value_hash, share`` of each value of an adjusted column, as Splink defines them; None
        counts them in `records`.
    decisions : ``unique_id_l, unique_id_r, bond``: 1 for one person, -1 for two; None where nobody decided.
    """

    records: DataFrame
    term_frequencies: DataFrame | None = None
    decisions: DataFrame | None = None

    @property
    def flags(self) -> list[str]:
        """The column ``touched``, where the records have it."""
        return ["touched"] if "touched" in self.records.columns else []


def used_columns(
    settings: IdentitySettings, model: IdentityModel | None, *, blocking: bool = False
) -> list[str]:
    """Columns that scoring, refining and bonds read, and `blocking` where asked; the others need not travel."""
    certain = [*settings.trusted_identifiers, *settings.unique_identifiers]
    compared = model.columns if model is not None else set()
    named = [*certain, *(settings.refiners if model is not None else [])]
    if blocking:
        named += [name for rule in settings.blocking_rules for name in rule]
    return [name for name in settings.columns if name in named or name in compared]


def smallest_doubtful(settings: IdentitySettings, evidence: Evidence) -> int:
    """Records of the smallest component that needs a second look.

    Two records that link are one person, unless something about them is in conflict, unique or decided.
    """
    doubts = (
        settings.conflict_weight or settings.unique_identifiers or evidence.decisions is not None
    )
    return 2 if doubts else 3
