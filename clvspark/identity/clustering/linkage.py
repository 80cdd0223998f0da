"""Profile linkage: take a component apart into persons by what its groups of records know together.

Every pair of records has a Bayes factor for each comparison. Two groups of records are weighed like two records:
for each comparison the *mean Bayes factor* over the pairs between them that know both values, its logarithm
summed over the comparisons, plus the prior. This is the likelihood ratio of "both groups speak of one person"
against "of two", where a group vouches for every value that any of its records has: a record without a birth date
and with a nickname joins a group of which one record has the nickname and another the postcode, although no single
pair would link it, and a value that only one record knows counts once. Contradictions count more, the more records
stand on both sides. The two most likely groups merge first, until none reach the cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

# No comparison of two records says less than this: one typing error too many is not a proof.
_LEAST_BITS = -8.0
# A comparison with less than this contradicts, one with a little more is merely unlike.
_CONFLICT = -1.0
_CUT_STEP = 2.0
_HIGHEST_CUT = 100.0
# Numbers that one batch of equally large components may hold in memory.
_BATCH_CELLS = 4_000_000


@dataclass(frozen=True)
class LinkageRules:
    """What the agglomeration obeys; weights in bits.

    Parameters
    ----------
    prior : that two random records are one person.
    cut : groups merge from this weight on.
    contradiction_growth : how much more a contradiction counts for each doubling of the smaller group.
    conflict_weights : taken off where a comparison contradicts, one for each comparison: people of one household
        share so much that only a given name or a birth date tells them apart.
    max_records : of one person; a larger group is taken apart by a higher cut.
    """

    prior: float
    cut: float
    contradiction_growth: float
    conflict_weights: tuple[float, ...]
    max_records: int

    def weigh(self, bits: Floats, smaller: Floats) -> Floats:
        """Weight of groups from the bits of each comparison (..., comparisons, n) and the smaller size (..., n)."""
        conflict = np.asarray(self.conflict_weights)[:, None]
        bits = np.where(bits < _CONFLICT, bits - conflict, bits)
        growth = 1.0 + self.contradiction_growth * np.log2(np.maximum(smaller, 1.0))
        return np.where(bits < 0, bits * growth[..., None, :], bits).sum(axis=-2) + self.prior


@dataclass(frozen=True)
class ComponentPairs:
    """All pairs of records inside components, one row a pair.

    Records are numbered 0 to `records` - 1 in the order of their ids. `bits`: one column a comparison, 0 where a
    value is missing. `bonds`: 1 for pairs that are one person whatever the evidence, -1 for pairs that are not.
    """

    component: Integers
    left: Integers
    right: Integers
    bits: Floats
    bonds: NDArray[np.int8]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.left)


def group_records(
    pairs: ComponentPairs, records: int, rules: LinkageRules
) -> tuple[Integers, Booleans]:
    """Persons of all records.

    Returns for each record the smallest record of its person, and whether the guard on `max_records` has taken
    its group apart. The answer for a component depends on nothing but its own set of records.
    """
    labels = np.arange(records)
    raised = np.zeros(records, dtype=bool)
    alone = np.bincount(pairs.component, minlength=records)[pairs.component] == 1
    joined = alone & (_weigh_pairs(pairs, rules) >= rules.cut)
    labels[pairs.right[joined]] = pairs.left[joined]
    larger = _select(pairs, ~alone, pairs.component[~alone])
    for members, batch in _batches(larger, rules):
        found = _agglomerate(batch, rules)
        labels[members] = np.take_along_axis(members, found, axis=1)
    cut = rules.cut
    while len(large := np.flatnonzero(np.bincount(labels)[labels] > rules.max_records)):
        cut += _CUT_STEP
        raised[large] = True
        inside = np.isin(pairs.left, large) & (labels[pairs.left] == labels[pairs.right])
        again = _select(pairs, inside, labels[pairs.left[inside]])
        labels[large] = large
        if cut > _HIGHEST_CUT:
            break
        higher = replace(rules, cut=cut)
        for members, batch in _batches(again, higher):
            labels[members] = np.take_along_axis(members, _agglomerate(batch, higher), axis=1)
    return labels, raised


def _weigh_pairs(pairs: ComponentPairs, rules: LinkageRules) -> Floats:
    """Weight of each pair of records by itself, bonds included."""
    bits = np.maximum(pairs.bits, _LEAST_BITS)[:, :, None]
    return _bound(rules.weigh(bits, np.ones((len(bits), 1)))[:, 0], pairs.bonds)


def _select(pairs: ComponentPairs, rows: Booleans, component: Integers) -> ComponentPairs:
    return ComponentPairs(
        component, pairs.left[rows], pairs.right[rows], pairs.bits[rows], pairs.bonds[rows]
    )


@dataclass
class _Batch:
    """Components of one size, groups of one record each at first.

    Sums of Bayes factors and counts of known pairs between groups, shape (b, comparisons, n, n); bonds and
    weights between them, shape (b, n, n).
    """

    factors: Floats
    known: Floats
    bonds: NDArray[np.int8]
    weights: Floats


def _batches(pairs: ComponentPairs, rules: LinkageRules) -> Iterator[tuple[Integers, _Batch]]:
    """Components of equal size together: members (b, n) in the order of their numbers, and their matrices."""
    if not len(pairs):
        return
    home = np.full(max(pairs.left.max(), pairs.right.max()) + 1, -1)
    home[pairs.left] = home[pairs.right] = pairs.component
    nodes = np.flatnonzero(home >= 0)
    nodes = nodes[np.argsort(home[nodes], kind="stable")]
    names, starts, sizes = np.unique(home[nodes], return_index=True, return_counts=True)
    number = np.searchsorted(names, pairs.component)
    position = np.empty_like(home)
    position[nodes] = np.arange(len(nodes))
    left, right = position[pairs.left] - starts[number], position[pairs.right] - starts[number]
    order = np.lexsort((number, sizes[number]))
    ordered_sizes = sizes[number[order]]
    for size in np.unique(sizes):
        low, high = np.searchsorted(ordered_sizes, [size, size + 1])
        rows = order[low:high]
        at_once = max(1, _BATCH_CELLS // (pairs.bits.shape[1] * size * size))
        components = np.flatnonzero(sizes == size)
        place = np.searchsorted(components, number[rows])
        for first in range(0, len(components), at_once):
            chosen = components[first : first + at_once]
            a, b = np.searchsorted(place, [first, first + at_once])
            part = rows[a:b]
            members = nodes[starts[chosen][:, None] + np.arange(size)]
            places = (place[a:b] - first, left[part], right[part])
            yield (
                members,
                _square(pairs.bits[part], pairs.bonds[part], places, members.shape, rules),
            )


def _square(
    bits: Floats,
    bonds: NDArray[np.int8],
    places: tuple[Integers, Integers, Integers],
    shape: tuple[int, int],
    rules: LinkageRules,
) -> _Batch:
    component, left, right = places
    count, size = shape
    known = np.zeros((count, bits.shape[1], size, size))
    square = _Batch(
        np.zeros_like(known),
        known,
        np.zeros((count, size, size), dtype=np.int8),
        np.full((count, size, size), rules.prior),
    )
    seen, bounded = bits != 0.0, np.maximum(bits, _LEAST_BITS)
    factors = np.exp2(bounded) * seen
    weights = rules.weigh(bounded[:, :, None], np.ones((len(bits), 1)))[:, 0]
    for i, j in ((left, right), (right, left)):
        square.known[component, :, i, j] = seen
        square.factors[component, :, i, j] = factors
        square.bonds[component, i, j] = bonds
        square.weights[component, i, j] = weights
    return square


def _agglomerate(batch: _Batch, rules: LinkageRules) -> Integers:
    """Position of the first record of each record's group, (b, n)."""
    count, size = batch.bonds.shape[0], batch.bonds.shape[1]
    labels = np.tile(np.arange(size), (count, 1))
    records = np.ones((count, size))
    weights = _bound(batch.weights, batch.bonds)
    weights[:, np.arange(size), np.arange(size)] = -np.inf
    live = np.arange(count)
    while len(live):
        flat = weights[live].reshape(len(live), -1)
        best = flat.argmax(axis=1)
        going = flat[np.arange(len(live)), best] >= rules.cut
        live, best = live[going], best[going]
        keep, drop = np.sort(np.stack(np.divmod(best, size)), axis=0)
        _merge(batch, live, keep, drop)
        records[live, keep] += records[live, drop]
        records[live, drop] = 0.0
        merged = labels[live] == drop[:, None]
        labels[live] = np.where(merged, keep[:, None], labels[live])
        row = _weights(batch, live, keep, records, rules)
        row[records[live] == 0] = -np.inf
        row[np.arange(len(live)), keep] = -np.inf
        weights[live, keep] = row
        weights[live, :, keep] = row
        weights[live, drop] = -np.inf
        weights[live, :, drop] = -np.inf
    return labels


def _merge(batch: _Batch, live: Integers, keep: Integers, drop: Integers) -> None:
    for matrix in (batch.factors, batch.known):
        matrix[live, :, keep] += matrix[live, :, drop]
        matrix[live, :, :, keep] += matrix[live, :, :, drop]
    # One pair that must stay apart keeps the groups apart; else one that must be together joins them.
    ours, theirs = batch.bonds[live, keep], batch.bonds[live, drop]
    bond = np.where(np.minimum(ours, theirs) < 0, -1, np.maximum(ours, theirs)).astype(np.int8)
    batch.bonds[live, keep] = bond
    batch.bonds[live, :, keep] = bond


def _weights(
    batch: _Batch, live: Integers, group: Integers, records: Floats, rules: LinkageRules
) -> Floats:
    """Weight of one group of each component against all its groups, in bits, (live, n)."""
    known = batch.known[live, :, group]
    mean = np.divide(batch.factors[live, :, group], known, out=np.ones_like(known), where=known > 0)
    smaller = np.minimum(records[live, group][:, None], records[live])
    return _bound(rules.weigh(np.log2(mean), smaller), batch.bonds[live, group])


def _bound(weights: Floats, bonds: NDArray[np.int8]) -> Floats:
    return np.where(bonds > 0, np.inf, np.where(bonds < 0, -np.inf, weights))
