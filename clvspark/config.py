"""The configuration of everything: one section for each room."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, NonNegativeInt

from clvspark.activation.config import ActivationConfig
from clvspark.audiences.config import AudiencesConfig
from clvspark.audiences.decisions.config import DecisionsConfig
from clvspark.catalogue import TABLES
from clvspark.clv.config import ClvConfig
from clvspark.history.config import HistoryConfig
from clvspark.identity.config import IdentityConfig
from clvspark.lakehouse.config import LakehouseConfig, SparkConfig
from clvspark.lakehouse.load_config import load_config
from clvspark.lakehouse.strict_model import Disagreement, StrictModel, check, repeated
from clvspark.measurement.config import MeasurementConfig
from clvspark.reporting.config import ReportingConfig
from clvspark.sources.config import SourcesConfig


class Feed(StrictModel):
    """What the stream reads beside landing files, and the mapping whose files its records land as.

    Each kind has a key of the configuration, `kind`, and a `name` by which the feed is known.
    """

    system: str = Field(description="of 'sources.systems'")
    path: str = Field(
        description="of one of its files, of format jsonl; the records land as files of it, which fill its '*'"
    )
    kind: ClassVar[str]

    @property
    def name(self) -> str:
        """Name of the feed among those of its kind."""
        raise NotImplementedError

    @property
    def id(self) -> str:
        """Name of the feed among all."""
        return f"{self.kind}:{self.name}"


class KafkaTopic(Feed):
    """A topic of JSON records."""

    kind = "stream.kafka"
    bootstrap_servers: str = Field(min_length=1)
    topic: str = Field(pattern=r"^[\w.-]+$")
    starting_offsets: Literal["earliest", "latest"] = Field(
        "earliest", description="where a new checkpoint begins"
    )
    options: dict[str, str] = Field(
        default_factory=dict, description="of Kafka's consumer, e.g. security.protocol"
    )

    @property
    def name(self) -> str:
        """The topic."""
        return self.topic


class DeltaTable(Feed):
    """A Delta table that rows are only ever added to; each row lands as a JSON record of its columns."""

    kind = "stream.delta"
    table: str = Field(
        min_length=1, description="a folder, which has a '/' in it, or a name in the catalog"
    )
    starting_version: NonNegativeInt | Literal["earliest", "latest"] = Field(
        "earliest",
        description="where a new checkpoint begins: with all rows that there are, with those from then on, or with "
        "those of a version",
    )

    @property
    def name(self) -> str:
        """The table."""
        return self.table

    @property
    def is_folder(self) -> bool:
        """Whether it is named by its folder."""
        return "/" in self.table


class StreamConfig(StrictModel):
    """What `clvspark stream` watches, how much it takes at once, and how often it does what can wait."""

    checkpoint: str | None = Field(
        None,
        description="folder of the checkpoint; None: inside the lakehouse folder (path mode only)",
    )
    kafka: list[KafkaTopic] = Field(
        [], description="topics beside the landing folder; a change needs a new checkpoint"
    )
    delta: list[DeltaTable] = Field(
        [], description="Delta tables beside the landing folder; a change needs a new checkpoint"
    )
    max_files: int = Field(
        200,
        ge=1,
        description="files that a micro-batch takes at most, of landing and of each table",
    )
    max_offsets: int = Field(10_000, ge=1, description="records that it takes of a topic at most")
    renew_seconds: float = Field(
        60, ge=0, description="pause between two renewals of persons, histories and values"
    )
    deliver_seconds: float = Field(5, ge=0, description="pause between two deliveries")
    maintain_hours: float = Field(
        24, gt=0, description="pause between two compactions of the tables that the stream writes"
    )
    metrics_file: str | None = Field(
        None, description="Prometheus text file; None: inside the folder of the checkpoint"
    )

    @property
    def feeds(self) -> list[Feed]:
        """Whatever is read beside landing files."""
        return [*self.kafka, *self.delta]

    @check
    def _each_feed_once(self) -> Iterator[str]:
        if twice := repeated(topic.topic for topic in self.kafka):
            yield f"topic {', '.join(twice)} is named more than once"
        if twice := repeated(delta.table for delta in self.delta):
            yield f"table {', '.join(twice)} is named more than once"


class Config(StrictModel):
    """What a configuration file holds."""

    as_of: dt.date = Field(description="first day not known; --as-of overrides it")
    spark: SparkConfig = SparkConfig()  # type: ignore[call-arg]
    lakehouse: LakehouseConfig
    sources: SourcesConfig
    identity: IdentityConfig
    history: HistoryConfig = HistoryConfig()  # type: ignore[call-arg]
    clv: ClvConfig = ClvConfig()  # type: ignore[call-arg]
    audiences: AudiencesConfig = AudiencesConfig()
    decisions: DecisionsConfig = DecisionsConfig()  # type: ignore[call-arg]
    activation: ActivationConfig
    measurement: MeasurementConfig = MeasurementConfig()  # type: ignore[call-arg]
    reporting: ReportingConfig = ReportingConfig()  # type: ignore[call-arg]
    stream: StreamConfig = StreamConfig()  # type: ignore[call-arg]

    @property
    def lists(self) -> dict[str, set[str]]:
        """Names of the lists that a destination may be told of, each with the channels that its members are told on.

        Those of audiences (no channels: whichever), of steps of moments, ``<moment>.<step>``, and of offers,
        ``<decision point>.<offer>``.
        """
        decisions = self.decisions
        found: dict[str, set[str]] = {audience.id: set() for audience in self.audiences.definitions}
        for moment in decisions.moments:
            for step in moment.steps:
                found[f"{moment.id}.{step.id}"] = {step.channel}
        channels = {offer.id: offer.channels for offer in decisions.offers}
        for point in decisions.points:
            for name in decisions.offers_at(point) + ([point.fallback] if point.fallback else []):
                found[f"{point.id}.{name}"] = {*channels[name]}
        return found

    @check
    def _destinations_of_lists_that_are(self) -> Iterator[str]:
        lists = self.lists
        for destination in self.activation.destinations:
            if unknown := sorted({*destination.audiences} - {*lists}):
                yield (
                    f"activation.destinations.{destination.id} names audiences that are not defined: "
                    f"{', '.join(unknown)}. Allowed: audiences, <moment>.<step>, <decision point>.<offer>"
                )
            for name in sorted({*destination.audiences} & {*lists}):
                if lists[name] and destination.channel not in lists[name]:
                    yield (
                        f"activation.destinations.{destination.id}: its channel is {destination.channel}, and {name} "
                        f"is sent on {', '.join(sorted(lists[name]))}"
                    )

    @check
    def _labels_of_lists_that_are(self) -> Iterator[str]:
        if unknown := sorted({*self.activation.labels.audiences} - {*self.lists}):
            yield f"activation.labels.audiences names audiences that are not defined: {', '.join(unknown)}"

    @check
    def _costs_of_lists_that_are(self) -> Iterator[str]:
        if unknown := sorted({*self.measurement.costs_per_contact} - {*self.lists}):
            yield f"measurement.costs_per_contact names audiences that are not defined: {', '.join(unknown)}"

    @check
    def _moments_and_offers_of_audiences_that_are(self) -> Iterator[str]:
        defined = [definition.id for definition in self.audiences.definitions]
        yield from self.decisions.list_unknown_audiences(defined)

    @check
    def _drills_into_tables_that_are(self) -> Iterator[Disagreement]:
        for said in self.reporting.find_drill_faults(TABLES):
            yield replace(said, at=("reporting", *said.at))

    @check
    def _folders_apart(self) -> Iterator[str]:
        root = self.lakehouse.root
        landing, exports = _folder(self.sources.landing), _folder(self.activation.exports)
        places = {
            "lakehouse.root": root,
            "activation.exports": self.activation.exports,
            "stream.checkpoint": self.stream.checkpoint,
        }
        for name, place in places.items():
            if place is not None and _folder(place).is_relative_to(landing):
                yield f"{name} must not lie in sources.landing, whose files are read"
        if root is not None and exports.is_relative_to(_folder(root)):
            yield "activation.exports must not lie in lakehouse.root, whose folders are tables"


def _folder(name: str) -> Path:
    return Path(name).absolute()


def read_config(path: str | Path) -> Config:
    """Read a configuration file; ConfigError lists every fault."""
    return load_config(path, Config)


def shipped_config(name: str) -> Path:
    """A configuration that comes with clvspark: of the checkout, else of the installed package."""
    here = Path(__file__).resolve().parent
    for folder in (here.parent / "conf", here / "conf"):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"clvspark ships no configuration {name}")
