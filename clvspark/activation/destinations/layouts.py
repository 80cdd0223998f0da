"""How destinations want identifiers and facts: our own plain layout, and those of advertising platforms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from clvspark.privacy.identifiers import hash_identifier, normalise_identifier

_MICROS = 1_000_000
Normaliser = Callable[[Column], Column]


@dataclass(frozen=True)
class Layout:
    """Names, normalising and facts of one platform.

    Parameters
    ----------
    address_names : name of the address by identifier; None: that of the identifier, with ``_sha256`` where hashed.
    facts : of each fact of ours the platform's name, and how it is written; None: the destination's `fields` say so.
    """

    email: Normaliser = normalise_identifier
    phone: Normaliser = normalise_identifier
    address_names: Mapping[str, str] | None = None
    facts: Mapping[str, tuple[str, Normaliser]] | None = None

    def normalise(self, identifier: str, address: Column) -> Column:
        """The identifier as the platform compares it; one that is hashed already is left as it is."""
        return (self.phone if identifier == "phone" else self.email)(address)

    def show(self, identifier: str, address: Column, *, hashed: bool) -> Column:
        """What is sent: SHA-256 in hex of the normalised identifier, or the identifier as it is known."""
        return hash_identifier(self.normalise(identifier, address)) if hashed else address

    def name_address(self, identifier: str, *, hashed: bool) -> str:
        """Name of the column with the address."""
        if self.address_names is not None:
            return self.address_names[identifier]
        return f"{identifier}_sha256" if hashed else identifier


def _without_suffix(email: Column) -> Column:
    """TikTok: ann+shop@example.org is ann@example.org."""
    return F.regexp_replace(normalise_identifier(email), r"\+[^@]*(?=@)", "")


def _without_gmail_dots(email: Column) -> Column:
    """Google: dots before @gmail.com and @googlemail.com mean nothing."""
    clean = normalise_identifier(email)
    bare = F.concat(
        F.regexp_replace(F.substring_index(clean, "@", 1), r"\.", ""),
        F.lit("@"),
        F.substring_index(clean, "@", -1),
    )
    return F.when(clean.rlike(r"^[^@]+@(gmail|googlemail)\.com$"), bare).otherwise(clean)


def _e164(phone: Column) -> Column:
    """Plus sign, country code and number, nothing else; a hash stays as it is."""
    clean = normalise_identifier(phone)
    digits = F.concat(F.lit("+"), F.regexp_replace(clean, r"\D", ""))
    return F.when(clean.rlike(r"^[0-9a-f]{64}$"), clean).otherwise(digits)


def _digits(phone: Column) -> Column:
    """Meta: as E.164, without the plus sign."""
    return F.regexp_replace(_e164(phone), r"^\+", "")


def _to_micros(clv: Column) -> Column:
    return F.round(_not_below_zero(clv) * _MICROS).cast("bigint")


def _to_bucket(decile: Column) -> Column:
    """Google counts from 1, the lowest, to 10; our best decile is 1."""
    return (F.lit(11) - decile).cast("int")


def _to_stage(stage: Column) -> Column:
    """Who has never bought is a lead, who has lapsed has churned, all others are active."""
    named = F.when(stage == "lapsed", "Churned").otherwise("Active")
    return F.when(stage.isNull(), "Lead").otherwise(named)


def _not_negative(clv: Column) -> Column:
    return F.round(_not_below_zero(clv), 2)


def _not_below_zero(clv: Column) -> Column:
    """NULL stays NULL: of whom no value is known, none is told."""
    return F.when(clv < 0, F.lit(0.0)).otherwise(clv)


LAYOUTS: Mapping[str, Layout] = {
    "plain": Layout(),
    "google": Layout(
        email=_without_gmail_dots,
        phone=_e164,
        address_names={"email": "hashed_email", "phone": "hashed_phone_number"},
        facts={
            "clv": ("lifetime_value_micros", _to_micros),
            "clv_decile": ("lifetime_value_bucket", _to_bucket),
            "lifecycle_stage": ("lifecycle_stage", _to_stage),
        },
    ),
    "meta": Layout(
        phone=_digits,
        address_names={"email": "EMAIL", "phone": "PHONE"},
        facts={"clv": ("LOOKALIKE_VALUE", _not_negative)},
    ),
    "tiktok": Layout(
        email=_without_suffix,
        phone=_e164,
        address_names={"email": "email_sha256", "phone": "phone_sha256"},
        facts={},
    ),
}
