"""What each source system has written down about a person: the truth with realistic errors."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.simulate.accounts import (
    APP,
    CRM,
    GUEST,
    LOYALTY,
    SECOND_LOYALTY,
    SECOND_WEB,
    WEB,
    crm_email_missing,
    record_key,
)
from clvspark.simulate.draws import Draws, record_id
from clvspark.simulate.errors import (
    familiar,
    misdate,
    misdial,
    misspell,
    nicknames_of,
    recase,
    write_phone,
)
from clvspark.simulate.nicknames import ACCENTS_FROM, ACCENTS_TO


@dataclass(frozen=True)
class SystemHabits:
    """How one source system records people: shares of records, between 0 and 1."""

    name: str
    prefix: str
    slots: tuple[int, ...]
    nickname: float
    initial: float
    lower_case: float
    email_missing: float
    email_typo: float
    phone_missing: float
    address_missing: float


SYSTEMS: Final = (
    SystemHabits(
        "loyalty", "6335", (LOYALTY, SECOND_LOYALTY), 0.08, 0.02, 0.0, 0.42, 0.02, 0.18, 0.03
    ),
    SystemHabits("web", "W", (WEB, SECOND_WEB), 0.15, 0.02, 0.06, 0.0, 0.004, 0.25, 0.08),
    SystemHabits("app", "A", (APP,), 0.25, 0.0, 0.15, 0.03, 0.004, 1.0, 1.0),
    SystemHabits("crm", "C", (CRM,), 0.06, 0.02, 0.0, 0.0, 0.015, 0.1, 0.04),
    SystemHabits("web_guest", "", (GUEST,), 0.12, 0.04, 0.1, 0.0, 0.01, 1.0, 0.02),
)

_NAME_TYPO: Final = 0.025
_UPPER_CASE: Final = 0.04
_BIRTH_DATE_MISSING: Final = 0.15
_BIRTH_DATE_WRONG: Final = 0.02
_MISDIALLED: Final = 0.015
_USES_PREVIOUS_EMAIL: Final = 0.1  # after the change
_KEPT_UP_TO_DATE: Final = 0.35  # records older than the change that were corrected later


def write_records(persons: DataFrame, draws: Draws) -> DataFrame:
    """Write one row per record of a person, misspelled as that system would.

    Key: (source_system, source_record_id). Guests' ids are the SHA-256 of their e-mail; whether
    a guest ever ordered is decided by the baskets.
    """
    opened = persons.withColumn("account", F.explode("accounts")).select(
        "*",
        F.col("account.slot").alias("slot"),
        F.col("account.created_on").alias("created_on"),
        record_key(F.col("person_key"), F.col("account.slot")).alias("record_key"),
        F.exists("accounts", lambda a: a["slot"] == LOYALTY).alias("has_card"),
    )
    habits = F.broadcast(_habits(persons.sparkSession))
    written = opened.join(habits, on="slot", how="inner")
    for add in (_add_names, _add_phones, _add_home, _add_email):
        written = add(written, draws)
    return written.select(
        "person_key",
        "household_key",
        "record_key",
        "slot",
        "source_system",
        _source_record_id().alias("source_record_id"),
        "created_on",
        "gender",
        "given",
        "family",
        _birth_date(draws).alias("birth_date"),
        "flat",
        "street",
        "city",
        "postcode",
        "mobile_phone",
        "landline_phone",
        F.col("record_email").alias("email"),
        _loyalty_card(draws).alias("loyalty_card"),
    )


def _habits(spark: SparkSession) -> DataFrame:
    """Return one row per slot with the habits of its system, to be broadcast."""
    names = [f.name for f in fields(SystemHabits) if f.name not in ("name", "prefix", "slots")]
    rows = [
        (slot, system.name, system.prefix or None, *(getattr(system, n) for n in names))
        for system in SYSTEMS
        for slot in system.slots
    ]
    shares = ", ".join(f"{name} double" for name in names)
    return spark.createDataFrame(rows, f"slot int, source_system string, prefix string, {shares}")


def _source_record_id() -> Column:
    guest = F.sha2(F.lower(F.trim("record_email")), 256)
    number = record_id("", F.col("record_key"))
    return F.when(F.col("prefix").isNull(), guest).otherwise(F.concat("prefix", number))


def _add_names(records: DataFrame, draws: Draws) -> DataFrame:
    key, given, family = F.col("record_key"), F.col("given"), F.col("family")
    bare = F.translate(given, ACCENTS_FROM, ACCENTS_TO)
    drops_accents = draws.chance(0.5, "drops accents", key)
    initial = draws.chance(F.col("initial"), "initial only", key)
    cases = (_UPPER_CASE, F.col("lower_case"), key, draws)
    return (
        records.withColumn("_forms", nicknames_of(F.col("given_name")))
        .withColumn(
            "given", familiar(F.col("given_name"), F.col("_forms"), F.col("nickname"), key, draws)
        )
        .withColumn("given", F.when(drops_accents, bare).otherwise(given))
        .withColumn("given", misspell(given, _NAME_TYPO, "given name", key, draws))
        .withColumn("given", F.when(initial, F.substring(given, 1, 1)).otherwise(given))
        .withColumn("given", recase(given, *cases))
        .withColumn("family", misspell(F.col("surname"), _NAME_TYPO, "surname", key, draws))
        .withColumn("family", recase(family, *cases))
    )


def _add_phones(records: DataFrame, draws: Draws) -> DataFrame:
    """Add mobile_phone and landline_phone."""
    key, number = F.col("record_key"), F.col("_number")
    former = draws.chance(0.5, "former mobile", key) & F.col("mobile_previous").isNotNull()
    dialled = F.when(former, F.col("mobile_previous")).otherwise(F.col("mobile"))
    missing = draws.chance(F.col("phone_missing"), "mobile missing", key)
    gives_line = draws.chance(0.7, "landline given", key)
    return (
        records.withColumn("_number", misdial(dialled, _MISDIALLED, key, draws))
        .withColumn("mobile_phone", F.when(~missing, write_phone(number, key, draws)))
        .withColumn("_number", misdial(F.col("landline"), _MISDIALLED, key, draws))
        .withColumn("landline_phone", F.when(gives_line, write_phone(number, key, draws)))
    )


def _add_home(records: DataFrame, draws: Draws) -> DataFrame:
    """Add flat, street, city and postcode as known on the day the record was made."""
    key, home = F.col("record_key"), F.col("_home")
    current = _is_current("moved_on", "address corrected", draws)
    missing = draws.chance(F.col("address_missing"), "address missing", key)
    known = F.when(current, F.col("address")).otherwise(F.col("address_previous"))
    style = draws.uniform("postcode style", key)
    postcode = F.col("postcode")
    formatted = (
        F.when(style < 0.08, F.lower(postcode))
        .when(style < 0.18, F.replace(postcode, F.lit(" "), F.lit("")))
        .otherwise(postcode)
    )
    return (
        records.withColumn("_home", F.when(~missing, known))
        .withColumn("flat", home["flat"])
        .withColumn("street", home["street"])
        .withColumn("city", home["city"])
        .withColumn("postcode", misspell(home["postcode"], 0.012, "postcode", key, draws))
        .withColumn("postcode", formatted)
    )


def _add_email(records: DataFrame, draws: Draws) -> DataFrame:
    """Add record_email: the old one on records made before the change, unless corrected."""
    key, written = F.col("record_key"), F.col("_email")
    current = _is_current("email_changed_on", "e-mail corrected", draws)
    keeps_old = draws.chance(_USES_PREVIOUS_EMAIL, "keeps old e-mail", key)
    previous = F.coalesce("email_previous", "email")
    email = F.when(current & ~keeps_old, F.col("email")).otherwise(previous)
    crm_missing = (F.col("slot") == CRM) & crm_email_missing(F.col("person_key"), draws)
    missing = draws.chance(F.col("email_missing"), "e-mail missing", key) | crm_missing
    typed = misspell(written, F.col("email_typo"), "e-mail", key, draws)
    return records.withColumn("_email", email).withColumn("record_email", F.when(~missing, typed))


def _birth_date(draws: Draws) -> Column:
    key = F.col("record_key")
    asked = F.col("slot").isin(LOYALTY, SECOND_LOYALTY, CRM)
    given = asked & ~draws.chance(_BIRTH_DATE_MISSING, "birth date missing", key)
    return F.when(given, misdate(F.col("birth_date"), _BIRTH_DATE_WRONG, key, draws))


def _is_current(changed_on: str, purpose: str, draws: Draws) -> Column:
    corrected = draws.chance(_KEPT_UP_TO_DATE, purpose, F.col("record_key"))
    return F.col(changed_on).isNull() | (F.col("created_on") >= F.col(changed_on)) | corrected


def _loyalty_card(draws: Draws) -> Column:
    card = record_id(SYSTEMS[0].prefix, record_key(F.col("person_key"), F.lit(LOYALTY)))
    knows = (
        (F.col("slot") == CRM) & F.col("has_card") & draws.chance(0.45, "card", F.col("record_key"))
    )
    return F.when(knows, card)
