"""Which accounts each person holds in the source systems, since when, and who is mailed."""

from __future__ import annotations

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.simulate.draws import Draws
from clvspark.simulate.settings import (
    TARGET_SHARE,
    TREATED_SHARE,
    WINDOW_END,
    Campaign,
)

# Slots of a person's records; record_key = person_key * SLOTS + slot.
LOYALTY, SECOND_LOYALTY, WEB, SECOND_WEB, APP, CRM, GUEST = range(7)
SLOTS: Final = 8

CONTROL, TREATED = 0, 1

_PRIMARY_SHARES: Final = {LOYALTY: 0.46, WEB: 0.26, APP: 0.12, GUEST: 0.16}
_OTHER_CHANCES: Final = {LOYALTY: 0.40, WEB: 0.35, APP: 0.21, CRM: 0.42, GUEST: 0.16}
_SECOND_CHANCE: Final = 0.10
_CRM_EMAIL_MISSING: Final = 0.12
_NEVER_CONSENTS: Final = 0.15  # of the persons say no everywhere and are not mailed
_UNSUBSCRIBES: Final = 0.006  # of the mailings end in an unsubscription


def record_key(person_key: Column, slot: Column) -> Column:
    """Return the number of one record, unique over all persons and systems."""
    return (person_key * SLOTS + slot).cast("long")


def crm_email_missing(person_key: Column, draws: Draws) -> Column:
    """Return whether the CRM contact of the person has no e-mail."""
    return draws.chance(_CRM_EMAIL_MISSING, "crm e-mail missing", person_key)


def refuses_marketing(person_key: Column, draws: Draws) -> Column:
    """Return whether the person says no to marketing wherever asked."""
    return draws.uniform("consent attitude", person_key) >= 1.0 - _NEVER_CONSENTS


def open_accounts(persons: DataFrame, draws: Draws) -> DataFrame:
    """Add `accounts`: array of (slot, created_on, closed_on, weight).

    A person holds one to six. The primary one exists on the day of the first purchase and takes
    most purchases (weight 3 to 1); a second loyalty card closes the first, a second web account
    is a forgotten password; nobody has both.
    """
    key = F.col("person_key")
    primary = _primary_slot(draws, key)
    opened = (
        persons.withColumn("primary_slot", primary)
        .withColumn("_card_on", _created(LOYALTY, draws))
        .withColumn("_new_card_on", F.date_add(F.greatest("_card_on", "first_on"), _later(draws)))
    )
    has_card = _has(LOYALTY, draws)
    second = draws.chance(_SECOND_CHANCE, "second card", key) & has_card
    second = second & (F.col("_new_card_on") < F.lit(WINDOW_END))
    slots = [
        F.when(
            has_card, _account(LOYALTY, F.col("_card_on"), F.when(second, F.col("_new_card_on")))
        ),
        F.when(second, _account(SECOND_LOYALTY, F.col("_new_card_on"))),
        F.when(_has(WEB, draws), _account(WEB, _created(WEB, draws))),
        F.when(
            _has(WEB, draws) & ~second & draws.chance(_SECOND_CHANCE, "second account", key),
            _account(SECOND_WEB, _created(SECOND_WEB, draws)),
        ),
        F.when(_has(APP, draws), _account(APP, _created(APP, draws))),
        F.when(_has(CRM, draws), _account(CRM, _created(CRM, draws))),
        # A couple's shared e-mail stands for its first owner when used without an account.
        F.when(
            _has(GUEST, draws) & ~F.col("shares_email"), _account(GUEST, _created(GUEST, draws))
        ),
    ]
    accounts = F.filter(F.array(*slots), lambda account: account.isNotNull())
    return opened.withColumn("accounts", accounts).drop("_card_on", "_new_card_on")


def _primary_slot(draws: Draws, key: Column) -> Column:
    shares = list(_PRIMARY_SHARES.items())
    u = draws.uniform("primary slot", key)
    slot, floor = F.lit(shares[-1][0]), 1.0 - shares[-1][1]
    for candidate, share in reversed(shares[:-1]):
        slot = F.when(u < floor, candidate).otherwise(slot)
        floor -= share
    return F.when(F.col("shares_email") & (slot == GUEST), WEB).otherwise(slot)


def _has(slot: int, draws: Draws) -> Column:
    other = draws.chance(_OTHER_CHANCES[slot], f"has slot {slot}", F.col("person_key"))
    return (F.col("primary_slot") == slot) | other


def _created(slot: int, draws: Draws) -> Column:
    """Return the opening day: the primary before or on the first purchase, others later."""
    key = F.col("person_key")
    last_day = F.date_sub(F.lit(WINDOW_END), 1)
    u = draws.uniform(f"created {slot}", key)
    early = draws.chance(0.4 if slot != GUEST else 0.0, f"early {slot}", key)
    primary_day = F.when(early, F.date_sub("first_on", F.floor(u * 200).cast("int"))).otherwise(
        F.col("first_on")
    )
    span = F.lit(60) if slot == CRM else F.datediff(last_day, F.col("first_on"))
    other_day = F.least(F.date_add("first_on", F.floor(u * u * span).cast("int")), last_day)
    return F.when(F.col("primary_slot") == slot, primary_day).otherwise(other_day)


def _later(draws: Draws) -> Column:
    return draws.integer(300, "new card day", F.col("person_key")) + 30


def _account(slot: int, created_on: Column, closed_on: Column | None = None) -> Column:
    closed = F.lit(None).cast("date") if closed_on is None else closed_on
    weight = F.when(F.col("primary_slot") == slot, 3).otherwise(1)
    return F.struct(
        F.lit(slot).alias("slot"),
        created_on.alias("created_on"),
        closed.alias("closed_on"),
        (F.lit(0) if slot == CRM else weight).alias("weight"),
    )


def assign_campaigns(
    persons: DataFrame, campaigns: tuple[Campaign, ...], draws: Draws
) -> DataFrame:
    """Add `assignments`: array of (campaign index, treated), and `unsubscribed_index`.

    Contactable are persons with a CRM contact older than the campaign, an e-mail there and no
    general refusal. Half of them enter each campaign's experiment, 80 % of these are treated.
    Whoever unsubscribed at an earlier treated campaign is out. Null if never contactable.
    """
    key = F.col("person_key")
    may = ~crm_email_missing(key, draws) & ~refuses_marketing(key, draws)
    mailed_from = F.when(may, crm_opened_on())
    leaves_at = F.floor(
        F.log(1.0 - draws.uniform("unsubscribes", key)) / F.log(F.lit(1.0 - _UNSUBSCRIBES))
    )
    groups = F.array(*(_group(campaign, draws) for campaign in campaigns))
    bound = F.coalesce("unsubscribed_index", F.lit(len(campaigns)))
    kept = [
        F.when(
            F.get("groups", F.lit(i)).isNotNull() & (bound >= i),
            F.struct(
                F.lit(i).alias("campaign"), (F.get("groups", F.lit(i)) == TREATED).alias("treated")
            ),
        )
        for i in range(len(campaigns))
    ]
    return (
        persons.withColumns({"mailed_from": mailed_from, "leaves_at": leaves_at})
        .withColumn("leaves_at", F.least("leaves_at", F.lit(len(campaigns))).cast("int"))
        .withColumn("groups", F.when(F.col("mailed_from").isNotNull(), groups))
        .withColumn(
            "unsubscribed_index",
            F.when(F.get("groups", F.col("leaves_at")) == TREATED, F.col("leaves_at")),
        )
        .withColumn(
            "assignments",
            F.when(F.col("groups").isNotNull(), F.array_compact(F.array(*kept))),
        )
        .drop("mailed_from", "leaves_at", "groups")
    )


def crm_opened_on() -> Column:
    """Return the day of the person's CRM contact, null without one."""
    return F.get(F.filter("accounts", lambda a: a["slot"] == CRM), F.lit(0))["created_on"]


def _group(campaign: Campaign, draws: Draws) -> Column:
    """Return TREATED, CONTROL, or null for a person outside the campaign's experiment."""
    u = draws.uniform(f"{campaign.campaign_id} group", F.col("person_key"))
    takes_part = (u < TARGET_SHARE) & (F.col("mailed_from") <= F.lit(campaign.starts_on))
    return F.when(takes_part, F.when(u < TARGET_SHARE * TREATED_SHARE, TREATED).otherwise(CONTROL))
