"""Sums of outcomes become posteriors, and rows of posteriors become beliefs again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from clvspark.audiences.decisions.beliefs import value_contacts
from clvspark.audiences.decisions.config import DecisionsConfig, Learning
from clvspark.audiences.decisions.offers import Offer
from clvspark.audiences.decisions.posteriors import (
    FloatArray,
    Posteriors,
    Sums,
    list_priors,
    update_posteriors,
)
from clvspark.audiences.decisions.tables import EVERY_CONTEXT
from clvspark.lakehouse.errors import ConfigError

# Contexts times offers that the driver may be asked to hold.
MAX_CELLS = 100_000
_SUMS = ("trials", "successes", "margin_sum", "margin_square_sum")


@dataclass(frozen=True)
class Learnt:
    """Posteriors of one date.

    Parameters
    ----------
    contexts : names, the rows of every array; the last one is `EVERY_CONTEXT`.
    offers : the columns of every array after the first, which is doing nothing.
    """

    posterior_id: str
    contexts: tuple[str, ...]
    offers: tuple[Offer, ...]
    posteriors: Posteriors


def sum_outcomes(outcomes: DataFrame, learning: Learning, *, as_of: date) -> DataFrame:
    """Sums by context and offer over the outcomes of decisions before `as_of` that were known by then.

    In: sums by ``context, offer_id, decided_on``, with ``trials, successes, margin_sum, margin_square_sum``. Each
    decision is in the row of its own date alone, so that whatever is summed again counts once.
    """
    known = as_of - timedelta(days=learning.window_days)
    decided_on = F.col("decided_on")
    counted = outcomes.where((decided_on < F.lit(as_of)) & (decided_on <= F.lit(known)))
    if learning.memory_days is not None:
        counted = counted.where(decided_on >= F.lit(as_of - timedelta(days=learning.memory_days)))
    types = {"trials": "bigint", "successes": "bigint", "margin_sum": "decimal(18,2)"}
    types["margin_square_sum"] = "decimal(38,4)"
    sums = [F.sum(name).cast(kind).alias(name) for name, kind in types.items()]
    return counted.groupBy("context", "offer_id").agg(*sums)


def collect_sums(sums: DataFrame, config: DecisionsConfig) -> list[Row]:
    """The sums of offers that there are; ConfigError where there are too many for what contexts are made of."""
    rows = sums.where(F.col("offer_id").isin(*config.offer_ids)).limit(MAX_CELLS + 1).collect()
    if len(rows) > MAX_CELLS:
        fault = (
            f"learning.context: {', '.join(config.learning.context)} make more than {MAX_CELLS} pairs of context and "
            "offer; name fewer columns"
        )
        raise ConfigError("audiences.decisions", [fault])
    return rows


def learn_posteriors(
    sums: Sequence[Row | Mapping[str, Any]], config: DecisionsConfig, *, as_of: date
) -> list[dict[str, Any]]:
    """Rows of audiences.offer_posterior: every offer in every context that has outcomes, and in `EVERY_CONTEXT`.

    In: the rows of `collect_sums`. Exactly the same for the same sums: they are added as decimals, in no order.
    """
    rows = [row.asDict() if isinstance(row, Row) else dict(row) for row in sums]
    contexts = [*sorted({row["context"] for row in rows} - {EVERY_CONTEXT}), EVERY_CONTEXT]
    known = {(row["context"], row["offer_id"]): [row[name] for name in _SUMS] for row in rows}
    nothing = [0, 0, Decimal("0.00"), Decimal("0.0000")]
    cells = [
        [known.get((context, offer), nothing) for offer in config.offer_ids] for context in contexts
    ]
    offers = sorted(config.offers, key=lambda offer: offer.id)
    learning = config.learning
    found = update_posteriors(
        list_priors(offers, learning),
        Sums(*np.moveaxis(np.array(cells, dtype=np.float64), -1, 0)),
        learning,
    )
    values = value_contacts(found, offers, learning)
    identity = [str(as_of), contexts, cells, learning.model_dump(mode="json")]
    identity += [offer.model_dump(mode="json") for offer in offers]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode())
    posterior_id = digest.hexdigest()[:16]
    return [
        {
            "as_of_date": as_of,
            "context": context,
            "offer_id": offer,
            **dict(zip(_SUMS, cells[i][k], strict=True)),
            "mean": float(found.mean[i, k]),
            "weight": float(found.weight[i, k]),
            "shape": float(found.shape[i, k]),
            "rate": float(found.rate[i, k]),
            "success_alpha": float(found.successes[i, k]),
            "success_beta": float(found.failures[i, k]),
            "net_value": float(values[i, k]),
            "posterior_id": posterior_id,
        }
        for i, context in enumerate(contexts)
        for k, offer in enumerate(config.offer_ids)
    ]


def read_posteriors(rows: Sequence[Mapping[str, Any]], config: DecisionsConfig) -> Learnt:
    """The arrays again that rows of audiences.offer_posterior of one date were made from."""
    contexts = [*sorted({row["context"] for row in rows} - {EVERY_CONTEXT}), EVERY_CONTEXT]
    cells = {(row["context"], row["offer_id"]): row for row in rows}

    def array(name: str) -> FloatArray:
        found = [[cells[c, offer][name] for offer in config.offer_ids] for c in contexts]
        return np.array(found, dtype=np.float64)

    names = ("mean", "weight", "shape", "rate", "success_alpha", "success_beta")
    offers = tuple(sorted(config.offers, key=lambda offer: offer.id))
    return Learnt(rows[0]["posterior_id"], tuple(contexts), offers, Posteriors(*map(array, names)))
