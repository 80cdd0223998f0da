"""Opens and clicks of machines: scanners of mailboxes fetch what is in a message before its reader does."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.measurement.config import BotRules

DELIVERIES = ("email_sent", "email_delivered", "push_sent", "push_delivered")
_JUDGED = ("email_opened", "email_clicked", "push_opened")
_CLICK = "email_clicked"


def mark_bots(interactions: DataFrame, rules: BotRules) -> DataFrame:
    """Add ``is_bot``, whether one of the rules takes the interaction for a machine's.

    In: rows of history.interaction, deliveries among them. A message is told by person and campaign; what names no
    campaign is nobody's message, and never marked. Rules: opened or clicked within `seconds_after_delivery` of the
    last delivery before it, or at the same instant; `clicks_in_a_second` clicks, or more, within one second.
    """
    message = ["person_id", "campaign_id"]
    kind, second = F.col("interaction_type"), F.unix_seconds("occurred_at")
    # By range: of one instant the delivery counts as first, whatever the order of the rows.
    before = Window.partitionBy(*message).orderBy("occurred_at")
    delivered = F.max(F.when(kind.isin(*DELIVERIES), F.col("occurred_at"))).over(before)
    at_once = Window.partitionBy(*message, "_second")
    clicks = F.count_if(kind == _CLICK).over(at_once)
    haste = (
        F.unix_micros("occurred_at") - F.unix_micros(delivered)
        <= rules.seconds_after_delivery * 1_000_000
    )
    many: Column = (kind == _CLICK) & (clicks >= rules.clicks_in_a_second)
    judged = kind.isin(*_JUDGED) & F.col("campaign_id").isNotNull()
    is_bot = judged & (F.coalesce(haste, F.lit(False)) | many)
    return interactions.withColumn("_second", second).withColumn("is_bot", is_bot).drop("_second")
