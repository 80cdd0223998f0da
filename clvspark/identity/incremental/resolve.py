"""Persons after a change of records, without a look at what the change cannot reach.

The persons of a set of records R are a function of R, the settings, the model, its frozen term frequencies and the
decisions of people. It goes by connected components: two records are connected if they are a pair from `link_weight`
on, have a trusted identifier in common, or were decided to be the same; what becomes of a component depends on its own
records alone (`components.bounded_components`, `linkage.group_records`). So the persons are the same in whatever
batches R came to be, if after each batch every component is as if R had been given at once. Why it is:

1. *Evidence.* What a record is compared by depends on itself, on decisions about it, and on which of its identifiers
   are shared; that depends on the records which carry them. `changes.renew_evidence` counts every identifier of
   changed and lost records anew, and touches all carriers of one whose verdict flips.
2. *Pairs.* Whether two records meet and what they weigh depends on their evidence and on which of their blocks are
   hot. All records of a block, or a part of one, that became hot or cooled down are touched
   (`sizes.find_meetings`). So a pair of two untouched records is what it was; all others are deleted and linked
   anew, and the engine sees the blocks of touched records whole.
3. *Components.* Be L the components, as they were, of all records that changed, are touched or are gone, and of those
   that a touched record is now connected with; be A the records whose component was in L, and the new ones. A
   connection with an end in A has both ends in A: if one end is touched, the component of the other is in L; if
   none is, it was there before, so both ends had one component. So A is a union of components of R. Beyond A
   nothing is touched or gone: components there have the records and connections they had, and keep their persons.

Who is met, counted or connected has a block, an identifier or a decision in common with a touched record, as it is or
as it was, so all of this is looked up among the neighbours of these (`neighbours.find_neighbours`), not in all of R.

Touching more than necessary changes nothing, so a full run is one with everything touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.blocking.sizes import (
    Meetings,
    count_all_blocks,
    find_meetings,
    refuse_explosion,
)
from clvspark.identity.cleaning.shared_identifiers import blank_shared
from clvspark.identity.clustering.components import gather_edges, label_components
from clvspark.identity.clustering.trusted import trusted_pairs
from clvspark.identity.incremental.changes import Renewal
from clvspark.identity.incremental.neighbours import (
    ends_of,
    pairs_with_an_end,
    pairs_without_end,
    widen,
)
from clvspark.identity.model.term_frequency import adjusted_columns, value_hash
from clvspark.identity.model.train import IdentityModel
from clvspark.identity.resolver import IdentityResolver
from clvspark.identity.settings import IdentitySettings
from clvspark.lakehouse.side_by_side import keep_all
from clvspark.lakehouse.subsets import rows_among, rows_beside

_UNBOUNDED = 2**62
_PAIR_SCHEMA = (
    "unique_id_l string, unique_id_r string, match_weight double, match_probability double"
)


@dataclass(frozen=True)
class Knowledge:
    """What is frozen between trainings, and what people decided about records that exist."""

    model: IdentityModel | None
    frequencies: DataFrame | None
    bonds: DataFrame | None


@dataclass(frozen=True)
class Update:
    """What a run changes.

    Parameters
    ----------
    rows : the records A of the proof above, as identity.evidence has them, identifiers that are shared not blanked,
        with ``is_touched``; of those that are stored and not renewed ``component`` and ``is_divided`` as they were.
    evidence : `rows` as they are compared: shared identifiers blanked.
    inside : pairs of `evidence`.
    before : pairs of `evidence` and of records that are gone, as they were; None where everything is touched.
    clusters : ``unique_id, cluster, is_divided, component`` of `evidence`.
    labels : ``component`` of L; None where everything is touched.
    sizes : sizes of blocks, see `blocking.sizes`; None where there is no model.
    """

    rows: DataFrame
    evidence: DataFrame
    inside: DataFrame
    before: DataFrame | None
    clusters: DataFrame
    labels: DataFrame | None
    sizes: DataFrame | None


def resolve_everything(resolver: IdentityResolver, renewal: Renewal, known: Knowledge) -> Update:
    """Persons of all records, everything touched."""
    settings = resolver.settings
    evidence = _compared(renewal.renewed, settings).localCheckpoint(eager=False)
    sizes = None
    if known.model is not None:
        sizes = count_all_blocks(evidence, settings).localCheckpoint(eager=False)
        refuse_explosion(sizes, settings)
    pairs, persons = resolver.resolve(
        evidence, known.model, frequencies=known.frequencies, decisions=known.bonds
    )
    clusters = _describe(persons, evidence, pairs, known, settings)
    return Update(renewal.renewed, evidence, pairs, None, clusters, None, sizes)


def resolve_changes(
    resolver: IdentityResolver, renewal: Renewal, known: Knowledge, pairs: DataFrame
) -> Update:
    """Persons of the records that a change can reach. In: identity.pair as the last run left it."""
    settings = resolver.settings
    scene = _set_scene(renewal, settings)
    sizes = None
    links = resolver.spark.createDataFrame([], _PAIR_SCHEMA)
    if known.model is not None:
        scene, meetings = _touch_blocks(scene, renewal, known, settings)
        sizes = meetings.sizes.localCheckpoint(eager=False)
        refuse_explosion(sizes, settings)
        near = rows_among(scene.kept, meetings.met).withColumn("touched", F.lit(False))
        linked = near.unionByName(scene.touched.withColumn("touched", F.lit(True)))
        links = _link(resolver, linked.localCheckpoint(eager=False), known)
    labels = _reach(scene, renewal, links, known, settings)
    rows = _gather_rows(renewal, labels)
    evidence = _compared(rows, settings).localCheckpoint(eager=False)
    reached = evidence.select("unique_id").unionByName(renewal.gone)
    # Both ends of a pair are of one component, so its left end tells.
    before = rows_among(pairs.withColumnRenamed("unique_id_l", "unique_id"), reached)
    before = before.withColumnRenamed("unique_id", "unique_id_l").localCheckpoint(eager=False)
    ended = scene.touched.select("unique_id").unionByName(renewal.gone)
    held = pairs_without_end(before, ended).select(*links.columns)
    # Before anything is written: a Delta table that is read later is read as it is then.
    inside = held.unionByName(links).localCheckpoint()
    persons = resolver.cluster(
        evidence,
        inside,
        known.model,
        frequencies=_needed(known.frequencies, evidence, known.model),
        decisions=known.bonds,
    )
    clusters = _describe(persons, evidence, inside, known, settings)
    return Update(rows, evidence, inside, before, clusters, labels, sizes)


def _gather_rows(renewal: Renewal, labels: DataFrame) -> DataFrame:
    """The records of A: those whose component is among `labels`, and the renewed ones."""
    assert renewal.kept is not None  # noqa: S101 - of a renewal of some records
    members = rows_among(renewal.kept, labels, "component").withColumn("is_touched", F.lit(False))
    return renewal.renewed.unionByName(members, allowMissingColumns=True).localCheckpoint()


@dataclass(frozen=True)
class _Scene:
    """What meets what.

    Parameters
    ----------
    touched, kept : evidence, as it is compared, of touched records and of the others around them.
    before : evidence of touched and lost records as it was compared.
    around : neighbours of all that is or was touched, as they are stored.
    """

    touched: DataFrame
    kept: DataFrame
    before: DataFrame
    around: DataFrame


def _set_scene(renewal: Renewal, settings: IdentitySettings) -> _Scene:
    renewed = renewal.renewed
    idle = renewed.where("NOT is_touched")
    around, before = renewal.around, renewal.before
    assert around is not None and before is not None  # noqa: S101, PT018 - of a renewal of some records
    touched, before = keep_all(
        _compared(renewed.where("is_touched"), settings),
        _compared(rows_beside(before, idle), settings),
        eager=False,
    )
    return _Scene(touched, _untouched(around, renewal, settings), before, around)


def _untouched(around: DataFrame, renewal: Renewal, settings: IdentitySettings) -> DataFrame:
    idle = renewal.renewed.where("NOT is_touched")
    return _compared(around, settings).unionByName(_compared(idle, settings))


def _compared(rows: DataFrame, settings: IdentitySettings) -> DataFrame:
    return blank_shared(rows, settings).select("unique_id", *settings.columns)


def _touch_blocks(
    scene: _Scene, renewal: Renewal, known: Knowledge, settings: IdentitySettings
) -> tuple[_Scene, Meetings]:
    """Touch the records whose blocks became hot or cooled down; who meets whom after that."""
    meetings = find_meetings(scene.touched, scene.before, scene.kept, settings)
    if meetings.more.isEmpty():
        return scene, meetings
    assert renewal.kept is not None  # noqa: S101
    moved = rows_among(scene.kept, meetings.more).localCheckpoint(eager=False)
    around = widen(scene.around, renewal.kept, moved, known.bonds, settings)
    scene = _Scene(
        scene.touched.unionByName(moved).localCheckpoint(eager=False),
        rows_beside(_untouched(around, renewal, settings), moved),
        scene.before.unionByName(moved),
        around,
    )
    # No evidence has changed meanwhile: no further block can become hot or cool down.
    return scene, find_meetings(scene.touched, scene.before, scene.kept, settings)


def _link(resolver: IdentityResolver, evidence: DataFrame, known: Knowledge) -> DataFrame:
    assert known.model is not None  # noqa: S101
    frequencies = _needed(known.frequencies, evidence, known.model)
    return resolver.link(evidence, known.model, frequencies=frequencies).localCheckpoint(
        eager=False
    )


def _reach(
    scene: _Scene,
    renewal: Renewal,
    links: DataFrame,
    known: Knowledge,
    settings: IdentitySettings,
) -> DataFrame:
    """``component`` of every component that the change can reach, as it was named: L of the proof."""
    assert renewal.before is not None  # noqa: S101
    ids = [
        scene.touched.select("unique_id"),
        renewal.causes.select("unique_id"),
        ends_of(links),
    ]
    if known.bonds is not None:
        together = known.bonds.where("bond > 0")
        ids.append(ends_of(pairs_with_an_end(together, scene.touched)))
    for name in settings.trusted_identifiers:
        values = scene.touched.where(F.col(name).isNotNull()).select(name).distinct()
        ids.append(rows_among(scene.kept, values, name).select("unique_id"))
    reached = reduce(DataFrame.unionByName, ids).distinct()
    named = [rows.select("unique_id", "component") for rows in (scene.around, renewal.before)]
    components = rows_among(reduce(DataFrame.unionByName, named), reached)
    return components.select("component").distinct().localCheckpoint(eager=False)


def _describe(
    persons: DataFrame,
    evidence: DataFrame,
    pairs: DataFrame,
    known: Knowledge,
    settings: IdentitySettings,
) -> DataFrame:
    """``unique_id, cluster, is_divided, component`` of the persons that an engine found."""
    edges = gather_edges(pairs, trusted_pairs(evidence, settings), known.bonds)
    labelled = label_components(edges, link_weight=settings.link_weight, max_records=_UNBOUNDED)
    connected = labelled.select("unique_id", "component")
    return (
        persons.join(connected, on="unique_id", how="left")
        .select(
            "unique_id",
            F.col("person_id").alias("cluster"),
            F.col("raised_cut").alias("is_divided"),
            F.coalesce("component", "unique_id").alias("component"),
        )
        .localCheckpoint(eager=False)
    )


def _needed(
    frequencies: DataFrame | None, evidence: DataFrame, model: IdentityModel | None
) -> DataFrame | None:
    """The term frequencies of values that the records have."""
    if frequencies is None or model is None:
        return frequencies
    hashes = F.explode(F.array(*(value_hash(name) for name in adjusted_columns(model))))
    values = evidence.select(hashes.alias("value_hash")).distinct()
    return rows_among(frequencies, values, "value_hash").select(*frequencies.columns)
