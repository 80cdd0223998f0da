"""Why two records are one person, or are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from pyspark.sql import functions as F

from clvspark.identity.explain.records import (
    Ignored,
    Inspected,
    PairEvidence,
    inspect_records,
    read_champion,
    score_all_pairs,
)
from clvspark.identity.record_ids import unique_id
from clvspark.identity.settings import IdentitySettings
from clvspark.identity.tables import DECISION, PAIR, PERSON_LINK, current_links
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError

_DECIDED = {"same": "one person", "different": "two persons"}


class Bond(NamedTuple):
    """What goes before the weight of a pair, as a sentence, and whether it joins the two or keeps them apart."""

    sentence: str
    joins: bool


@dataclass(frozen=True)
class Explanation:
    """Two records, what speaks for and against them, and what became of them.

    evidence : None where the settings compare nothing. is_blocked : a blocking rule has brought the two together and
    their weight reached link_weight. bonds : what goes before the weight, strongest first. persons : ids of both, None
    for a record that was not resolved yet. verdict : sentences.
    """

    left: str
    right: str
    evidence: PairEvidence | None
    is_blocked: bool
    bonds: list[Bond]
    ignored: list[Ignored]
    persons: tuple[str | None, str | None]
    verdict: list[str]


def explain_pair(lake: Lakehouse, settings: IdentitySettings, left: str, right: str) -> Explanation:
    """Explain what the last run made of two records named SYSTEM:ID."""
    if left == right:
        raise ConfigError("identity explain", ["both records are the same; name two of them"])
    model = read_champion(lake)
    inspected = inspect_records(lake, settings, [left, right], model)
    left, right = sorted((left, right))
    evidence = None if model is None else score_all_pairs(inspected, settings, model)[0]
    same_pair = (F.col("unique_id_l") == left) & (F.col("unique_id_r") == right)
    is_blocked = bool(lake.read_or_empty(PAIR).where(same_pair).limit(1).count())
    decided = lake.read_or_empty(DECISION).where(same_pair).first()
    decision = (decided["verdict"], decided["decided_by"]) if decided else None
    bonds = list_bonds(inspected, settings, decision, left, right)
    links = current_links(lake.read_or_empty(PERSON_LINK))
    person = {
        row["unique_id"]: row["person_id"]
        for row in links.where(unique_id().isin(left, right))
        .select(unique_id(), "person_id")
        .collect()
    }
    persons = (person.get(left), person.get(right))
    weight = None if evidence is None else evidence.weight
    verdict = judge(persons, weight, settings, bonds=bonds, is_blocked=is_blocked)
    if decision and None not in persons and (decision[0] == "same") != (persons[0] == persons[1]):
        unknown = "The last run did not know this decision yet. Next step: clvspark resolve"
        verdict = [verdict[0], bonds[0].sentence, unknown]
    return Explanation(
        left, right, evidence, is_blocked, bonds, inspected.ignored, persons, verdict
    )


def list_bonds(
    inspected: Inspected,
    settings: IdentitySettings,
    decision: tuple[str, str | None] | None,
    left: str,
    right: str,
) -> list[Bond]:
    """What goes before the weight of a pair, strongest first."""
    found = []
    if decision:
        by = f" by {decision[1]}" if decision[1] else ""
        said = f"Decided{by}: they are {_DECIDED[decision[0]]}."
        found.append(Bond(said, joins=decision[0] == "same"))
    for name in settings.unique_identifiers:
        one, other = inspected.value(left, name), inspected.value(right, name)
        if one and other and one != other:
            said = f"Their {name} differs, of which a person has at most one."
            found.append(Bond(said, joins=False))
    for name in settings.trusted_identifiers:
        one, other = inspected.value(left, name), inspected.value(right, name)
        if one and one == other:
            said = f"They share a {name}, which is trusted: it alone makes one person."
            found.append(Bond(said, joins=True))
    return found


def judge(
    persons: tuple[str | None, str | None],
    weight: float | None,
    settings: IdentitySettings,
    *,
    bonds: list[Bond],
    is_blocked: bool,
) -> list[str]:
    """What became of two records, and the reason, in sentences."""
    if None in persons:
        return ["At least one of them was not there at the last run. Next step: clvspark resolve"]
    together = persons[0] == persons[1]
    said = [f"They are one person, {persons[0]}." if together else "They are two persons."]
    if bonds and bonds[0].joins == together:
        return [*said, f"What counts most: {bonds[0].sentence}"]
    if bonds:
        what = "hold them together" if together else "keep them apart"
        return [
            *said,
            bonds[0].sentence,
            f"But decisions about other records, or their identifiers, {what}.",
        ]
    if weight is None:
        return [*said, "Nothing is compared: only identifiers and decisions join records here."]
    links = weight >= settings.link_weight
    line = f"Alone they have {weight:.1f} bits; pairs link from {settings.link_weight:g} bits on"
    if together and links:
        said.append(f"{line}, so they hold together by themselves.")
    elif together:
        said.append(f"{line}: too few. Other records of the person hold them together.")
    elif not links:
        said.append(f"{line}: too few, and no other records bring them together.")
    elif not is_blocked:
        said.append(f"{line}, but no blocking rule has brought them together.")
    else:
        said.append(
            f"{line}, but the groups of records around them do not reach {settings.cut_weight:g} bits, or a guard "
            f"keeps persons below {settings.max_person_records} records."
        )
    return said
