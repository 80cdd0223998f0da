"""Labels as numbers, which covariates are: indicators of the levels that enough customers have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from clvspark.clv.label_models import Labels
from clvspark.clv.models.summary import WEIGHT

OTHERS = "*"
"""The level of all labels that too few customers have."""

# Repeat buyers from which a level is one of its own: of fewer, a coefficient may run off to infinity.
_LEAST_BUYERS = 20
# Levels of a column at most, the commonest; each of them is a coefficient or three.
_MOST_LEVELS = 12


@dataclass(frozen=True)
class LabelEncoding:
    """Levels by column, the first of which is the reference: it has no indicator.

    What is none of them is `OTHERS` where that is a level, else it is taken for the reference.
    """

    levels: dict[str, tuple[str, ...]]

    @property
    def indicators(self) -> dict[str, tuple[str, str]]:
        """Column and level of each indicator, by its name, e.g. ``acquisition_channel_is_web``."""
        return {name: where for column in self.levels for name, where in self._named(column)}

    def key_of(self, labels: Labels) -> Labels:
        """The level of each label, in the order of `levels`."""
        return tuple(
            self.level_of(column, label) for column, label in zip(self.levels, labels, strict=True)
        )

    def level_of(self, column: str, label: str | None) -> str:
        """The level of one label."""
        levels = self.levels[column]
        if label in levels:
            return str(label)
        return OTHERS if OTHERS in levels else levels[0]

    def indicate(self, labels: Labels) -> dict[str, float]:
        """Indicators of customers with these labels: 1 or 0, by name."""
        levels = dict(zip(self.levels, self.key_of(labels), strict=True))
        return {
            name: float(levels[column] == level)
            for name, (column, level) in self.indicators.items()
        }

    def indicate_rows(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows with their levels in the place of labels, and the indicators."""
        found = rows.assign(
            **{column: rows[column].map(partial(self.level_of, column)) for column in self.levels}
        )
        return found.assign(
            **{
                name: (found[column] == level).astype(float)
                for name, (column, level) in self.indicators.items()
            }
        )

    def _named(self, column: str) -> Iterator[tuple[str, tuple[str, str]]]:
        """Indicators of a column, by names that a registry of models takes."""
        taken: set[str] = set()
        for level in self.levels[column][1:]:
            word = (
                "other" if level == OTHERS else re.sub(r"\W+", "_", level, flags=re.ASCII).lower()
            )
            while word in taken:
                word += "_"
            taken.add(word)
            yield f"{column}_is_{word}", (column, level)


def learn_encoding(histories: pd.DataFrame, columns: Sequence[str]) -> LabelEncoding:
    """The levels that these customers have, the commonest first; a column without two of them is left out.

    In: ``frequency``, ``weight`` and the columns, as text. A level has 20 repeat buyers or more, and a column 12 levels
    at most; the others are one level together, or the reference where they are too few for that.
    """
    buyers = histories[WEIGHT].where(histories["frequency"] > 0, 0.0)
    found = {column: _levels(buyers.groupby(histories[column]).sum()) for column in columns}
    return LabelEncoding({column: levels for column, levels in found.items() if len(levels) > 1})


def _levels(buyers: pd.Series) -> tuple[str, ...]:
    ordered = sorted(buyers.items(), key=lambda one: (-one[1], one[0]))
    own = [str(label) for label, count in ordered if count >= _LEAST_BUYERS][:_MOST_LEVELS]
    rest = float(buyers.sum() - buyers[own].sum())
    return (*own, OTHERS) if own and rest >= _LEAST_BUYERS else tuple(own)
