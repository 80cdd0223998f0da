"""The stage as a whole: consent is read at the moment of sending, and a rerun tells nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.lists import (
    APRIL,
    MAY,
    PEOPLE,
    activate,
    configure,
    consent,
    evaluate,
    lines,
    sha256,
    told,
    write,
    write_persons,
)

from clvspark.activation import stage
from clvspark.activation.destinations import files
from clvspark.activation.tables import ASSIGNMENT, DELIVERY, HOLDOUT
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError, MissingInputError


@pytest.mark.slow
def test_lists_follow_consent(lake: Lakehouse, tmp_path: Path) -> None:
    config = configure(tmp_path)
    write(lake)
    first = activate(lake, config, APRIL)
    assert activate(lake, config, APRIL).status == "unchanged"
    assert first.metrics["entries_exported"] == 2
    assert first.rows["activation.outbox"] == 2, (
        "an instruction that is delivered at once counts once"
    )
    once = [("ann", "add", "delivered", "2026-04-01"), ("bob", "add", "delivered", "2026-04-01")]
    assert told(lake) == once
    assert {row["split_group"] for row in lake.read(HOLDOUT).collect()} == {"treatment"}

    consent(lake, "bob", "n", "2026-05-01 08:00:00")
    activate(lake, config, MAY)
    activate(lake, config, MAY, force=True)
    assert told(lake) == [*once, ("bob", "remove", "delivered", "2026-05-01")], (
        "told once, also by a forced rerun"
    )
    rows = {str(row["as_of_date"]): row for row in lake.read(DELIVERY).collect()}
    may = rows["2026-05-01"]
    assert (may["members"], may["without_consent"]) == (2, 1)
    assert (may["persons_added"], may["persons_removed"], may["entries_removed"]) == (0, 1, 1)
    assert may["file_name"] == "2026-05-01/top.jsonl"
    assert sorted(line["email"] for line in lines(tmp_path, "tool/2026-04-01")) == [
        "ann@example.org",
        "bob@example.org",
    ]
    assert [path.name for path in (tmp_path / "exports/tool").iterdir() if "05" in path.name] == [
        "2026-05-01"
    ]


def test_lists_of_another_date_are_not_sent_as_those_of_today(
    lake: Lakehouse, tmp_path: Path
) -> None:
    write(lake)
    evaluate(lake, APRIL)
    with (
        pytest.raises(MissingInputError, match=r"2026-05-01.*2026-04-01.*clvspark audiences"),
        lake.writing("activate"),
    ):
        stage.run(lake, configure(tmp_path), MAY)
    assert not (tmp_path / "exports").exists()
    assert not lake.exists(ASSIGNMENT)


@pytest.mark.slow
def test_assignments_are_of_audiences_that_are_sent_and_of_those_who_can_be_told(
    lake: Lakehouse, tmp_path: Path
) -> None:
    write(lake)
    consent(lake, "bob", "n", "2026-03-02 00:00:00")
    activate(lake, configure(tmp_path), APRIL)
    group = ("top", "ann", "treatment")
    columns = ("as_of_date", "audience_id", "person_id", "split_group")
    assert [tuple(row) for row in lake.read(ASSIGNMENT).select(*columns).collect()] == [
        (APRIL, *group)
    ]
    assert [row["person_id"] for row in lake.read(HOLDOUT).orderBy("person_id").collect()] == PEOPLE

    consent(lake, "ann", "n", "2026-05-01 00:00:00")
    activate(lake, configure(tmp_path), MAY)
    activate(lake, configure(tmp_path), APRIL, force=True)
    assert [tuple(row) for row in lake.read(ASSIGNMENT).select(*columns).collect()] == [
        (APRIL, *group)
    ], "who withdraws later stays in the group of the day"


@pytest.mark.slow
def test_a_new_address_is_told_with_the_old_one_in_a_delivery_of_its_own(
    lake: Lakehouse, tmp_path: Path
) -> None:
    config = configure(tmp_path, hashed=True)
    write(lake)
    activate(lake, config, APRIL)
    write_persons(lake, {"ann": "ann@new.example"})
    activate(lake, config, APRIL)
    activate(lake, config, APRIL, force=True)
    assert {
        (line["operation"], line["email"]) for line in lines(tmp_path, "tool/2026-04-01_2")
    } == {
        ("remove", "ann@example.org"),
        ("add", "ann@new.example"),
    }
    assert {(line["operation"], line["email_sha256"]) for line in lines(tmp_path, "ads/2026-04-01_2")} == {
        ("remove", sha256("ann@example.org")),
        ("add", sha256("ann@new.example")),
    }  # fmt: skip
    assert not (tmp_path / "exports/tool/2026-04-01_3").exists(), "a rerun tells nothing"
    assert len(lines(tmp_path, "tool/2026-04-01")) == 2, "what was delivered stays as it was"


@pytest.mark.slow
def test_nothing_counts_as_delivered_where_rows_are_missing(
    lake: Lakehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lake)
    with monkeypatch.context() as patched:
        patched.setattr(files, "_parts", lambda folder: [])
        failed = activate(lake, configure(tmp_path), APRIL)
        assert (failed.status, failed.metrics["destinations_failed"]) == ("success", 1)
        assert any("Nothing was marked as delivered" in warning for warning in failed.warnings)
    assert {status for _, _, status, _ in told(lake)} == {"pending"}
    activate(lake, configure(tmp_path), APRIL)
    assert {status for _, _, status, _ in told(lake)} == {"delivered"}
    assert [path.name for path in (tmp_path / "exports/tool").iterdir()] == ["2026-04-01"]
    assert len(lines(tmp_path, "tool/2026-04-01")) == 2


@pytest.mark.slow
def test_a_destination_is_never_told_the_same_addresses_as_something_else(
    lake: Lakehouse, tmp_path: Path
) -> None:
    config = configure(tmp_path)
    write(lake)
    activate(lake, config, APRIL)
    tool = config.destinations[0]
    hashed = config.model_copy(update={"destinations": [tool.model_copy(update={"hashed": True})]})
    with pytest.raises(ConfigError, match=r"tool: was told addresses as email and would now be"):
        activate(lake, hashed, MAY)
    assert [path.name for path in (tmp_path / "exports/tool").iterdir()] == ["2026-04-01"]
    assert {status for _, _, status, _ in told(lake)} == {"delivered"}
