"""What persons did and received beside their orders, on every channel."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.history.tables import INTERACTION
from clvspark.privacy.tombstones import SALES

SURVEY_ANSWER = "survey_answer"


def build_interactions(events: DataFrame, answers: DataFrame | None = None) -> DataFrame:
    """Events of known persons that are not part of an order, and their answers to surveys.

    In: sources.event with person_id, and ``session_id`` of `assign_sessions`; sources.survey_response with person_id.
    Out: history.interaction. An answer is of the channel ``survey`` where its system names none.
    """
    known = events.where(~F.col("event_type").isin(*SALES) & F.col("person_id").isNotNull())
    happened = known.withColumns(
        {"interaction_type": F.col("event_type"), "score": F.lit(None).cast("int")}
    ).select(*INTERACTION.names)
    if answers is None:
        return happened
    nothing = F.lit(None).cast("string")
    said = answers.where("person_id IS NOT NULL").withColumns(
        {
            "event_id": answer_id(),
            "occurred_at": F.col("answered_at"),
            "interaction_type": F.lit(SURVEY_ANSWER),
            "channel": F.coalesce("channel", F.lit("survey")),
            **dict.fromkeys(("campaign_id", "session_id", "product_id"), nothing),
        }
    )
    return happened.unionByName(said.select(*INTERACTION.names))


def answer_id() -> Column:
    """Id of the interaction that an answer of sources.survey_response is."""
    return F.concat(F.lit("survey:"), "response_id")
