"""Who may be sent where: consent, an address, suppression and the holdout, in this order."""

from __future__ import annotations

from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.activation.destinations.settings import Destination
from clvspark.activation.tables import ASSIGNMENT
from clvspark.privacy.consent import MARKETING
from clvspark.privacy.identifiers import address_key


def purpose_suffix(purpose: str) -> str:
    """What a column about a purpose ends in; marketing is the rule and needs no word."""
    return "" if purpose == MARKETING else f"_{purpose}"


def join_addresses(
    contacts: DataFrame, allowed: DataFrame, held: DataFrame, identifier: str
) -> DataFrame:
    """Add what is known of the contacts' address: ``<identifier>_consent_<channel>`` and ``<identifier>_held``.

    In: contacts; ``entry, consent_<channel>`` of `judge_entries`; ``entry, held`` of `hold_entries`.
    """
    verdicts = allowed.join(held, on="entry", how="full_outer").select(
        F.col("entry").alias("_entry"),
        *(
            F.col(name).alias(f"{identifier}_{name}")
            for name in (*allowed.columns, "held")
            if name != "entry"
        ),
    )
    address = address_key(identifier, F.col(identifier)).alias("_entry")
    return contacts.select("*", address).join(verdicts, on="_entry", how="left").drop("_entry")


def judge_members(members: DataFrame, contacts: DataFrame, destination: Destination) -> DataFrame:
    """Verdict on every member of the destination's lists.

    In: ``audience_id, person_id, channel`` of the members, of whom those of another channel are told elsewhere;
    contacts: one row a person with email, phone, split_group,
    ``consent_<channel>``, what `join_addresses` adds, and ``<identifier>_suppressed`` where there are suppressions.
    Consent is that of the person and of everybody who shares the address, to each of the destination's purposes. Who is
    held out, or has an address, whichever, of somebody who is, is held out everywhere: told by one destination and not
    by another, they would belong to no group. Out: the members with ``verdict`` (eligible, without_consent,
    without_identifier, suppressed or held_out) and ``address``, the identifier as the destination wants it named.
    """
    here = F.coalesce("channel", F.lit(destination.channel)) == destination.channel
    listed = members.where(F.col("audience_id").isin(*destination.audiences) & here)
    joined = listed.join(contacts, on="person_id", how="left")
    identifier, no = destination.identifier, F.lit(False)
    address = F.col(identifier)
    may = reduce(Column.__and__, (_may_use(destination, p) for p in destination.purposes))
    known = [F.coalesce(F.col(name), no) for name in contacts.columns if name.endswith("_held")]
    held = reduce(Column.__or__, known, F.col("split_group") == "holdout")
    mark = f"{identifier}_suppressed"
    suppressed = F.coalesce(F.col(mark), no) if mark in contacts.columns else no
    verdict = (
        F.when(~may, "without_consent")
        .when(address.isNull(), "without_identifier")
        .when(suppressed, "suppressed")
        .when(held, "held_out")
        .otherwise("eligible")
    )
    return joined.select(
        "audience_id", "person_id", verdict.alias("verdict"), address.alias("address")
    )


def _may_use(destination: Destination, purpose: str) -> Column:
    """Whether a member, and everybody who shares the address, has consented to one purpose."""
    name, no = f"consent_{destination.channel}{purpose_suffix(purpose)}", F.lit(False)
    shared = F.coalesce(F.col(f"{destination.identifier}_{name}"), no)
    return F.coalesce(F.col(name), no) & (F.col(destination.identifier).isNull() | shared)


def assign_members(
    judged: DataFrame, assigned: DataFrame, *, as_of: date, acted_on: date | None = None
) -> DataFrame:
    """New rows of activation.assignment: who could have been told on this day, and who of them is held out.

    In: verdicts over all destinations; the assignments so far, which stay as they are; the day on which they are told,
    the date if None. Whoever may not be addressed, for want of consent or address, is in no group: acting could not
    have reached them.
    """
    could = judged.where("verdict IN ('eligible', 'held_out')")
    group = F.when(F.col("verdict") == "held_out", "holdout").otherwise("treatment")
    key = ["audience_id", "person_id"]
    today = could.select(
        *key,
        F.lit(as_of).alias("as_of_date"),
        group.alias("split_group"),
        F.lit(acted_on or as_of).alias("acted_on"),
    )
    before = assigned.where(F.col("as_of_date") == F.lit(as_of)).select(*key)
    return today.distinct().join(before, on=key, how="left_anti").select(*ASSIGNMENT.names)
