"""The true persons: name, birth, home, phones and e-mails, before any record misspells them."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.simulate.draws import Draws, scramble
from clvspark.simulate.households import (
    add_address,
    household_key,
    household_size,
    household_surname,
    landline,
    mobile,
)
from clvspark.simulate.nicknames import ACCENTED, ACCENTS_FROM, ACCENTS_TO
from clvspark.simulate.settings import WINDOW_END, WINDOW_START
from clvspark.simulate.words import EMAIL_DOMAINS, given_names, surnames

_WINDOW_DAYS = (WINDOW_END - WINDOW_START).days


def draw_persons(relationships: DataFrame, draws: Draws, *, key_bits: int) -> DataFrame:
    """Give each relationship a true person.

    In: person_key, first_on, purchase_rate, lifetime_weeks. Out: one row a person.
    About 35 % live in families of 2 to 4 that share surname, home and landline; some couples
    share one e-mail; some children bear a parent's name. 18 % changed their e-mail,
    10 % their mobile number, about 10 % moved during the window (the *_previous columns).
    `key_bits` is the length of the largest person_key.
    """
    key, home = F.col("person_key"), F.col("household_key")
    placed = (
        relationships.withColumn("household_key", household_key(key, draws))
        .withColumn("role", (key - home).cast("int"))
        .withColumn("household_size", household_size(F.col("role"), key, draws))
        .withColumn("is_child", _is_child(draws))
    )
    named = _add_names(placed, draws).withColumn("birth_date", _birth_date(draws))
    return _add_contact_points(_add_homes(named, draws), draws, key_bits).drop(
        "is_child", "household_size", "head_name", "head_gender", "home_holder", "email_owner"
    )


def _is_child(draws: Draws) -> Column:
    pair_with_child = draws.chance(0.3, "parent and child", F.col("household_key"))
    second_of_two = (F.col("role") == 1) & (F.col("household_size") == 2)
    return (F.col("role") >= 2) | (second_of_two & pair_with_child)


def _add_names(persons: DataFrame, draws: Draws) -> DataFrame:
    """Add gender, given_name, surname and the head's name and gender."""
    key, home = F.col("person_key"), F.col("household_key")
    is_partner = (F.col("role") == 1) & ~F.col("is_child")
    opposite = F.when(F.col("head_gender") == "f", "m").otherwise("f")
    same_gender = F.col("gender") == F.col("head_gender")
    named_after = F.col("is_child") & same_gender & draws.chance(0.12, "named after parent", key)
    keeps_own = is_partner & draws.chance(0.12, "own surname", key)
    own = draws.choose(surnames(), "own surname word", key)
    return (
        persons.withColumn("head_gender", _gender(home, draws))
        .withColumn("gender", F.when(is_partner, opposite).otherwise(_gender(key, draws)))
        .withColumn("_name_key", F.when(named_after, home).otherwise(key))
        .withColumn("_plain", _plain_name(F.col("gender"), F.col("_name_key"), draws))
        .withColumn("given_name", _accented(F.col("_plain"), F.col("_name_key"), draws))
        .withColumn("_head_plain", _plain_name(F.col("head_gender"), home, draws))
        .withColumn("head_name", _accented(F.col("_head_plain"), home, draws))
        .withColumn("surname", F.when(keeps_own, own).otherwise(household_surname(home, draws)))
        .drop("_name_key", "_plain", "_head_plain")
    )


def _gender(key: Column, draws: Draws) -> Column:
    return F.when(draws.chance(0.5, "gender", key), "f").otherwise("m")


def _plain_name(gender: Column, key: Column, draws: Draws) -> Column:
    female = draws.choose(given_names("f"), "given name", key)
    male = draws.choose(given_names("m"), "given name", key)
    return F.when(gender == "f", female).otherwise(male)


def _accented(name: Column, key: Column, draws: Draws) -> Column:
    pairs = ",".join(f"{plain}:{accented}" for plain, accented in ACCENTED.items())
    accented = F.str_to_map(F.lit(pairs), F.lit(","), F.lit(":"))[name]
    return F.when(draws.chance(0.5, "accented", key), F.coalesce(accented, name)).otherwise(name)


def _birth_date(draws: Draws) -> Column:
    key, home = F.col("person_key"), F.col("household_key")
    single = 1945 + draws.integer(62, "single birth year", key)
    head = 1955 + draws.integer(28, "head birth year", home)
    partner = head - 3 + draws.integer(7, "partner birth year", key)
    child = F.least(head + 22 + draws.integer(12, "child birth year", key), F.lit(2009))
    year = (
        F.when(F.col("is_child"), child)
        .when(F.col("role") == 1, partner)
        .when(F.col("household_size") > 1, head)
        .otherwise(single)
    )
    return F.date_add(F.make_date(year, F.lit(1), F.lit(1)), draws.integer(365, "birth day", key))


def _add_homes(persons: DataFrame, draws: Draws) -> DataFrame:
    """Add address, address_previous (null unless moved), moved_on and landline."""
    key, home, holder = F.col("person_key"), F.col("household_key"), F.col("home_holder")
    leaves, moves = F.col("_leaves"), F.col("_moves")
    family_home = draws.hash("family home", home)
    current = F.when(leaves, draws.hash("own home", key)).otherwise(family_home)
    former = draws.hash("former home", home)
    moved_on = F.date_add(F.lit(WINDOW_START), draws.integer(_WINDOW_DAYS, "moving day", holder))
    keyed = (
        persons.withColumn("_leaves", F.col("is_child") & draws.chance(0.25, "leaves home", key))
        .withColumn("_moves", draws.chance(0.08, "household moves", home))
        .withColumn("home_holder", F.when(leaves, key).otherwise(home))
        .withColumn("_home", current)
        .withColumn("_home_previous", F.when(leaves, family_home).when(moves, former))
    )
    housed = add_address(keyed, "address", "_home", draws)
    housed = add_address(housed, "address_previous", "_home_previous", draws)
    line = landline(F.col("address"), holder, draws)
    return (
        housed.withColumn("moved_on", F.when(leaves | moves, moved_on))
        .withColumn("landline", F.when(draws.chance(0.7, "has landline", holder), line))
        .drop("_leaves", "_moves", "_home", "_home_previous")
    )


def _add_contact_points(persons: DataFrame, draws: Draws, key_bits: int) -> DataFrame:
    """Add mobiles and e-mails; every own e-mail is unique because it ends in the key's token."""
    key, home, shares = F.col("person_key"), F.col("household_key"), F.col("shares_email")
    is_partner = (F.col("role") == 1) & ~F.col("is_child")
    changed = draws.chance(0.18, "changed e-mail", key) & ~shares
    day = F.date_add(F.lit(WINDOW_START), draws.integer(_WINDOW_DAYS, "e-mail day", key))
    given = F.when(shares, F.col("head_name")).otherwise(F.col("given_name"))
    surname = F.when(shares, household_surname(home, draws)).otherwise(F.col("surname"))
    owner = F.col("email_owner")
    former_mobile = F.when(
        draws.chance(0.1, "changed mobile", key), mobile("former mobile", key, draws)
    )
    return (
        persons.withColumn("shares_email", is_partner & draws.chance(0.25, "shares e-mail", home))
        .withColumn("email_owner", F.when(shares, home).otherwise(key))
        .withColumn("_first", _mail_part(given))
        .withColumn("_last", _mail_part(surname))
        .withColumn("_token", _token(owner, 1, key_bits))
        .withColumn("email", _email("e-mail", owner, draws))
        .withColumn("_token", _token(owner, 0, key_bits))
        .withColumn("email_previous", F.when(changed, _email("former e-mail", owner, draws)))
        .withColumn("email_changed_on", F.when(changed, day))
        .withColumn("mobile", mobile("mobile", key, draws))
        .withColumn("mobile_previous", former_mobile)
        .drop("_first", "_last", "_token")
    )


def _mail_part(name: Column) -> Column:
    return F.regexp_replace(F.translate(F.lower(name), ACCENTS_FROM, ACCENTS_TO), "[^a-z]", "")


def _token(key: Column, salt: int, key_bits: int) -> Column:
    return F.lower(F.conv(scramble(key * 2 + salt, key_bits + 1).cast("string"), 10, 36))


def _email(purpose: str, key: Column, draws: Draws) -> Column:
    first, last, token = F.col("_first"), F.col("_last"), F.col("_token")
    style = draws.uniform(f"{purpose} style", key)
    local = (
        F.when(style < 0.4, F.concat_ws(".", first, last, token))
        .when(style < 0.7, F.concat(F.substring(first, 1, 1), last, token))
        .otherwise(F.concat(first, token))
    )
    return F.concat_ws("@", local, draws.choose(EMAIL_DOMAINS, f"{purpose} domain", key))
