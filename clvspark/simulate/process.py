"""Purchases of the generated population: Pareto/NBD and Gamma-Gamma, with campaign effects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from scipy.special import gammaincinv
from scipy.stats import poisson

from clvspark.simulate.baskets import BASKET_COLUMNS
from clvspark.simulate.cdnow import BASKETS_PER_PERSON
from clvspark.simulate.draws import Float64, Uint64, counter_uniforms
from clvspark.simulate.settings import (
    CAMPAIGN_DAYS,
    WINDOW_END,
    WINDOW_START,
    PopulationSettings,
    PurchaseProcess,
)

_ACQUISITION_DAYS = 365
_EPOCH = date(1970, 1, 1)
_END_DAY = (WINDOW_END - _EPOCH).days
_RELATIONSHIP = "person_key long, first_on date, purchase_rate double, lifetime_weeks double"


def draw_relationships(
    spark: SparkSession, persons: int, seed: int, process: PurchaseProcess
) -> DataFrame:
    """Draw each person's first purchase day, purchase rate a week and lifetime in weeks."""

    def draw(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            key = batch["id"].to_numpy().astype(np.uint64)
            rate = _gamma(process.r, _uniform(seed, "rate", key)) / process.alpha
            lapse = _gamma(process.s, _uniform(seed, "lapse rate", key)) / process.beta
            weeks = -np.log(_uniform(seed, "lifetime", key)) / np.maximum(lapse, 1e-12)
            first = (WINDOW_START - _EPOCH).days + np.floor(
                _uniform(seed, "first day", key) * _ACQUISITION_DAYS
            )
            yield pa.record_batch(
                [batch["id"], pa.array(first.astype(np.int32), pa.date32()), rate, weeks],
                names=["person_key", "first_on", "purchase_rate", "lifetime_weeks"],
            )

    return spark.range(1, persons + 1).mapInArrow(draw, _RELATIONSHIP)


def draw_baskets(persons: DataFrame, seed: int, settings: PopulationSettings) -> DataFrame:
    """Draw every basket of each person; `campaign` tells which campaign caused an extra one.

    The first basket stands on `first_on`. Repeat baskets are a Poisson process of the person's
    rate while alive. A contacted person who is alive buys at rate * lift on top during the
    campaign's window, so that the sum is again a Poisson process with rate * (1 + lift).
    """

    def draw(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield _draw_batch(batch, seed, settings)

    columns = ["person_key", "first_on", "purchase_rate", "lifetime_weeks", "assignments"]
    return persons.select(*columns).mapInArrow(draw, BASKET_COLUMNS)


def _draw_batch(batch: pa.RecordBatch, seed: int, settings: PopulationSettings) -> pa.RecordBatch:
    key = batch["person_key"].to_numpy().astype(np.uint64)
    first = batch["first_on"].cast(pa.int32()).to_numpy().astype(np.float64)
    rate = batch["purchase_rate"].to_numpy()
    until = np.minimum(_END_DAY, first + 7.0 * batch["lifetime_weeks"].to_numpy())
    rows = np.arange(len(key))
    owner, day = [rows], [first]
    cause = [np.full(len(key), -1)]
    streams = [(rows, first, until, rate, "repeat", -1)]
    for index, treated in _treated_rows(batch).items():
        start = float((settings.campaigns[index].starts_on - _EPOCH).days)
        stop = np.minimum(start + CAMPAIGN_DAYS, until[treated])
        begin = np.maximum(start, first[treated])
        extra = rate[treated] * settings.campaigns[index].lift
        streams.append((treated, begin, stop, extra, f"campaign {index}", index))
    for people, begin, stop, intensity, purpose, index in streams:
        who, when = _poisson_process(seed, purpose, key[people], begin, stop, intensity)
        owner.append(people[who])
        day.append(when)
        cause.append(np.full(len(who), index))
    return _to_batch(key, np.concatenate(owner), np.concatenate(day), np.concatenate(cause),
                     seed, settings.process)  # fmt: skip


def _treated_rows(batch: pa.RecordBatch) -> dict[int, np.ndarray]:
    """Return the rows of the batch that each campaign contacted."""
    lists = batch["assignments"]  # null for whoever cannot be contacted
    parents = np.asarray(lists.value_parent_indices())
    entries = lists.flatten()
    treated = entries.field("treated").to_numpy(zero_copy_only=False).astype(bool)
    campaign = entries.field("campaign").to_numpy()
    return {
        int(index): parents[treated & (campaign == index)] for index in np.unique(campaign[treated])
    }


def _poisson_process(
    seed: int, purpose: str, key: Uint64, begin: Float64, stop: Float64, weekly_rate: Float64
) -> tuple[np.ndarray, Float64]:
    """Draw the points of a homogeneous Poisson process: positions in `key`, and days."""
    length = np.maximum(stop - begin, 0.0)
    count = np.asarray(
        poisson.ppf(_uniform(seed, f"{purpose} count", key), weekly_rate * length / 7.0),
        dtype=np.int64,
    )
    who = np.repeat(np.arange(len(key)), count)
    number = np.arange(len(who)) - np.repeat(np.cumsum(count) - count, count)
    u = counter_uniforms(seed, f"{purpose} time", key[who], number.astype(np.uint64))
    return who, np.floor(begin[who] + u * length[who])


def _to_batch(
    key: Uint64, owner: np.ndarray, day: Float64, cause: np.ndarray, seed: int,
    process: PurchaseProcess,
) -> pa.RecordBatch:  # fmt: skip
    order = np.lexsort((cause, day, owner))
    owner, day, cause = owner[order], day[order], cause[order]
    starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    sequence = np.arange(len(owner)) - np.repeat(starts, np.diff(np.r_[starts, len(owner)])) + 1
    if len(sequence) and sequence.max() >= BASKETS_PER_PERSON:
        raise ValueError(f"a person would have {sequence.max()} baskets, the bound is 1023")
    person = key[owner]
    scale = _gamma(process.q, _uniform(seed, "spend scale", key)) / process.gamma
    spend = _gamma(process.p, counter_uniforms(seed, "spend", person, sequence.astype(np.uint64)))
    cents = np.maximum(np.rint(100.0 * spend / scale[owner]), 1.0).astype(np.int64)
    items = np.clip(np.rint(cents / 1500.0), 1, 99).astype(np.int32)
    return pa.record_batch(
        [
            pa.array(person.astype(np.int64) * BASKETS_PER_PERSON + sequence, pa.int64()),
            pa.array(person.astype(np.int64), pa.int64()),
            pa.array(day.astype(np.int32), pa.date32()),
            pa.array(items, pa.int32()),
            pa.array(cents, pa.int64()),
            pa.array(cause.astype(np.int32), pa.int32(), mask=cause < 0),
        ],
        names=["basket_key", "person_key", "day", "quantity", "cents", "campaign"],
    )


def _uniform(seed: int, purpose: str, key: Uint64) -> Float64:
    return counter_uniforms(seed, purpose, key, np.zeros(1, np.uint64))


def _gamma(shape: float, u: Float64) -> Float64:
    """Return Gamma(shape, 1) draws by inversion."""
    return np.asarray(gammaincinv(shape, u), dtype=np.float64)
