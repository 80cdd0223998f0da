"""Answers to satisfaction surveys, of the persons who gave them."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

PROMOTER_FROM, DETRACTOR_TO = 9, 6
"""Bounds of the Net Promoter Score (Reichheld 2003): of 0 to 10, promoters give 9 or 10, detractors 6 or less."""


def name_answers(responses: DataFrame, links: DataFrame) -> DataFrame:
    """Answers with the person of their record; those of records that nobody is known by are left out.

    In: sources.survey_response; identity.person_link, current links only. Out: ``response_id, person_id,
    answered_at, answered_on, channel, score``.
    """
    people = links.select("source_system", "source_record_id", "person_id")
    answers = responses.join(people, on=["source_system", "source_record_id"], how="inner")
    return answers.select(
        "response_id",
        "person_id",
        "answered_at",
        F.to_date("answered_at").alias("answered_on"),
        F.coalesce("channel", F.lit("unknown")).alias("channel"),
        "score",
    )


def summarise_answers(answers: DataFrame, *, as_of: date) -> DataFrame:
    """What each person has answered before `as_of`: ``person_id, answers, last_score, last_answered_on``.

    In: rows of `name_answers`. Of two answers of one instant the one with the higher id is the last.
    """
    known = answers.where(F.col("answered_on") < F.lit(as_of))
    newest = F.struct("answered_at", "response_id")
    return known.groupBy("person_id").agg(
        F.count(F.lit(1)).cast("int").alias("answers"),
        F.max_by("score", newest).alias("last_score"),
        F.max("answered_on").alias("last_answered_on"),
    )


def is_promoter(score: str = "score") -> Column:
    """Whether a score is a promoter's."""
    return F.col(score) >= PROMOTER_FROM


def is_detractor(score: str = "score") -> Column:
    """Whether a score is a detractor's."""
    return F.col(score) <= DETRACTOR_TO
