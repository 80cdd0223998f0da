"""Scores of every person and offer: drawn from beliefs by a hash, so that a rerun draws the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from clvspark.audiences.decisions.beliefs import Beliefs, believe, is_nothing_ranked
from clvspark.audiences.decisions.config import DecisionsConfig
from clvspark.audiences.decisions.eligibility import OPEN
from clvspark.audiences.decisions.learn import Learnt
from clvspark.audiences.decisions.offers import NO_OFFER
from clvspark.audiences.decisions.posteriors import FloatArray
from clvspark.audiences.decisions.propensities import list_choice_probabilities

_BITS = 52
_LEAST = 1e-9


@dataclass(frozen=True)
class Board:
    """What persons are ranked by at every decision point.

    Parameters
    ----------
    contexts : row of every array of the beliefs, by context; those that are not there have the last row.
    """

    beliefs: Mapping[str, Beliefs]
    contexts: Mapping[str, int]
    offers: tuple[str, ...]

    def place(self, contexts: pd.Series) -> np.ndarray:
        """Rows of the contexts."""
        return contexts.map(self.contexts).fillna(len(self.contexts)).astype(int).to_numpy()


def set_up_board(learnt: Learnt, config: DecisionsConfig) -> Board:
    """The beliefs of every decision point, small enough to be sent to every task."""
    beliefs = {
        point.id: believe(
            point.ranking,
            learnt.posteriors,
            learnt.offers,
            config.learning,
            contexts=learnt.contexts,
            order=config.offers_at(point),
        )
        for point in config.points
    }
    known = {context: row for row, context in enumerate(learnt.contexts[:-1])}
    return Board(beliefs, known, tuple(config.offer_ids))


def add_scores(
    candidates: DataFrame, board: Board, config: DecisionsConfig, *, as_of: date
) -> DataFrame:
    """Add ``score_<offer>`` for doing nothing and for each offer; NULL where it is not ranked for the person.

    In: rows of `add_eligibility`. Every person and offer has a number between 0 and 1 of its own, a hash of the salt,
    the person, the date, the decision point and the offer: neither partitions nor other persons change it.
    """
    draw = pandas_udf(_scorer(board), "array<double>")  # type: ignore[call-overload]
    uniforms = [_uniform(config.salt, offer, as_of) for offer in board.offers]
    found = candidates.withColumn("_scores", draw("decision_point", "context", *uniforms))
    scores = {
        f"score_{offer}": F.when(_is_ranked(offer, config), F.get("_scores", F.lit(number)))
        for number, offer in enumerate(board.offers)
    }
    return found.withColumns(scores).drop("_scores")


def add_propensity(chosen: DataFrame, board: Board, cutoffs: Mapping[str, Column]) -> DataFrame:
    """Add ``propensity``: how probable the choice of each person was, given what they could be offered.

    In: rows with ``offer_id`` and ``is_fallback``; by offer the score that it had to exceed for the person.
    """
    judge = pandas_udf(_judge(board), "double")  # type: ignore[call-overload]
    bounds = [
        F.when(F.col(f"score_{offer}").isNotNull(), cutoffs[offer]).alias(f"cutoff_{offer}")
        for offer in board.offers
    ]
    number = F.array_position(F.array(*map(F.lit, board.offers)), F.col("offer_id")) - 1
    place = F.when(F.col("is_fallback"), -1).otherwise(number).cast("int")
    return chosen.withColumn("propensity", judge("decision_point", "context", place, *bounds))


def _is_ranked(offer: str, config: DecisionsConfig) -> Column:
    if offer == NO_OFFER:
        points = [point.id for point in config.points if is_nothing_ranked(point.ranking)]
        return F.col("decision_point").isin(*points) if points else F.lit(False)
    points = [point.id for point in config.points if offer in config.offers_at(point)]
    here = F.col("decision_point").isin(*points) if points else F.lit(False)
    return here & (F.col(f"why_{offer}") == OPEN)


def _uniform(salt: str, offer: str, as_of: date) -> Column:
    """A number strictly between 0 and 1."""
    hashed = F.xxhash64(F.lit(salt), "person_id", F.lit(str(as_of)), "decision_point", F.lit(offer))
    return (F.pmod(hashed, F.lit(2**_BITS)) + 0.5) / F.lit(float(2**_BITS))


def _scorer(board: Board) -> Callable[..., pd.Series]:
    def score(point: pd.Series, context: pd.Series, *uniforms: pd.Series) -> pd.Series:
        rows, drawn = board.place(context), np.column_stack([u.to_numpy() for u in uniforms])
        scores = np.empty_like(drawn)
        for name, beliefs in board.beliefs.items():
            here = (point == name).to_numpy()
            scores[here] = beliefs.draw(rows[here], drawn[here])
        return pd.Series(list(scores))

    return score


def _judge(board: Board) -> Callable[..., pd.Series]:
    def judge(
        point: pd.Series, context: pd.Series, choice: pd.Series, *cutoffs: pd.Series
    ) -> pd.Series:
        bounds = np.column_stack([c.to_numpy(dtype=np.float64) for c in cutoffs])
        case = pd.DataFrame(bounds).assign(point=point.to_numpy(), row=board.place(context))
        number = case.groupby([*case.columns], dropna=False, sort=False).ngroup()
        found = np.ones(len(case))
        # Persons alike in all that counts are judged once.
        for first, members in zip(
            number.drop_duplicates().index, _members(number.to_numpy()), strict=True
        ):
            beliefs = board.beliefs[case["point"][first]]
            probabilities = _probabilities(beliefs, int(case["row"][first]), bounds[first])
            found[members] = probabilities[choice.to_numpy()[members]]
        # The sums of the integral are good to some six digits; what was chosen was not impossible.
        return pd.Series(np.clip(found, _LEAST, 1.0).round(9))

    return judge


def _members(number: np.ndarray) -> list[np.ndarray]:
    """Places of the members of each group, groups in the order of their number."""
    order = np.argsort(number, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(number[order])) + 1)


def _probabilities(beliefs: Beliefs, context: int, cutoffs: FloatArray) -> FloatArray:
    """By offer, and in the last place (-1) that nothing that is ranked could be offered."""
    found, left = list_choice_probabilities(beliefs, context, cutoffs)
    if np.isnan(cutoffs[0]):
        return np.append(found, left)
    # Doing nothing is always to be had, so that its share holds those to whom nothing else was left.
    alone = cutoffs.copy()
    alone[0] = np.nan
    _, unoffered = list_choice_probabilities(beliefs, context, alone)
    found[0] -= unoffered
    return np.append(found, unoffered)
