"""The stream itself, on a real Structured Streaming query; what the stages do with a drop is told elsewhere."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest
from support.shops import open_lake, open_till_shop

from clvspark import stream
from clvspark.catalogue import TABLES
from clvspark.config import StreamConfig
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.lakehouse.errors import ConfigError, LockedError, MissingInputError

pytestmark = [pytest.mark.e2e, pytest.mark.spark]
DAY = date(2026, 4, 1)


@dataclass
class Stages:
    """Stands for the stages: notes for which day they were run, and does what a test wants next."""

    then: list[Callable[[], None]] = field(default_factory=list)
    days: list[date] = field(default_factory=list)

    def __call__(self, lake, config, names, *, as_of, patience_seconds) -> Iterator[RunReport]:
        self.days.append(as_of)
        if self.then:
            self.then.pop(0)()
        for name in names:
            yield RunReport(name, "success", 0.1)


@pytest.fixture
def stages(monkeypatch):
    stages = Stages()
    monkeypatch.setattr(stream, "run_stages", stages)
    return stages


@pytest.fixture
def shop(tmp_path):
    return open_till_shop(tmp_path / "shop")


@pytest.fixture
def start(spark, shop):
    """Starts the stream; every batch has a day of its own, unless one is given. Returns the finished stages."""
    days = iter(DAY + timedelta(days=n) for n in range(9))

    def run(*, as_of=None, every=None, lake=None, config=None) -> list[str]:
        reports: list[str] = []
        stream.stream_landing(
            lake or open_lake(spark, shop),
            config or shop.config(),
            as_of=as_of,
            every=every,
            report=lambda report: reports.append(report.stage),
            clock=lambda: next(days),
        )
        return reports

    return run


def drop(shop, name: str) -> None:
    """Another file lands, whole."""
    draft = shop.folder / name
    draft.write_text((shop.landing / "sales.csv").read_text())
    draft.rename(shop.landing / name)


def interrupt() -> None:
    """What Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)


def test_each_drop_is_taken_as_of_its_own_day_until_the_stream_is_stopped(start, shop, stages):
    stages.then = [lambda: drop(shop, "more.csv"), interrupt]
    before = signal.getsignal(signal.SIGINT)

    assert start(every="100 milliseconds") == [*stream.STREAMED] * 2
    assert stages.days == [DAY, DAY + timedelta(days=1)]
    assert signal.getsignal(signal.SIGINT) == before


def test_a_day_that_is_given_holds_for_every_drop(start, shop, stages):
    stages.then = [lambda: drop(shop, "more.csv"), interrupt]
    start(every="100 milliseconds", as_of=date(2026, 1, 31))

    assert stages.days == [date(2026, 1, 31)] * 2


def test_a_drop_is_finished_before_the_stream_stops_and_not_taken_again(start, shop, stages):
    stages.then = [interrupt]

    assert start(every="100 milliseconds") == [*stream.STREAMED]
    assert start() == []
    drop(shop, "more.csv")
    assert start() == [*stream.STREAMED]


def test_the_error_of_a_stage_ends_the_stream_as_it_is(start, stages):
    def fail() -> None:
        raise LockedError("held by another")

    stages.then = [fail]
    with pytest.raises(LockedError, match="held by another"):
        start()
    assert start() == [*stream.STREAMED]


def test_a_missing_landing_folder_is_refused(start, shop, stages):
    (shop.landing / "sales.csv").unlink()
    shop.landing.rmdir()

    with pytest.raises(
        MissingInputError, match=r"landing does not exist. Create it, or correct 'sources.landing'"
    ):
        start()
    assert not (shop.lakehouse / "_stream").exists()


def test_catalog_mode_keeps_its_checkpoint_where_the_configuration_says(spark, shop, start, stages):
    settings = shop.config().lakehouse.model_copy(update={"root": None, "catalog": "spark_catalog"})
    lake = Lakehouse(spark, settings, TABLES)
    with pytest.raises(ConfigError, match=r"stream.checkpoint: .*\n.*required in catalog mode"):
        start(lake=lake)

    place = shop.folder / "checkpoint"
    config = shop.config().model_copy(update={"stream": StreamConfig(checkpoint=str(place))})
    assert start(lake=lake, config=config) == [*stream.STREAMED]
    assert start(lake=lake, config=config) == []
    assert [Path(path).name for path in place.glob("commits/0")] == ["0"]
