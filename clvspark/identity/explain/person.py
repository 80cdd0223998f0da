"""A person seen closely: records, what holds them together, the weakest link, and how the person came to be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import igraph
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.clustering.components import CERTAIN
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
from clvspark.identity.tables import (
    ALIAS,
    DECISION,
    PAIR,
    PERSON,
    PERSON_CHANGE,
    PERSON_LINK,
    current_links,
)
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import MissingInputError


@dataclass(frozen=True)
class Link:
    """Two records of the person that link by themselves.

    weight : bits; `CERTAIN` for a trusted identifier and a decision. is_bridge : without it the person falls apart.
    is_blocked : a blocking rule has found the pair; the others were scored because the person has both records.
    """

    left: str
    right: str
    weight: float
    is_bridge: bool
    is_blocked: bool


@dataclass(frozen=True)
class PersonView:
    """Everything about one person.

    asked : the id that was asked for, another one if it is retired or that of a record. golden : attribute, value,
    origin. links : the strongest first. weakest : the link at which the records would first part if links below a
    weight did not count.
    parts : groups of records that no link connects, which only the evidence of whole groups holds together.
    """

    person_id: str
    asked: str
    golden: list[tuple[str, str, str]]
    records: list[dict[str, Any]]
    columns: list[str]
    links: list[Link]
    weakest: Link | None
    parts: int
    ignored: list[Ignored]
    history: list[dict[str, Any]]
    changes: list[dict[str, Any]]


def view_person(lake: Lakehouse, settings: IdentitySettings, asked: str) -> PersonView:
    """Read one person; a retired id leads to the person that absorbed it, that of a record to the person of today."""
    if not lake.exists(PERSON_LINK):
        raise MissingInputError("No records have been resolved yet. Next step: clvspark resolve")
    changes = lake.read(PERSON_CHANGE)
    person_id = _follow(lake, asked)
    links = lake.read(PERSON_LINK).select(unique_id(), "*").where(F.col("person_id") == person_id)
    history = [row.asDict() for row in links.orderBy("valid_from", "unique_id").collect()]
    current = [row for row in history if row["valid_to"] is None]
    if not current:
        raise MissingInputError(
            f"{PERSON.name} has no person of this id today, no other has absorbed it, and no record is named so. Ids "
            "are shown by clvspark identity explain, and are in identity.person_link."
        )
    model = read_champion(lake)
    ids = sorted(row["unique_id"] for row in current)
    inspected = inspect_records(lake, settings, ids, model)
    scored = [] if model is None else score_all_pairs(inspected, settings, model)
    found = find_links(
        ids,
        scored,
        settings.link_weight,
        certain=_certain(lake, settings, inspected, ids),
        blocked=_blocked(lake, ids),
    )
    columns = [a.column for a in settings.attributes]
    since = {row["unique_id"]: row for row in current}
    shown = [
        {
            "unique_id": i,
            "since": since[i]["valid_from"],
            "reason": since[i]["reason"],
            "probability": since[i]["probability"],
            **{name: inspected.value(i, name) for name in columns},
        }
        for i in ids
    ]
    return PersonView(
        person_id,
        asked,
        _golden(lake, person_id),
        shown,
        columns,
        found,
        weakest_link(ids, found),
        len(_graph(ids, found).connected_components()),
        inspected.ignored,
        [row for row in history if row["valid_to"] is not None],
        _changes(changes, person_id),
    )


def find_links(
    ids: list[str],
    scored: list[PairEvidence],
    link_weight: float,
    *,
    certain: set[tuple[str, str]],
    blocked: set[tuple[str, str]],
) -> list[Link]:
    """Links between records of a person, the strongest first, with the bridges among them."""
    weight = {(p.left, p.right): p.weight for p in scored if p.weight >= link_weight}
    weight |= dict.fromkeys(certain, CERTAIN)
    pairs = sorted(weight, key=lambda pair: (-weight[pair], pair))
    number = {name: n for n, name in enumerate(ids)}
    graph = igraph.Graph(n=len(ids), edges=[(number[a], number[b]) for a, b in pairs])
    bridges = set(graph.bridges())
    return [
        Link(a, b, weight[a, b], n in bridges, (a, b) in blocked) for n, (a, b) in enumerate(pairs)
    ]


def weakest_link(ids: list[str], links: list[Link]) -> Link | None:
    """The weakest edge of the maximum spanning tree: the records part there first. None without links."""
    if not links:
        return None
    tree = _graph(ids, links).spanning_tree(
        weights=[-link.weight for link in links], return_tree=False
    )
    return min((links[n] for n in tree), key=lambda link: (link.weight, link.left, link.right))


def _graph(ids: list[str], links: list[Link]) -> igraph.Graph:
    number = {name: n for n, name in enumerate(ids)}
    return igraph.Graph(n=len(ids), edges=[(number[k.left], number[k.right]) for k in links])


def _follow(lake: Lakehouse, person_id: str) -> str:
    if ":" in person_id:  # an id of a record; no person has such a one
        links = current_links(lake.read(PERSON_LINK))
        record = links.where(unique_id() == person_id).first()
        return person_id if record is None else record["person_id"]
    row = lake.read_or_empty(ALIAS).where(F.col("retired_id") == person_id).first()
    return person_id if row is None else row["person_id"]


def _certain(
    lake: Lakehouse, settings: IdentitySettings, inspected: Inspected, ids: list[str]
) -> set[tuple[str, str]]:
    """Pairs that a decision or a trusted identifier joins; neighbours by value stand for all of a value."""
    decided = lake.read_or_empty(DECISION).where("verdict = 'same'")
    inside = decided.where(F.col("unique_id_l").isin(ids) & F.col("unique_id_r").isin(ids))
    pairs = {(row["unique_id_l"], row["unique_id_r"]) for row in inside.collect()}
    for name in settings.trusted_identifiers:
        of: dict[str, list[str]] = {}
        for record in ids:
            value = inspected.value(record, name)
            if value is not None:
                of.setdefault(value, []).append(record)
        pairs |= {pair for members in of.values() for pair in pairwise(members)}
    return pairs


def _blocked(lake: Lakehouse, ids: list[str]) -> set[tuple[str, str]]:
    pairs = lake.read_or_empty(PAIR)
    inside = pairs.where(F.col("unique_id_l").isin(ids) & F.col("unique_id_r").isin(ids))
    return {
        (row["unique_id_l"], row["unique_id_r"])
        for row in inside.select("unique_id_l", "unique_id_r").collect()
    }


def _golden(lake: Lakehouse, person_id: str) -> list[tuple[str, str, str]]:
    row = lake.read(PERSON).where(F.col("person_id") == person_id).first()
    if row is None:
        return []
    origin, rule = row["provenance"] or {}, row["decided_by"] or {}
    names = ("given_name", "surname", "birth_date", "email", "phone", "street", "city", "postcode")
    return [
        (name, str(row[name]), f"{origin.get(name, '-')} ({rule.get(name, '-')})")
        for name in names
        if row[name] is not None
    ]


def _changes(changes: DataFrame, person_id: str) -> list[dict[str, Any]]:
    own = changes.where((F.col("person_id") == person_id) | (F.col("other_person_id") == person_id))
    rows: list[dict[str, Any]] = [row.asDict() for row in own.collect()]
    return sorted(rows, key=lambda row: (row["changed_on"] or date.min, row["change_type"]))
