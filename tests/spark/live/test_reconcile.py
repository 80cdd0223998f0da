"""What `clvspark reconcile` counts: rows of which the stream and a batch do not say the same, and no others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from clvspark.audiences.tables import MEMBERSHIP
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.config import read_config, shipped_config
from clvspark.history.tables import ORDER
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse, Table
from clvspark.live import reconcile as subject
from clvspark.live.reconcile import reconcile

TODAY = date(2026, 3, 2)
Rows = Mapping[Table, list[dict[str, Any]]]


def shop(ann: str, bob: str) -> dict[Table, list[dict[str, Any]]]:
    """Two persons under these ids: their records, an order, a value and a membership."""
    link = {
        "valid_from": TODAY,
        "recorded_at": f"{TODAY} 09:00",
        "reason": "single",
        "probability": 1,
    }
    order = {
        "channel": "web",
        "is_purchase": True,
        "lines": 1,
        "units": 1,
        "cost": 4,
        "row_type": "purchase",
        "ordered_at": f"{TODAY} 10:00",
    }
    value = {"as_of_date": TODAY, "lifecycle_stage": "core", "horizon_days": 365, "model_id": "m"}
    return {
        PERSON_LINK: [
            link | {"source_system": "crm", "source_record_id": "1", "person_id": ann},
            link | {"source_system": "web", "source_record_id": "7", "person_id": ann},
            link | {"source_system": "web", "source_record_id": "8", "person_id": bob},
        ],
        ORDER: [
            order | {"order_id": f"web:{n}", "person_id": who, "net_revenue": 10, "margin": 6}
            for n, who in ((1, ann), (2, bob), (3, None))
        ],
        CUSTOMER_VALUE: [
            value | {"person_id": who, "residual_value": worth}
            for who, worth in ((ann, 12.5), (bob, 3.25))
        ],
        MEMBERSHIP: [
            {"audience_id": "vip", "person_id": ann, "status": "realized", "version": 1, "qualified_on": TODAY}
        ],
    }  # fmt: skip


@pytest.fixture
def differences(
    lake: Lakehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Rows, Rows], dict[str, float]]:
    """Metrics, zeros aside, of a stream that has left the first rows, and a batch that makes the second ones."""
    config = read_config(shipped_config("demo.yaml"))

    def write(other: Lakehouse, found: Rows) -> None:
        for table, rows in found.items():
            other.overwrite(table, table.rows(other.spark, rows))

    def count(stream: Rows, batch: Rows) -> dict[str, float]:
        stages = dict.fromkeys(subject._REBUILT, lambda *_: None)
        last = {subject._REBUILT[-1]: lambda other, *_: write(other, batch)}
        monkeypatch.setattr(subject, "STAGES", stages | last)
        write(lake, stream)
        lake.log.forget_everything()
        report = reconcile(lake, config, TODAY, into=tmp_path / "batch")
        return {name: number for name, number in report.metrics.items() if number}

    return count


def test_persons_are_told_by_their_records_and_not_by_their_ids(
    differences: Callable[[Rows, Rows], dict[str, float]],
) -> None:
    stream, batch = shop("p1", "p2"), shop("p8", "p1")
    yesterday = {"as_of_date": "2026-03-01", "residual_value": 9}
    stream[CUSTOMER_VALUE].append(stream[CUSTOMER_VALUE][0] | yesterday)
    batch[CUSTOMER_VALUE][0] |= {"residual_value": 12.5 + 1e-12, "p_top_decile": 0.4}
    stream[MEMBERSHIP].append(
        stream[MEMBERSHIP][0] | {"person_id": "p2", "status": "exited", "exited_on": TODAY}
    )
    assert differences(stream, batch) == {}


def test_each_row_that_one_side_has_alone_counts_once(
    differences: Callable[[Rows, Rows], dict[str, float]],
) -> None:
    stream, batch = shop("p1", "p2"), shop("p8", "p9")
    stream[ORDER][2] |= {"net_revenue": 11, "margin": 7}
    batch[CUSTOMER_VALUE].pop()
    batch[MEMBERSHIP].clear()
    assert differences(stream, batch) == {
        "history.order.only_stream": 1,
        "history.order.only_batch": 1,
        "clv.customer_value.only_stream": 1,
        "audiences.membership.only_stream": 1,
        "differences": 4,
    }
