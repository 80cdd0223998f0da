"""A shop that is watched: records and consents of a few customers, and events as they land."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pyspark.sql import functions as F

from clvspark.clv.tables import MODEL
from clvspark.config import Config
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.live.query import COMMAND, run_stream
from support.contents import contents
from support.shops import Shop, open_lake, rows_of, run_pipeline, write_config

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

AS_OF = date(2026, 4, 2)
_DAY = "2026-04-01"
_RECORD = {name: name for name in ("source_record_id", "given_name", "surname", "email")}
_EVENT = {
    "event_id": "id",
    "event_type": "type",
    "source_record_id": "customer",
    "occurred_at": "at",
    "channel": {"value": "web"},
    "order_id": "order",
    "net_revenue": "amount",
}
_CONSENT = {
    "consent_id": "id",
    "source_record_id": "customer",
    "channel": {"value": "email"},
    "purpose": {"value": "marketing"},
    "val": "val",
    "recorded_at": "at",
}
FILES = [
    {"path": "records*.csv", "format": "csv", "outputs": [{"to": "customer_record", "fields": _RECORD}]},
    {"path": "consents*.csv", "format": "csv", "outputs": [{"to": "consent", "fields": _CONSENT}]},
    {"path": "events*.jsonl", "format": "jsonl", "outputs": [{"to": "event", "fields": _EVENT}]},
]  # fmt: skip
AUDIENCES = [
    {
        "id": "browsing",
        "name": "Looked twice today and did not buy",
        "evaluation": "stream",
        "include": {"event": {"type": "view", "at_least": 2, "within_hours": 24}},
        "exclude": {"event": {"type": "order", "at_least": 1, "within_hours": 24}},
    },
    {
        "id": "bought_today",
        "name": "Bought today",
        "evaluation": "stream",
        "include": {"amount": {"type": "order", "of": "net_revenue", "above": 0, "within_hours": 24}},
    },
]  # fmt: skip
MAILER: dict[str, Any] = {
    "id": "mailer",
    "kind": "file",
    "format": "csv",
    "channel": "email",
    "identifier": "email",
    "hashed": False,
    "audiences": ["browsing", "bought_today"],
}


def open_live_shop(folder: Path, *, customers: int = 24, **sections: Any) -> Shop:
    """Set up a shop whose customers, all with consent but the last, bought something some weeks ago."""
    shop = Shop(folder)
    shop.landing.mkdir(parents=True)
    names = [f"c{n}" for n in range(1, customers + 1)]
    rows = [f"{n},Name{n},Sur{n},{n}@example.com" for n in names]
    (shop.landing / "records1.csv").write_text("\n".join([",".join(_RECORD), *rows, ""]))
    said = [f"s{n},{n},{'n' if n == names[-1] else 'y'},2026-01-01 00:00:00" for n in names]
    (shop.landing / "consents1.csv").write_text("\n".join(["id,customer,val,at", *said, ""]))
    old = [
        order(
            f"old-{name}-{n}",
            name,
            f"2026-0{1 + n % 3}-{5 + (7 * index + n) % 20:02}T10:00:00Z",
            10 + index,
        )
        for index, name in enumerate(names)
        for n in range(1 + index % 5)
    ]
    land(shop, "events0", old)
    attributes = [
        {"column": "email", "kind": "email", "compare": False},
        {"column": "given_name", "kind": "given_name", "compare": False},
    ]
    write_config(
        shop,
        base="base.yaml",
        as_of=AS_OF,
        **{
            "sources": {"systems": [{"system": "shop", "files": FILES}]},
            "identity": {
                "truth": None,
                "settings": {"attributes": attributes, "trusted_identifiers": ["email"]},
            },
            "clv": {
                "holdout_days": 28,
                "decline_days": 14,
                "models": ["NBDModel"],
                "backtest": {"folds": 1},
                "challenger": {"enabled": False},
            },
            "audiences": {"definitions": AUDIENCES},
            "activation": {"destinations": [MAILER], "holdout": {"percent": 0}},
            "stream": {"renew_seconds": 0, "deliver_seconds": 0},
            **sections,
        },
    )
    return shop


def event(id_: str, type_: str, customer: str | None, at: str, **more: Any) -> dict[str, Any]:
    """One event as the shop writes it; a time of day is one of today."""
    instant = at if "T" in at else f"{_DAY}T{at}Z"
    return {"id": id_, "type": type_, "customer": customer, "at": instant, **more}


def order(id_: str, customer: str | None, at: str, amount: float) -> dict[str, Any]:
    """An order of one line."""
    return event(id_, "order", customer, at, order=id_, amount=f"{amount:.2f}")


def land(shop: Shop, name: str, events: Iterable[Mapping[str, Any] | str]) -> None:
    """A file of events lands, whole."""
    lines = [one if isinstance(one, str) else json.dumps(one) for one in events]
    draft = shop.folder / f"{name}.draft"
    draft.write_text("\n".join([*lines, ""]))
    draft.rename(shop.landing / f"{name}.jsonl")


# What stream and batch must agree on; files of exports, sizes and rankings are of the batch alone.
SAME = (
    "sources.event",
    "sources.customer_record",
    "sources.consent",
    "identity.person_link",
    "identity.person",
    "history.order",
    "history.interaction",
    "history.session",
    "history.person_day",
    "history.clv_summary",
    "clv.customer_value",
    "clv.value_change",
    "audiences.membership",
    "audiences.membership_event",
)
TODAY = [
    event("v1", "view", "c1", "10:00:00"),
    event("v2", "view", "c1", "10:05:00"),
    event("v3", "view", "c2", "10:00:00"),
    order("o1", "c2", "11:00:00", 25),
]


class Watch:
    """Starts the stream of a shop and hears what it reports."""

    def __init__(self, spark, shop) -> None:
        self.spark, self.shop = spark, shop
        self.heard: list[RunReport] = []
        # What happens after each micro-batch in turn, and after a stage.
        self.then: list[Callable[[], None]] = []
        self.upon: dict[str, Callable[[], object]] = {}

    @property
    def lake(self) -> Lakehouse:
        return open_lake(self.spark, self.shop)

    def start(
        self, *, every=None, as_of: date | None = AS_OF, config: Config | None = None, **more
    ):
        """Take what is there, or go on until something stops it; the stages and batches of this start."""
        self.heard.clear()
        run_stream(
            self.lake,
            config or self.shop.config(),
            as_of=as_of,
            every=every,
            report=self._hear,
            **more,
        )
        return [report.stage for report in self.heard]

    def _hear(self, report: RunReport) -> None:
        self.heard.append(report)
        if report.stage == COMMAND and self.then:
            self.then.pop(0)()
        if report.stage in self.upon:
            self.upon[report.stage]()

    def rows(self, table: str, *columns: str) -> list[tuple]:
        return rows_of(self.lake, table, *columns)


def configure(shop: Shop, **sections: Any) -> None:
    """Change keys of sections of the configuration of a shop."""
    config = yaml.safe_load(shop.config_file.read_text())
    for name, section in sections.items():
        config[name] = {**config.get(name, {}), **section}
    shop.config_file.write_text(yaml.safe_dump(config))


def copy_live_shop(begun: Shop, folder: Path) -> Shop:
    """A copy of a shop with its lakehouse and the checkpoint of its stream."""
    shutil.copytree(begun.folder, folder, ignore=shutil.ignore_patterns("conf"))
    shop = type(begun)(folder)
    text = begun.config_file.read_text().replace(str(begun.folder), str(folder))
    shutil.copytree(begun.config_file.parent, shop.config_file.parent)
    shop.config_file.write_text(text)
    return shop


def batch_over(
    spark: SparkSession, shop: Shop, folder: Path, *, also: Sequence[str] = ()
) -> Lakehouse:
    """The lakehouse of a run of the batch, with the models of the shop, over its files as they are now.

    `also` are stages after those up to audiences.
    """
    other = copy_live_shop(shop, folder)
    shutil.rmtree(other.lakehouse)
    lake = open_lake(spark, other)
    lake.overwrite(MODEL, open_lake(spark, shop).read(MODEL))
    run_pipeline(spark, other, ["ingest", "resolve", "history", "score", "audiences", *also])
    return lake


def differing(
    one: Lakehouse, other: Lakehouse, names: Iterable[str] = SAME
) -> dict[str, tuple[list[str], list[str]]]:
    """Tables that do not hold the same, each with what only one of them has."""
    found = {}
    for name in names:
        left, right = (set(contents(_comparable(lake, name), name)) for lake in (one, other))
        if left != right:
            found[name] = (sorted(left - right)[:3], sorted(right - left)[:3])
    return found


def _comparable(lake: Lakehouse, name: str) -> DataFrame:
    """A table without what a batch learns from another sample of persons."""
    rows = lake.table(name)
    if name != "clv.customer_value":
        return rows
    return rows.withColumn("p_top_decile", F.lit(None).cast("double"))
