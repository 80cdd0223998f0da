"""The demo's landing files are made once, remembered, and never thrown away under another process."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from clvspark import demo
from clvspark.findings import Findings
from clvspark.lakehouse.errors import ConfigError, LockedError, OutputExistsError, PromiseError
from clvspark.lakehouse.lock import writer_lock


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "demo"


@pytest.fixture
def made(monkeypatch):
    """Every simulation asked for, as (seed, customers); each writes files as small as can be."""
    asked: list[tuple[int, int]] = []

    def simulate(_, out: Path, *, seed, customers, progress) -> None:
        count = 23_570 if customers is None else customers
        asked.append((seed, count))
        progress("baskets")
        (out / "landing").mkdir(parents=True)
        (out / "truth").mkdir()
        manifest = {"seed": seed, "persons": count, "records": 2 * count}
        (out / "truth/manifest.json").write_text(json.dumps(manifest))

    monkeypatch.setattr(demo, "simulate_demo", simulate)
    return asked


def prepare(folder, *, seed=None, customers=None, fresh=False):
    return demo.prepare(
        folder,
        lakehouse=folder / "lakehouse",
        seed=seed,
        customers=customers,
        fresh=fresh,
        session=lambda: None,
        progress=lambda *_: None,
    )


def test_landing_files_are_made_once_and_remembered(folder, made):
    assert prepare(folder) == prepare(folder) == demo.Landing(20260401, 23_570, 47_140)
    assert made == [(20260401, 23_570)]
    assert {path.name for path in folder.iterdir()} == {"landing", "truth", "lakehouse"}


def test_the_same_seed_and_customers_may_be_named_again(folder, made):
    prepare(folder, seed=7, customers=30)

    assert prepare(folder, seed=7, customers=30) == prepare(folder) == demo.Landing(7, 30, 60)
    assert len(made) == 1


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        ({"seed": 8}, "--seed 8"),
        ({"customers": 40}, "--customers 40"),
        ({"seed": 8, "customers": 40}, "--seed 8 --customers 40"),
        ({"seed": 0, "customers": 30}, "--seed 0"),
    ],
)
def test_another_seed_or_number_is_refused_with_the_next_step(folder, made, asked, options):
    prepare(folder, seed=7, customers=30)

    with pytest.raises(OutputExistsError) as refused:
        prepare(folder, **asked)
    assert f"60 records of 30 persons, seed 7, which is not {options}." in str(refused.value)
    assert str(refused.value).endswith(f"start over: clvspark demo --fresh {options}")
    assert len(made) == 1


def test_landing_files_of_unknown_origin_are_refused(folder, made):
    (folder / "landing").mkdir(parents=True)

    with pytest.raises(OutputExistsError, match="does not say from what it was made"):
        prepare(folder)
    assert made == []


def test_fresh_throws_everything_away_but_the_lock(folder, made):
    prepare(folder, seed=7)
    (folder / "lakehouse/sources").mkdir()
    (folder / "report.html").write_text("old")

    assert prepare(folder, seed=8, fresh=True).seed == 8
    assert not (folder / "report.html").exists()
    assert [path.name for path in (folder / "lakehouse").iterdir()] == ["_writer.lock"]


def test_fresh_leaves_what_is_not_the_demos(folder, made):
    (folder / "photos").mkdir(parents=True)
    (folder / "thesis.txt").write_text("precious")
    prepare(folder, fresh=True)
    prepare(folder, fresh=True)

    assert (folder / "thesis.txt").read_text() == "precious"
    assert (folder / "photos").is_dir()
    assert len(made) == 2


def test_landing_files_of_somebody_else_are_not_thrown_away(folder, made):
    (folder / "landing").mkdir(parents=True)
    (folder / "landing/sales.csv").write_text("id")

    with pytest.raises(OutputExistsError, match=r"Move .*landing away"):
        prepare(folder, fresh=True)
    assert (folder / "landing/sales.csv").exists()
    assert made == []


@pytest.mark.parametrize("fresh", [True, False])
def test_nothing_is_touched_while_another_process_writes(folder, made, fresh):
    with writer_lock(folder / "lakehouse", "run"):
        before = sorted(folder.rglob("*"))
        with pytest.raises(LockedError, match=r"held by .* \(run\)"):
            prepare(folder, fresh=fresh)
        assert sorted(folder.rglob("*")) == before
    assert made == []


def test_an_interrupted_simulation_is_begun_again(folder, made, monkeypatch):
    complete = demo.simulate_demo

    def killed(_, out, **options):
        complete(_, out, **options)
        (out / "landing").rename(out / "half")
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "simulate_demo", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(folder)
    assert not (folder / "landing").exists()
    monkeypatch.setattr(demo, "simulate_demo", complete)

    prepare(folder)
    assert {path.name for path in folder.iterdir()} == {"landing", "truth", "lakehouse"}


def test_a_place_that_cannot_be_written_is_told_before_anything_starts(folder, made):
    folder.write_text(
        "a file where the folder should be"
    )  # nobody may write below it, not even root

    with pytest.raises(
        ConfigError, match=r"demo/lakehouse cannot be written .* in a folder of your own"
    ):
        prepare(folder)
    assert made == []


WHOLE, PART = demo.Landing(7, 23_570, 50_000), demo.Landing(7, 300, 650)
SOUND = {
    ("resolve", "pairwise_f1"): 0.95,
    ("resolve", "largest_person"): 12.0,
    ("resolve", "largest_true_person"): 6.0,
    ("resolve", "records"): 50_000.0,
    ("ingest", "rows_quarantined"): 90.0,
    ("ingest", "rows_with_unknown_columns"): 40.0,
    ("ingest", "revenue_received"): 110.5,
}
SUMS = {
    "events": "100.50",
    "quarantine": "10.00",
    "persons": "90.00",
    "anonymous": "10.50",
}


def judge(landing, sums=SUMS, **changes):
    metrics = {key: changes.get(key[1], value) for key, value in SOUND.items()}
    revenue = {name: Decimal(value) for name, value in sums.items()}
    return demo.judge(Findings(metrics, revenue, planted_rows=90, planted_further_rows=40), landing)


def test_all_promises_hold_at_their_bounds(capsys):
    promises = judge(WHOLE)

    assert [promise.held for promise in promises] == [True] * 7
    demo.print_promises(promises)
    assert capsys.readouterr().out.count(" held ") == 7


def test_the_f1_of_a_part_of_the_customers_is_shown_and_not_promised():
    assert [promise.held for promise in judge(PART, pairwise_f1=0.5, records=650.0)] == [
        None,
        *[True] * 6,
    ]


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"pairwise_f1": 0.9499}, 0),
        ({"largest_person": 13.0}, 1),
        ({"largest_person": 0.0}, 1),
        ({"rows_quarantined": 91.0}, 2),
        ({"rows_with_unknown_columns": 0.0}, 3),
        ({"records": 50_001.0}, 4),
        ({"revenue_received": 110.51}, 5),
        ({"sums": SUMS | {"anonymous": "10.49"}}, 6),
        # Revenue of a visit is in the events and in no order.
        ({"sums": SUMS | {"events": "105.50", "quarantine": "5.00"}}, 6),
    ],
)
def test_a_promise_that_does_not_hold_ends_in_an_error_of_its_own(change, broken, capsys):
    promises = judge(WHOLE, **change)

    assert [promise.held for promise in promises].index(False) == broken
    with pytest.raises(PromiseError) as raised:
        demo.print_promises(promises)
    assert promises[broken].found in str(raised.value)
    assert "NOT HELD" in capsys.readouterr().out
