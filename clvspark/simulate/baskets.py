"""Who bought what through which record: every basket to exactly one account or anonymous till."""

from __future__ import annotations

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.simulate.accounts import (
    CRM,
    GUEST,
    LOYALTY,
    SECOND_LOYALTY,
    SECOND_WEB,
    WEB,
    record_key,
)
from clvspark.simulate.draws import Draws, record_id
from clvspark.simulate.settings import Campaign

_ANONYMOUS_WITH_CARD: Final = 0.10
_ANONYMOUS_WITH_ACCOUNT: Final = 0.02
_SPLIT_SHARE: Final = 0.06  # of the baskets with two items or more have several lines

BASKET_COLUMNS: Final = (
    "basket_key long, person_key long, day date, quantity int, cents long, campaign int"
)


def assign_baskets(
    baskets: DataFrame, persons: DataFrame, campaigns: tuple[Campaign, ...], draws: Draws
) -> DataFrame:
    """Give each basket a channel, a record and a time of its own day.

    In: baskets (BASKET_COLUMNS) and persons with accounts and assignments. Out: one row a
    basket: order_id, channel, slot, record_key (null if anonymous), bought_at, and
    `contacted_campaign`: the campaign whose window holds the day and which contacted the person.
    """
    holders = persons.select("person_key", "accounts", "assignments")
    chosen = draws.integer(F.size("tickets"), "account", F.col("basket_key"))
    basket = F.col("basket_key")
    carded = F.col("slot").isin(LOYALTY, SECOND_LOYALTY)
    anonymous_share = F.when(carded, _ANONYMOUS_WITH_CARD).otherwise(_ANONYMOUS_WITH_ACCOUNT)
    is_anonymous = (F.col("slot") != GUEST) & draws.chance(anonymous_share, "anonymous", basket)
    return (
        baskets.join(holders, on="person_key", how="inner")
        .withColumn("tickets", _tickets())
        .withColumn("slot", F.element_at("tickets", chosen + 1))
        .withColumn("anonymous", is_anonymous)
        .withColumn("channel", _channel())
        .select(
            "basket_key",
            "person_key",
            "day",
            "quantity",
            "cents",
            "campaign",
            "channel",
            "anonymous",
            "slot",
            F.when(~F.col("anonymous"), record_key(F.col("person_key"), F.col("slot"))).alias(
                "record_key"
            ),
            _order_id().alias("order_id"),
            _bought_at(draws).alias("bought_at"),
            _contacted_campaign(campaigns).alias("contacted_campaign"),
        )
    )


def _tickets() -> Column:
    """Return the slots of the accounts usable on the day, each as often as its weight."""
    day = F.col("day")
    usable = F.filter(
        "accounts",
        lambda a: (
            (a["slot"] != CRM)
            & (a["created_on"] <= day)
            & (a["closed_on"].isNull() | (day < a["closed_on"]))
        ),
    )
    return F.flatten(F.transform(usable, lambda a: F.array_repeat(a["slot"], a["weight"])))


def _channel() -> Column:
    return (
        F.when(F.col("anonymous") | F.col("slot").isin(LOYALTY, SECOND_LOYALTY), "till")
        .when(F.col("slot").isin(WEB, SECOND_WEB), "web")
        .when(F.col("slot") == GUEST, "web_guest")
        .otherwise("app")
    )


def _order_id() -> Column:
    prefixes = F.str_to_map(F.lit("till:T,web:O,web_guest:G,app:M"), F.lit(","), F.lit(":"))
    return F.concat(prefixes[F.col("channel")], record_id("", F.col("basket_key")))


def _bought_at(draws: Draws) -> Column:
    """Return an instant of the basket's day: shop hours at the till, 06 to 23 h elsewhere."""
    at_till = F.col("channel") == "till"
    first = F.when(at_till, 9 * 3600).otherwise(6 * 3600)
    length = F.when(at_till, int(8.5 * 3600)).otherwise(17 * 3600)
    second = first + draws.integer(length, "time of day", F.col("basket_key"))
    return F.timestamp_seconds(F.unix_date("day").cast("long") * 86_400 + second)


def _contacted_campaign(campaigns: tuple[Campaign, ...]) -> Column:
    """Return the campaign whose window holds the day, if it contacted the person."""
    day = F.col("day")
    running = F.lit(None).cast("int")
    for index, campaign in enumerate(campaigns):
        inside = day.between(F.lit(campaign.starts_on), F.lit(campaign.ends_on))
        running = F.when(inside, index).otherwise(running)
    contact = F.struct(running.alias("campaign"), F.lit(True).alias("treated"))
    return F.when(F.array_contains("assignments", contact), running)


def split_lines(baskets: DataFrame, draws: Draws) -> DataFrame:
    """Split each basket into one to three lines that add up to its cents and items.

    Out: one row a line: line_no, line_quantity >= 1, line_cents, product_id.
    """
    basket, items = F.col("basket_key"), F.col("quantity")
    several = (items > 1) & draws.chance(_SPLIT_SHARE, "several lines", basket)
    count = F.when(several, F.least(items, 2 + draws.integer(2, "lines", basket))).otherwise(1)
    lines = baskets.withColumn("lines", count.cast("int")).withColumn(
        "line_no", F.explode(F.sequence(F.lit(1), F.col("lines")))
    )
    return (
        lines.withColumn("line_quantity", _share("quantity").cast("int"))
        .withColumn("line_cents", _share("cents"))
        .withColumn("product_id", _product_id(draws))
    )


def _share(column: str) -> Column:
    """Return a line's equal share; the first line takes the remainder."""
    lines = F.col("lines")
    floor = F.floor(F.col(column) / lines)
    rest = F.pmod(F.col(column).cast("long"), lines.cast("long"))
    return floor + F.when(F.col("line_no") == 1, rest).otherwise(0)


def _product_id(draws: Draws) -> Column:
    """Return a product whose list price is near the line's price per item."""
    from clvspark.simulate.catalogue import PRICE_BANDS, PRODUCTS_PER_BAND

    price = F.col("line_cents") / F.col("line_quantity") / 100.0
    band = sum(((price >= bound).cast("int") for bound in PRICE_BANDS[1:]), F.lit(0))
    u = draws.uniform("product", F.col("basket_key"), F.col("line_no"))
    place = F.floor(u * u * PRODUCTS_PER_BAND)  # the first of a band sell most
    return F.concat(
        F.lit("P"), F.lpad((band * PRODUCTS_PER_BAND + place + 1).cast("string"), 4, "0")
    )
