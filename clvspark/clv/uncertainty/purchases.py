"""How many purchases each customer will make within a horizon, own chance included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clvspark.clv.models.summary import FloatArray, distinct_rows
from clvspark.clv.models.transactions import TRIPLE, TransactionModel
from clvspark.clv.uncertainty.steps import IntArray, Mixtures


@dataclass(frozen=True)
class PurchaseBlock:
    """Chances of 0..most purchases (stage x row x number) of living customers, all of one number of spend days.

    `rows` are those of the distinct histories.
    """

    rows: IntArray
    days: float
    chances: FloatArray

    @property
    def most(self) -> int:
        """The number of purchases that hardly anybody exceeds."""
        return self.chances.shape[2] - 1


@dataclass(frozen=True)
class FuturePurchases:
    """Distributions of the purchases of many customers.

    `share` is how likely the living are in which stage of their rhythm (stage x customer), `group` which of the
    distinct histories of `blocks` each customer has.
    """

    p_alive: FloatArray
    share: FloatArray
    group: IntArray
    blocks: tuple[PurchaseBlock, ...]
    counts: Mixtures

    @classmethod
    def of(
        cls,
        model: TransactionModel,
        columns: Mapping[str, FloatArray],
        *,
        horizon: float,
        days: FloatArray,
    ) -> FuturePurchases:
        """Of customers with the columns of the model, and `days` of purchases whose spend is known.

        What the living do depends on the stage, frequency, T and covariates: it is worked out once for each of them
        and number of days.
        """
        alive = model.alive_by_stage(columns)
        p_alive = alive.sum(axis=0)
        share = share_of_stages(alive)
        names = [name for name in (*TRIPLE, *model.covariates) if name != "recency"]
        first, group = distinct_rows(days, *(columns[name] for name in names))
        known = {name: columns[name][first] for name in (*TRIPLE, *model.covariates)}
        blocks = tuple(_blocks(model, known, horizon, days[first]))
        rows = np.concatenate([block.rows for block in blocks] or [np.empty(0, dtype=np.intp)])
        cumulative = [np.cumsum(block.chances, axis=2) for block in blocks]
        counts = Mixtures.stack(rows, cumulative, group, share)
        return cls(p_alive, share, group, blocks, counts)

    def mix(self, tables: list[FloatArray]) -> Mixtures:
        """Distributions of the living that follow from those of the blocks, one (stage x row x value) for each."""
        rows = np.concatenate([block.rows for block in self.blocks] or [self.group])
        return Mixtures.stack(rows, tables, self.group, self.share)

    def quantile(self, level: float) -> FloatArray:
        """Smallest number of purchases that is exceeded with probability at most 1 - level."""
        wanted = self.level_if_alive(level)
        return np.where(wanted > 0, self.counts.locate(wanted), 0).astype(np.float64)

    def probability_above(self, number: FloatArray) -> FloatArray:
        """P(purchases > `number`) of each customer, for whole numbers."""
        last = self.counts.length - 1
        among = self.counts.at(np.clip(number, 0, last).astype(np.intp))
        among = np.where(number < last, np.minimum(among, 1.0), 1.0)
        return np.where(number < 0, 1.0, self.p_alive * (1.0 - among))

    def probability_below(self, number: FloatArray) -> FloatArray:
        """P(purchases < `number`) of each customer, for whole numbers."""
        return 1.0 - self.probability_above(number - 1.0)

    def none_if_alive(self) -> FloatArray:
        """P(no purchase) of each customer who lives."""
        return self.counts.at(np.zeros_like(self.group))

    def level_if_alive(self, level: float) -> FloatArray:
        """The level among the living at which the level among all is reached."""
        return np.asarray(1.0 - (1.0 - level) / np.maximum(self.p_alive, 1e-300))


def share_of_stages(alive: FloatArray) -> FloatArray:
    """How likely the living are in which stage, of P(alive in each), stage x customer; alike where nobody lives."""
    total = alive.sum(axis=0)
    return np.where(total > 0, alive / np.where(total > 0, total, 1.0), 1.0 / len(alive))


def _blocks(
    model: TransactionModel, known: Mapping[str, FloatArray], horizon: float, days: FloatArray
) -> list[PurchaseBlock]:
    """Distinct histories of one frequency, number of days and most purchases, all at once."""
    most = model.most_future_purchases(known, future_t=horizon)
    order = np.lexsort((days, known["frequency"], most))
    same = np.stack([known["frequency"], most, days])[:, order]
    new = np.flatnonzero(np.any(np.diff(same) != 0, axis=0)) + 1
    found = []
    for rows in np.split(order, new):
        if len(rows):
            some = {name: values[rows] for name, values in known.items()}
            limit = int(most[rows[0]])
            chances = model.future_purchase_counts(some, future_t=horizon, most=limit)
            found.append(PurchaseBlock(rows, float(days[rows[0]]), chances))
    return found
