"""What people do besides buying: visits, e-mail responses, coupons, surveys, consents."""

from __future__ import annotations

from typing import Final

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.simulate.accounts import CRM, crm_opened_on, record_key, refuses_marketing
from clvspark.simulate.draws import Draws, record_id
from clvspark.simulate.landing import ISO, PLAIN, device_id, noon_of
from clvspark.simulate.settings import WINDOW_END, Campaign

_BOUNCE_SHARE: Final = 0.02
_SURVEY_SHARE: Final = 0.12  # of the CRM contacts answer one survey
_SCREENS: Final = ("home", "search", "product", "basket", "account")
_COMMENTS: Final = {
    "promoter": ("Always a good choice", "Quick delivery", "Friendly staff", "Great selection"),
    "passive": ("All right", "Could be cheaper", "As expected"),
    "detractor": ("Delivery took too long", "Item was out of stock", "Too many e-mails"),
}


def _contact_id() -> Column:
    return record_id("C", record_key(F.col("person_key"), F.lit(CRM)))


def campaign_table(spark: SparkSession, campaigns: tuple[Campaign, ...]) -> DataFrame:
    """Return index, id and start of each campaign, to be broadcast."""
    rows = [(i, c.campaign_id, c.starts_on) for i, c in enumerate(campaigns)]
    return spark.createDataFrame(rows, "campaign int, campaign_id string, starts_on date")


def campaign_assignments(persons: DataFrame, calendar: DataFrame) -> DataFrame:
    """Return one row per campaign and person in its experiment, with `treated`."""
    exploded = persons.select(
        "person_key", "purchase_rate", "unsubscribed_index", F.explode("assignments").alias("a")
    )
    return (
        exploded.select("*", "a.campaign", "a.treated")
        .join(F.broadcast(calendar), on="campaign", how="inner")
        .select(
            "campaign",
            "campaign_id",
            _contact_id().alias("contact_id"),
            "person_key",
            "treated",
            "starts_on",
            "purchase_rate",
            (F.col("campaign") == F.col("unsubscribed_index")).alias("unsubscribes"),
        )
    )


def open_probability(purchase_rate: Column) -> Column:
    """Return the chance to open: logistic in the log purchase rate, 0.3 at one in 20 weeks."""
    return 1 / (1 + F.exp(0.85 - 0.5 * F.log(F.greatest(purchase_rate, F.lit(1e-4)) / 0.05)))


def click_probability(purchase_rate: Column) -> Column:
    """Return the chance to click once opened: 0.15 at one purchase in 20 weeks."""
    return 1 / (1 + F.exp(1.73 - 0.35 * F.log(F.greatest(purchase_rate, F.lit(1e-4)) / 0.05)))


def email_events(assignments: DataFrame, draws: Draws) -> DataFrame:
    """email/events.jsonl: what happened to each mailing, in order of time."""
    keys = (F.col("person_key"), F.col("campaign"))
    rate, leaves = F.col("purchase_rate"), F.coalesce("unsubscribes", F.lit(False))
    bounced = draws.chance(_BOUNCE_SHARE, "bounces", *keys) & ~leaves
    opened = ~bounced & (draws.chance(open_probability(rate), "opens", *keys) | leaves)
    clicked = opened & draws.chance(click_probability(rate), "clicks", *keys)
    sent = F.unix_date("starts_on").cast("long") * 86_400 + 9 * 3600
    sent = sent + draws.integer(4 * 3600, "sent", *keys)
    read = sent + 60 + F.floor(-43_200 * F.log(1 - draws.uniform("read delay", *keys)))
    events = F.array(
        _event("sent", F.lit(True), sent),
        _event("delivered", ~bounced, sent + 5 + draws.integer(50, "delivery", *keys)),
        _event("bounced", bounced, sent + 5 + draws.integer(50, "delivery", *keys)),
        _event("opened", opened, read),
        _event("clicked", clicked, read + 3 + draws.integer(90, "click", *keys)),
        _event("unsubscribed", leaves & opened, read + 100 + draws.integer(300, "leave", *keys)),
    )
    happened = F.filter(events, lambda e: e["happens"])
    return (
        assignments.where("treated")
        .withColumn("event", F.explode(happened))
        .select(
            F.concat(F.lit("E"), draws.hex_id("e-mail event", *keys, F.col("event.type"))).alias(
                "event_id"
            ),
            "campaign_id",
            "contact_id",
            F.col("event.type").alias("type"),
            F.date_format(F.timestamp_seconds("event.second"), ISO).alias("occurred_at"),
        )
    )


def _event(kind: str, happens: Column, second: Column) -> Column:
    return F.struct(
        F.lit(kind).alias("type"), happens.alias("happens"), second.cast("long").alias("second")
    )


def coupon_redemptions(baskets: DataFrame, calendar: DataFrame, draws: Draws) -> DataFrame:
    """email/coupon_redemptions.csv: the first basket in the window of those who use the coupon."""
    candidates = baskets.where(F.col("contacted_campaign").isNotNull()).select(
        "person_key", "order_id", "bought_at", F.col("contacted_campaign").alias("campaign")
    )
    first = candidates.groupBy("person_key", "campaign").agg(
        F.min(F.struct("bought_at", "order_id")).alias("first")
    )
    keys = (F.col("person_key"), F.col("campaign"))
    return (
        first.where(draws.chance(0.35, "redeems", *keys))
        .join(F.broadcast(calendar), on="campaign", how="inner")
        .select(
            F.concat(F.lit("D"), draws.hex_id("redemption", *keys)).alias("redemption_id"),
            "campaign_id",
            _contact_id().alias("contact_id"),
            F.concat(F.lit("SAVE-"), F.substring(draws.hex_id("coupon", *keys), 1, 8)).alias(
                "coupon_code"
            ),
            F.date_format("first.bought_at", PLAIN).alias("redeemed_at"),
            F.col("first.order_id").alias("receipt_ref"),
        )
    )


def survey_responses(persons: DataFrame, draws: Draws) -> DataFrame:
    """survey/responses.csv: satisfaction 0 to 10, rising with the true purchase rate."""
    key = F.col("person_key")
    crm_on = crm_opened_on()
    noise = draws.uniform("score", key) + draws.uniform("score more", key) - 1.0
    score = F.round(
        7.6 + 0.8 * F.log(F.greatest("purchase_rate", F.lit(1e-3)) / 0.05) + 4.5 * noise
    )
    bounded = F.least(F.greatest(score, F.lit(0)), F.lit(10)).cast("int")
    span = F.datediff(F.date_sub(F.lit(WINDOW_END), 1), crm_on)
    day = F.date_add(crm_on, F.floor(draws.uniform("survey day", key) * span).cast("int"))
    group = F.when(F.col("score") >= 9, "promoter").when(F.col("score") >= 7, "passive")
    comment = F.lit(None)
    for name, texts in _COMMENTS.items():
        chosen = draws.choose(texts, "comment", key)
        comment = F.when(F.coalesce(group, F.lit("detractor")) == name, chosen).otherwise(comment)
    return (
        persons.where(crm_on.isNotNull() & draws.chance(_SURVEY_SHARE, "answers survey", key))
        .withColumn("score", bounded)
        .select(
            F.concat(F.lit("V"), draws.hex_id("survey", key)).alias("response_id"),
            _contact_id().alias("contact_id"),
            draws.choose(("email", "email", "web", "phone"), "survey channel", key).alias(
                "channel"
            ),
            F.date_format(noon_of(day, "answered", key, draws), PLAIN).alias("answered_at"),
            "score",
            F.when(draws.chance(0.6, "comments", key), comment).alias("comment"),
        )
    )


def app_sessions(records: DataFrame, draws: Draws) -> DataFrame:
    """app/sessions.parquet: one to four visits per app user between registration and the end."""
    key, number = F.col("record_key"), F.col("number")
    count = 1 + draws.integer(4, "visits", key)
    span = F.datediff(F.date_sub(F.lit(WINDOW_END), 1), "created_on")
    day = F.date_add(
        "created_on", F.floor(draws.uniform("visit day", key, number) * (span + 1)).cast("int")
    )
    second = draws.integer(86_400, "visit second", key, number)
    return (
        records.where(F.col("source_system") == "app")
        .withColumn("number", F.explode(F.sequence(F.lit(1), count)))
        .select(
            draws.hex_id("visit", key, number).alias("session_id"),
            F.col("source_record_id").alias("app_user_id"),
            device_id(draws).alias("device_id"),
            F.timestamp_seconds(F.unix_date(day).cast("long") * 86_400 + second).alias(
                "started_at"
            ),
            draws.choose(_SCREENS, "screen", key, number).alias("screen"),
        )
    )


def consents(records: DataFrame, unsubscriptions: DataFrame, draws: Draws) -> DataFrame:
    """consent/consents.jsonl: what each account said, changed its mind about, or unsubscribed.

    In: records, and unsubscriptions (source_record_id, occurred_at) of CRM contacts. A person
    leans to yes (75 %), says no (15 %) or was hardly asked (10 %); single accounts contradict.
    """
    asked = records.where(F.col("source_system") != "web_guest")
    first = asked.where(draws.chance(_asked_share(draws), "asked", F.col("record_key")))
    given = first.select(*_consent_of(draws, "first", F.col("created_on"), _first_value(draws)))
    day = F.date_add("created_on", 20 + draws.integer(300, "mind changes on", F.col("record_key")))
    changed = first.where(
        draws.chance(0.08, "changes mind", F.col("record_key")) & (day < F.lit(WINDOW_END))
    ).select(*_consent_of(draws, "second", day, _second_value(draws)))
    left = unsubscriptions.select(
        F.concat(F.lit("N"), draws.hex_id("unsubscription", F.col("source_record_id"))).alias(
            "consent_id"
        ),
        F.lit("crm").alias("source_system"),
        "source_record_id",
        F.lit("email").alias("channel"),
        F.lit("marketing").alias("purpose"),
        F.lit("n").alias("val"),
        F.lit("unsubscribed").alias("reason"),
        F.col("occurred_at").alias("recorded_at"),
    )
    return given.unionByName(changed).unionByName(left)


def _asked_share(draws: Draws) -> Column:
    hardly = draws.uniform("consent attitude", F.col("person_key")) >= 0.75
    refuses = refuses_marketing(F.col("person_key"), draws)
    return F.when(refuses, 0.8).when(hardly, 0.15).otherwise(0.92)


def _first_value(draws: Draws) -> Column:
    u = draws.uniform("consent value", F.col("record_key"))
    yes = F.when(u < 0.9, "y").when(u < 0.94, "n").when(u < 0.97, "p").otherwise("u")
    no = F.when(u < 0.88, "n").otherwise("u")
    return F.when(refuses_marketing(F.col("person_key"), draws), no).otherwise(yes)


def _second_value(draws: Draws) -> Column:
    refuses = refuses_marketing(F.col("person_key"), draws)
    return F.when((_first_value(draws) == "y") | refuses, "n").otherwise("y")


def _consent_of(draws: Draws, number: str, day: Column, value: Column) -> list[Column]:
    key = F.col("record_key")
    system = F.col("source_system")
    u = draws.uniform("consent channel", key)
    channel = (
        F.when(system == "app", F.when(u < 0.7, "push").otherwise("any"))
        .when(system == "web", F.when(u < 0.7, "email").otherwise("any"))
        .when(system == "crm", F.when(u < 0.5, "any").when(u < 0.9, "email").otherwise("sms"))
        .otherwise(F.when(u < 0.6, "any").when(u < 0.8, "email").otherwise("sms"))
    )
    reason = (
        F.when(value == "y", "opt_in_form")
        .when(value == "n", "opt_out_form")
        .when(value == "p", "imported")
        .otherwise("unknown")
    )
    at = noon_of(day, f"{number} consent", key, draws)
    return [
        F.concat(F.lit("N"), draws.hex_id(f"{number} consent", key)).alias("consent_id"),
        system.alias("source_system"),
        F.col("source_record_id"),
        channel.alias("channel"),
        F.lit("marketing").alias("purpose"),
        value.alias("val"),
        reason.alias("reason"),
        F.date_format(at, ISO).alias("recorded_at"),
    ]
