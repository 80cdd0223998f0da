"""The landing files of accounts and orders: one select per file, in the column order of the drop.

Every function takes staged `records` or order `lines` and returns what the file holds.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.simulate.draws import Draws

ISO = "yyyy-MM-dd'T'HH:mm:ss'Z'"
PLAIN = "yyyy-MM-dd HH:mm:ss"


def noon_of(day: Column, purpose: str, key: Column, draws: Draws) -> Column:
    """Return a daytime instant (07 to 22 h UTC) of the day."""
    second = 7 * 3600 + draws.integer(15 * 3600, purpose, key)
    return F.timestamp_seconds(F.unix_date(day).cast("long") * 86_400 + second)


def _of(records: DataFrame, system: str) -> DataFrame:
    return records.where(F.col("source_system") == system)


def _amount() -> Column:
    return (F.col("line_cents").cast("decimal(14,2)") / 100).cast("decimal(12,2)")


def _product() -> Column:
    return F.struct(F.col("product_id").alias("id"), F.col("line_quantity").alias("quantity"))


def _street() -> Column:
    return F.when(F.col("street").isNotNull(), F.concat_ws(", ", "flat", "street"))


def members(records: DataFrame, draws: Draws) -> DataFrame:
    """loyalty/members.csv: one row a card."""
    key = F.col("record_key")
    plain = F.concat_ws(" ", "given", "family")
    swapped = F.concat_ws(", ", "family", "given")
    full_name = F.when(draws.chance(0.06, "swapped name", key), swapped).otherwise(plain)
    uses_landline = draws.chance(0.2, "landline on card", key)
    phone = F.when(uses_landline, F.coalesce("landline_phone", "mobile_phone"))
    return _of(records, "loyalty").select(
        F.col("source_record_id").alias("card_no"),
        full_name.alias("full_name"),
        F.col("birth_date").cast("string").alias("birth_date"),
        F.col("street").alias("address_line_1"),
        F.col("flat").alias("address_line_2"),
        "city",
        "postcode",
        F.coalesce(phone, F.col("mobile_phone")).alias("phone"),
        "email",
        F.col("created_on").cast("string").alias("joined_on"),
    )


def contacts(records: DataFrame, draws: Draws) -> DataFrame:
    """crm/contacts.csv: one row a contact."""
    key = F.col("record_key")
    swaps = draws.chance(0.01, "swapped first and last", key)
    female = F.array(F.lit("Mrs"), F.lit("Ms"), F.lit("Miss"), F.lit("Dr"))
    title = F.when(F.col("gender") == "m", F.lit("Mr")).otherwise(
        F.element_at(female, F.floor(draws.uniform("title", key) * 3.1).cast("int") + 1)
    )
    return _of(records, "crm").select(
        F.col("source_record_id").alias("contact_id"),
        F.when(~draws.chance(0.2, "no title", key), title).alias("salutation"),
        F.when(swaps, F.col("family")).otherwise(F.col("given")).alias("first_name"),
        F.when(swaps, F.col("given")).otherwise(F.col("family")).alias("last_name"),
        F.col("birth_date").cast("string").alias("birth_date"),
        _street().alias("street"),
        "city",
        "postcode",
        F.col("landline_phone").alias("phone"),
        F.col("mobile_phone").alias("mobile"),
        "email",
        "loyalty_card",
        F.col("created_on").cast("string").alias("created_on"),
    )


def web_accounts(records: DataFrame, draws: Draws) -> DataFrame:
    """web/accounts.jsonl: one object an account."""
    created = noon_of(F.col("created_on"), "registered", F.col("record_key"), draws)
    address = F.struct(_street().alias("street"), F.col("city"), F.col("postcode"))
    return _of(records, "web").select(
        F.col("source_record_id").alias("account_id"),
        F.date_format(created, ISO).alias("created_at"),
        F.struct(F.col("given").alias("first"), F.col("family").alias("last")).alias("name"),
        "email",
        F.col("mobile_phone").alias("phone"),
        F.when(F.col("city").isNotNull(), address).alias("address"),
    )


def device_id(draws: Draws) -> Column:
    """Return the device of an app user; 15 % of the households share a tablet."""
    shared = draws.chance(0.15, "shares tablet", F.col("household_key"))
    owner = F.when(shared, -F.col("household_key")).otherwise(F.col("person_key"))
    return draws.hex_id("device", owner)


def app_accounts(records: DataFrame, draws: Draws) -> DataFrame:
    """app/accounts.parquet: one row a registered user."""
    key = F.col("record_key")
    style = draws.uniform("display name", key)
    display = (
        F.when(style < 0.6, F.concat_ws(" ", "given", "family"))
        .when(style < 0.85, F.concat_ws(" ", "given", F.substring("family", 1, 1)))
        .otherwise(F.col("given"))
    )
    return _of(records, "app").select(
        F.col("source_record_id").alias("app_user_id"),
        device_id(draws).alias("device_id"),
        display.alias("display_name"),
        "email",
        noon_of(F.col("created_on"), "registered", key, draws).alias("registered_at"),
    )


def till_sales(lines: DataFrame, draws: Draws) -> DataFrame:
    """till/sales_YYYY-MM.csv, with the column `month` that names the file."""
    return lines.where(F.col("channel") == "till").select(
        F.date_format("day", "yyyy-MM").alias("month"),
        F.col("order_id").alias("receipt_no"),
        "line_no",
        F.format_string("S%02d", draws.integer(24, "store", F.col("person_key")) + 1).alias(
            "store_id"
        ),
        F.date_format("bought_at", PLAIN).alias("sold_at"),
        F.col("source_record_id").alias("loyalty_card"),
        "product_id",
        F.col("line_quantity").alias("quantity"),
        _amount().alias("amount"),
    )


def web_orders(lines: DataFrame, draws: Draws) -> DataFrame:
    """web/orders.jsonl: one object a line."""
    return lines.where(F.col("channel") == "web").select(
        F.col("order_id").alias("order_no"),
        "line_no",
        F.date_format("bought_at", ISO).alias("ordered_at"),
        F.col("source_record_id").alias("account_id"),
        _product().alias("product"),
        _amount().cast("string").alias("amount"),
        draws.hex_id("web session", F.col("basket_key")).alias("session_id"),
    )


def guest_orders(lines: DataFrame, draws: Draws) -> DataFrame:
    """web/guest_orders.jsonl: one object a line; the e-mail is typed anew with each order."""
    basket = F.col("basket_key")
    style = draws.uniform("typed e-mail", basket)
    email = (
        F.when(
            style < 0.08,
            F.concat(F.upper(F.substring("email", 1, 1)), F.expr("substring(email, 2)")),
        )
        .when(style < 0.11, F.upper("email"))
        .when(style < 0.14, F.concat(F.col("email"), F.lit(" ")))
        .otherwise(F.col("email"))
    )
    name = F.when(~draws.chance(0.08, "no name", basket), F.concat_ws(" ", "given", "family"))
    return lines.where(F.col("channel") == "web_guest").select(
        F.col("order_id").alias("order_no"),
        "line_no",
        F.date_format("bought_at", ISO).alias("ordered_at"),
        email.alias("email"),
        F.struct(name.alias("name"), F.col("postcode")).alias("shipping"),
        _product().alias("product"),
        _amount().cast("string").alias("amount"),
    )


def app_orders(lines: DataFrame, draws: Draws) -> DataFrame:
    """app/orders.parquet: one row a line."""
    return lines.where(F.col("channel") == "app").select(
        "order_id",
        "line_no",
        F.col("source_record_id").alias("app_user_id"),
        device_id(draws).alias("device_id"),
        F.col("bought_at").alias("ordered_at"),
        "product_id",
        F.col("line_quantity").alias("quantity"),
        _amount().alias("amount"),
    )
