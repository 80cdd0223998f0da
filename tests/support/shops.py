"""A small shop in a folder: landing files, a configuration, a lakehouse; run in or out of process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import psutil
import yaml

from clvspark.catalogue import TABLES
from clvspark.config import Config, read_config, shipped_config
from clvspark.lakehouse import Lakehouse, RunReport
from support.jvm import TINY_SPARK

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]
# Written only where somebody asks to be forgotten, decides on a pair, keeps a list of refusals, or configures segments,
# moments or offers.
BY_PEOPLE = {
    "privacy.tombstone",
    "identity.decision",
    "activation.suppression",
    "clv.segment_model",
    "audiences.moment",
    "audiences.journey",
    "audiences.journey_step",
    "audiences.decision",
    "audiences.offer_posterior",
    "measurement.offer_outcome",
}


@dataclass(frozen=True)
class Shop:
    """Where the files of one installation lie."""

    folder: Path

    @property
    def landing(self) -> Path:
        return self.folder / "landing"

    @property
    def truth(self) -> Path:
        return self.folder / "truth"

    @property
    def lakehouse(self) -> Path:
        return self.folder / "lakehouse"

    @property
    def exports(self) -> Path:
        return self.folder / "exports"

    @property
    def page(self) -> Path:
        return self.folder / "report.html"

    @property
    def printed(self) -> Path:
        """What the run of the fixture `finished` printed."""
        return self.folder / "printed.txt"

    @property
    def config_file(self) -> Path:
        return self.folder / "conf" / "shop.yaml"

    def config(self) -> Config:
        return read_config(self.config_file)


def open_shop(folder: Path, goods: Path, **sections: dict[str, Any]) -> Shop:
    """Set up a shop with a copy of the landing files and the truth that lie in `goods`.

    Its configuration extends the demo's, of which only places differ and what `sections` say.
    """
    shop = Shop(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("landing", "truth"):
        shutil.copytree(goods / name, folder / name)
    write_config(shop, **sections)
    return shop


def write_config(shop: Shop, *, base: str = "demo.yaml", **sections: Any) -> None:
    """Write the shop's configuration into a copy of the shipped ones, of which it extends `base`."""
    if not shop.config_file.parent.exists():
        shutil.copytree(shipped_config("demo.yaml").parent, shop.config_file.parent)
    places: dict[str, dict[str, Any]] = {
        "spark": {
            "master": "local[1]",
            "driver_memory": "1500m",
            "shuffle_partitions": 1,
            "conf": TINY_SPARK,
        },
        "lakehouse": {"root": str(shop.lakehouse)},
        "sources": {"landing": str(shop.landing)},
        "identity": {"truth": str(shop.truth / "record_person.parquet")},
        # One fold and no challenger: most tests ask for values, and few how they were chosen.
        "clv": {"backtest": {"folds": 1}, "challenger": {"enabled": False}},
        "activation": {"exports": str(shop.exports)},
        "reporting": {"page": str(shop.page)},
    }
    merged = {name: {**places.get(name, {}), **sections.get(name, {})} for name in places}
    merged |= {name: section for name, section in sections.items() if name not in places}
    text = yaml.safe_dump({"extends": base, **merged})
    shop.config_file.write_text(text, encoding="utf-8")


def open_till_shop(
    folder: Path, *, header: str = "receipt,card,sold_at,amount", **sections: dict[str, Any]
) -> Shop:
    """Set up a shop with one till and three sales, to two cards and to nobody known."""
    shop = Shop(folder)
    shop.landing.mkdir(parents=True)
    sales = ["r1,c1,2026-01-05 10:00:00,12.34", "r2,c2,2026-02-05 10:00:00,20.00"]
    sales.append("r3,,2026-03-05 10:00:00,0.99")
    (shop.landing / "sales.csv").write_text("\n".join([header, *sales, ""]))
    order: dict[str, Any] = {
        "event_id": "receipt",
        "event_type": {"value": "order"},
        "source_record_id": "card",
        "occurred_at": "sold_at",
        "channel": {"value": "shop"},
        "order_id": "receipt",
        "net_revenue": "amount",
    }
    outputs = [
        {"to": "event", "fields": order},
        {"to": "customer_record", "derived": True, "fields": {"source_record_id": "card"}},
    ]
    files = [{"path": "sales.csv", "format": "csv", "outputs": outputs}]
    sections = {
        "sources": {"systems": [{"system": "till", "files": files}]},
        "identity": {"truth": None, "settings": {"attributes": []}},
        **sections,
    }
    write_config(shop, base="base.yaml", as_of=date(2026, 4, 1), **sections)
    return shop


def copy_shop(shop: Shop, folder: Path) -> Shop:
    """Copy a shop with its lakehouse; times are kept, so that files still count as seen."""
    shutil.copytree(shop.folder, folder, ignore=shutil.ignore_patterns("conf"))
    copy = Shop(folder)
    write_config(copy)
    return copy


def open_lake(spark: SparkSession, shop: Shop) -> Lakehouse:
    """Open the shop's lakehouse with the session of the tests."""
    return Lakehouse(spark, shop.config().lakehouse, TABLES)


def run_pipeline(
    spark: SparkSession, shop: Shop, names: Iterable[str] | None = None
) -> list[RunReport]:
    """Run stages (all of them, unless named) with the session of the tests."""
    from clvspark.pipeline import STAGES, run_stages

    config = shop.config()
    lake = open_lake(spark, shop)
    return list(run_stages(lake, config, names or list(STAGES), as_of=config.as_of))


def environment(**more: str) -> dict[str, str]:
    """The environment of a program started by a test: nothing of pytest's or of a running Spark's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYSPARK", "SPARK", "CLVSPARK", "PYTEST"))
    }
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **more}


def command_line(*arguments: str | Path) -> list[str]:
    """The command ``clvspark ARGUMENTS`` in this environment."""
    return [str(Path(sys.executable).with_name("clvspark")), *map(str, arguments)]


def clvspark(
    *arguments: str | Path, cwd: Path, timeout: float = 500, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the real command line in a process of its own."""
    return subprocess.run(
        command_line(*arguments),
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@contextmanager
def under_way(
    shop: Shop, *arguments: str | Path
) -> Iterator[tuple[subprocess.Popen[bytes], TextIO]]:
    """A command of the shop in a process of its own, and the file it prints to; what runs at the end is killed."""
    with (shop.folder / "under_way.txt").open("w+") as output:
        program = subprocess.Popen(
            command_line(*arguments, "--config", shop.config_file),
            cwd=shop.folder,
            env=environment(),
            stdout=output,
            stderr=output,
        )
        try:
            yield program, output
        finally:
            program.kill()
            program.wait()


def kill_children(program: subprocess.Popen[bytes]) -> None:
    """Kill whatever a program has started; itself it goes on."""
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(program.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def versions(lake: Lakehouse) -> dict[str, int | None]:
    """Newest version of every table but the run log's."""
    return {n: lake.version(t) for n, t in TABLES.items() if t.room != "ops"}


def rows_of(lake: Lakehouse, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """Sorted rows of some columns of a table."""
    found = lake.table(table).select(*columns).collect()
    return sorted((tuple(row) for row in found), key=repr)


def make_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Let `make` fill a folder once, whichever worker of the test run asks first."""
    from filelock import FileLock

    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "_ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            make(folder)
            (folder / "_ready").touch()
    return folder
