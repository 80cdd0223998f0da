"""Judge settings on labelled records: train, link and cluster without the labels, then compare with them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.blocking.sizes import count_all_blocks, refuse_explosion
from clvspark.identity.cleaning.shared_identifiers import drop_shared_identifiers
from clvspark.identity.cleaning.standardise import (
    input_columns,
    refuse_missing_columns,
    standardise_records,
)
from clvspark.identity.engines import EngineName
from clvspark.identity.evaluate.clusters import PairwiseQuality, evaluate_clusters
from clvspark.identity.evaluate.unreadable import count_unreadable
from clvspark.identity.record_ids import record_id, refuse_bad_ids
from clvspark.identity.resolver import IdentityResolver
from clvspark.identity.settings import IdentitySettings
from clvspark.lakehouse.errors import ConfigError

# The id of a record while it is judged: a digest, which tells nothing about the truth.
_BLIND = "blind_record_id"


@dataclass(frozen=True)
class Evaluation:
    """What the settings made of the records.

    quality : agreement with the truth. records, clusters, largest_cluster : of all records, also those without truth.
    pairs : scored pairs from `link_weight` on. unreadable : values that cannot be read, by column, see
    `count_unreadable`. steps : seconds by step.
    """

    quality: PairwiseQuality
    records: int
    clusters: int
    largest_cluster: int
    pairs: int
    unreadable: dict[str, int]
    steps: dict[str, float]


def threshold_weight(threshold: float) -> float:
    """A threshold as match weight in bits: a number between 0 and 1 is a probability, any other a weight already.

    >>> threshold_weight(0.5), threshold_weight(-4.0)
    (0.0, -4.0)
    """
    if not math.isfinite(threshold):
        raise ConfigError(
            "threshold", [f"{threshold} is no number: give a probability, or a weight in bits"]
        )
    return math.log2(threshold / (1 - threshold)) if 0 < threshold < 1 else threshold


def with_threshold(settings: IdentitySettings, threshold: float | None) -> IdentitySettings:
    """Settings whose pairs link, and whose groups hold together, from `threshold` on (see `threshold_weight`)."""
    if threshold is None:
        return settings
    weight = threshold_weight(threshold)
    return settings.model_copy(update={"link_weight": weight, "cut_weight": weight})


def evaluate_records(
    records: DataFrame,
    settings: IdentitySettings,
    *,
    truth_column: str,
    engine: EngineName = "auto",
    step: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Resolve labelled records and measure the persons against `truth_column`.

    The truth is taken off before anything else, and joined after clustering. Ids are replaced by digests: ties are
    broken by ids, and an id that begins with the true cluster would break them rightly. ConfigError for columns that
    are missing, a truth without a value, settings that use it and blocking rules that would compare too many pairs;
    ContractError for ids that are missing or repeated.
    """
    clock = _Clock(step)
    clock.start("reading records")
    _refuse_truth_in_use(records, settings, truth_column)
    refuse_missing_columns(records, [*settings.unique_id, *input_columns(settings)])
    refuse_bad_ids(records, settings)
    _refuse_empty_truth(records, truth_column)
    blind_id = F.substring(F.sha2(record_id(settings), 256), 1, 24)
    names = [F.col(f"`{name}`") for name in input_columns(settings)]
    blind = records.drop(truth_column).select(blind_id.alias(_BLIND), *names)
    truth = records.select(blind_id.alias("unique_id"), F.col(f"`{truth_column}`").alias("true_id"))

    clock.start("standardising")
    blind_settings = settings.model_copy(update={"unique_id": [_BLIND]})
    resolver = IdentityResolver(records.sparkSession, blind_settings, engine=engine)
    try:
        plain = standardise_records(blind, blind_settings).localCheckpoint()
        unreadable = count_unreadable(blind, plain, settings)
        standard = drop_shared_identifiers(plain, settings).localCheckpoint()
        if settings.blocking_rules:
            refuse_explosion(count_all_blocks(standard, settings), settings)
        clock.start("training")
        model = resolver.train(standard) if settings.compared else None
        clock.start("linking and clustering")
        resolved = resolver.resolve(standard, model)
        persons = resolved.persons.select("unique_id", "person_id").localCheckpoint()
        pairs = resolved.pairs.count()
        clock.start("comparing with the truth")
        sizes = persons.groupBy("person_id").agg(F.count(F.lit(1)).alias("n"))
        whole = sizes.agg(F.sum("n"), F.count("n"), F.max("n")).collect()[0]
        quality = evaluate_clusters(persons, truth)
    finally:
        resolver.engine.release()
    clock.start("")
    records_in, clusters, largest = (int(value or 0) for value in whole)
    return Evaluation(quality, records_in, clusters, largest, pairs, unreadable, clock.seconds)


def _refuse_truth_in_use(records: DataFrame, settings: IdentitySettings, truth: str) -> None:
    present = {name.lower() for name in records.columns}
    if truth.lower() not in present:
        fault = f"{truth!r} is not among the columns of the records: {', '.join(records.columns)}"
        raise ConfigError("truth column", [fault])
    used = {
        "unique_id": settings.unique_id,
        "attributes": input_columns(settings),
    }
    faults = [
        f"{truth!r} is used by {key!r} of the settings; what is to be found must not be told. Drop it there"
        for key, names in used.items()
        if truth.lower() in {name.lower() for name in names}
    ]
    if faults:
        raise ConfigError("truth column", faults)


def _refuse_empty_truth(records: DataFrame, truth: str) -> None:
    """ConfigError where nothing can be compared: all measures would be 1."""
    if records.where(F.col(f"`{truth}`").isNotNull()).isEmpty():
        fault = f"{truth!r} has no value in any record; name the column that is equal for records of one person"
        raise ConfigError("truth column", [fault])


class _Clock:
    """Seconds by step."""

    def __init__(self, step: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._step, self._name, self._since = step, "", 0.0

    def start(self, name: str) -> None:
        """End the step at hand and begin another; an empty name only ends."""
        now = time.monotonic()
        if self._name:
            self.seconds[self._name] = now - self._since
        self._name, self._since = name, now
        if name:
            self._step(name)
