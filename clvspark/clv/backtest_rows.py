"""Rows of `clv.backtest` and `clv.backtest_decile`: what a competition found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from clvspark.clv.baselines import BASELINES
from clvspark.clv.candidates import CANDIDATES
from clvspark.clv.competition import Competition
from clvspark.clv.config import ClvConfig
from clvspark.clv.folds import Fold
from clvspark.clv.labels import UNKNOWN
from clvspark.clv.segment_models import SegmentModels
from clvspark.clv.spend import SPEND_MODELS


def list_backtest(
    found: Competition, folds: Sequence[Fold], config: ClvConfig, as_of: date
) -> list[tuple[Any, ...]]:
    """Rows of clv.backtest: measures by model and fold, and why a model was left out.

    What could not be fitted to all that is known is told at the newest fold.
    """
    newest = folds[0].origin
    reasons = {(name, origin or newest): reason for (name, origin), reason in found.refused.items()}
    judged = {
        (name, origin): measures
        for name, by_origin in found.measures.items()
        for origin, measures in by_origin.items()
    }
    rows: list[tuple[Any, ...]] = []
    for key in sorted(judged.keys() | reasons.keys()):
        reason = reasons.get(key)
        common = (role_of(key[0]), config.holdout_days)
        rows.append((as_of, *key, "fitted", float(reason is None), *common, reason))
        rows += [
            (as_of, *key, measure, value, *common, None)
            for measure, value in judged.get(key, {}).items()
        ]
    return rows


def list_backtest_deciles(found: Competition, as_of: date) -> list[tuple[Any, ...]]:
    """Rows of clv.backtest_decile."""
    return [
        (
            as_of,
            *key,
            row["decile"],
            row["customers"],
            row["mean_predicted"],
            row["mean_actual"],
            row["cumulative_share"],
        )
        for key, deciles in sorted(found.deciles.items())
        for row in deciles
    ]


def list_segments(models: SegmentModels, model_id: str, as_of: date) -> list[tuple[Any, ...]]:
    """Rows of clv.segment_model of one model by segment."""
    return [
        (
            model_id,
            " | ".join(UNKNOWN if label is None else label for label in fit.segment),
            as_of,
            dict(zip(models.segment_columns, fit.segment, strict=True)),
            fit.status.value,
            fit.reason or None,
            int(fit.customers),
            fit.model.params_,
            fit.model.standard_errors_,
        )
        for fit in models.fits.values()
    ]


def role_of(name: str) -> str:
    """Whether a model may become the champion, or is judged beside those that may."""
    if name in CANDIDATES or name in SPEND_MODELS:
        return "candidate"
    return "baseline" if name in BASELINES else "challenger"
