"""The demo: landing files made once in a folder, and the promises that its results are held to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clvspark import console
from clvspark.activation.tables import ASSIGNMENT
from clvspark.config import Config
from clvspark.findings import Findings
from clvspark.identity.tables import PERSON_LINK, current_links
from clvspark.lakehouse.errors import OutputExistsError, PromiseError
from clvspark.lakehouse.lock import LOCK_FILE, writer_lock
from clvspark.measurement.tables import EFFECT
from clvspark.pipeline import open_lakehouse
from clvspark.simulate import DEMO_CUSTOMERS, simulate_demo
from clvspark.simulate.draws import Draws
from clvspark.simulate.reactions import TRUTH, simulate_reactions, write_reactions

FOLDER = Path("demo")
# All that a demo leaves in its folder, its lakehouse aside.
MADE = ("landing", "truth", "exports", "report.html", "report", ".simulating")
SEED = 20260401
F1_PROMISED = 0.95


@dataclass(frozen=True)
class Landing:
    """What the landing files of a demo were made from, as its truth remembers it."""

    seed: int
    customers: int
    records: int

    @property
    def is_whole(self) -> bool:
        """Whether all customers of the data are in it."""
        return self.customers == DEMO_CUSTOMERS

    def __str__(self) -> str:
        """Say it for people."""
        return f"{self.records:,} records of {self.customers:,} persons, seed {self.seed}"


@dataclass(frozen=True)
class Promise:
    """Something the demo promises, what was found, and whether it held; None: not promised here."""

    text: str
    found: str
    held: bool | None


def prepare(
    folder: Path,
    *,
    lakehouse: Path,
    seed: int | None,
    customers: int | None,
    fresh: bool,
    session: Callable[[], SparkSession],
    progress: Callable[[str, str], None],
) -> Landing:
    """Make the landing files and the truth in `folder`, unless they are there; return what they are.

    All the while the lakehouse is held for writing, so nothing is thrown away that another process works on.
    Raises OutputExistsError if the files there were made from another seed or number of customers than asked for.
    """
    with writer_lock(lakehouse, "demo"):
        if fresh:
            _clear(folder, keep=lakehouse)
        if not (folder / "landing").is_dir():
            _simulate(folder, session(), seed, customers, progress)
        landing = _remembered(folder)
        _refuse_another(folder, landing, seed, customers)
        return landing


def _clear(folder: Path, *, keep: Path) -> None:
    """Remove what demos have made, but not the lock that is held; OutputExistsError where the files are others'."""
    if (folder / "landing").is_dir():
        _remembered(folder)
    for path in (*(folder / name for name in MADE), *keep.iterdir()):
        if path == keep or path.name.startswith(Path(LOCK_FILE).stem):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _simulate(
    folder: Path,
    spark: SparkSession,
    seed: int | None,
    customers: int | None,
    progress: Callable[[str, str], None],
) -> None:
    """Simulate beside the place, then move; the landing folder comes last, so it is there whole or not at all."""
    building = folder / ".simulating"
    shutil.rmtree(building, ignore_errors=True)
    shutil.rmtree(folder / "truth", ignore_errors=True)
    simulate_demo(
        spark,
        building / "out",
        seed=SEED if seed is None else seed,
        customers=customers,
        progress=lambda step: progress("simulate", step),
    )
    for name in ("truth", "landing"):
        (building / "out" / name).rename(folder / name)
    shutil.rmtree(building)


def _remembered(folder: Path) -> Landing:
    try:
        manifest = json.loads((folder / "truth" / "manifest.json").read_text(encoding="utf-8"))
        return Landing(manifest["seed"], manifest["persons"], manifest["records"])
    except (OSError, ValueError, KeyError):
        raise OutputExistsError(
            f"{folder}/landing is there, but {folder}/truth/manifest.json does not say from what it was made: it may "
            f"not be the demo's. Move {folder}/landing away, then run: clvspark demo"
        ) from None


def _refuse_another(
    folder: Path, landing: Landing, seed: int | None, customers: int | None
) -> None:
    wanted = customers if customers is None else min(customers, DEMO_CUSTOMERS)
    asked = {"--seed": (seed, landing.seed), "--customers": (wanted, landing.customers)}
    other = [
        f"{option} {value}" for option, (value, made) in asked.items() if value not in (None, made)
    ]
    if other:
        options = " ".join(other)
        raise OutputExistsError(
            f"{folder}/landing holds {landing}, which is not {options}. "
            f"Leave the option out to use what is there, or start over: clvspark demo --fresh {options}"
        )


def judge(findings: Findings, landing: Landing) -> list[Promise]:
    """What the demo promises, held against what was found."""
    metrics = findings.metrics
    f1 = metrics.get(("resolve", "pairwise_f1"), 0.0)
    largest = metrics.get(("resolve", "largest_person"), 0.0)
    truth = metrics.get(("resolve", "largest_true_person"), 0.0)
    rejected = int(metrics.get(("ingest", "rows_quarantined"), -1))
    further = int(metrics.get(("ingest", "rows_with_unknown_columns"), -1))
    records = int(metrics.get(("resolve", "records"), -1))
    promises = [
        Promise(
            f"pairwise F1 of the identities is at least {F1_PROMISED} (for all {DEMO_CUSTOMERS:,} customers)",
            f"{f1:.4f}",
            f1 >= F1_PROMISED if landing.is_whole else None,
        ),
        Promise(
            "no person has more than twice the records of the largest in truth",
            f"{largest:.0f}, in truth {truth:.0f}",
            0 < largest <= 2 * truth,
        ),
        Promise(
            "every planted row is in quarantine, and no other",
            f"{rejected:,} of {findings.planted_rows or 0:,}",
            rejected == findings.planted_rows,
        ),
        Promise(
            "every row with the planted further column is told, and no other",
            f"{further:,} of {findings.planted_further_rows or 0:,}",
            further == findings.planted_further_rows,
        ),
        Promise(
            "every record of the truth is a customer record, and no other",
            f"{records:,} of {landing.records:,}",
            records == landing.records,
        ),
    ]
    return promises + [
        Promise(f"revenue: {what}", f"{left} and {right}", left is not None and left == right)
        for what, left, right in findings.reconciliation
    ]


def react(config: Config, landing: Landing) -> None:
    """Land what those do who were told in the first run; nothing where they have done it already."""
    if (FOLDER / "truth" / TRUTH).exists():
        console.out.print("Those who were told have reacted already; --fresh begins anew.")
        return
    lake = open_lakehouse(config, writes="demo")
    with lake.writing("demo"):
        assigned = lake.read(ASSIGNMENT).where(F.col("as_of_date") == F.lit(config.as_of))
        treated = assigned.where("split_group = 'treatment'")
        reactions = simulate_reactions(
            treated,
            current_links(lake.read(PERSON_LINK)),
            Draws(landing.seed),
            as_of=config.as_of,
        )
        place = FOLDER.absolute()
        told = write_reactions(reactions, treated, place / "landing", place / "truth")
    bought = max((row["extra_purchases"] for row in told), default=0)
    console.out.print(
        f"Of those who were told, some buy once more: {bought:,} of the largest list. Now everything runs again."
    )


def print_effects(config: Config) -> None:
    """The true effect of each list beside what was measured. Of 100 intervals 95 hold the truth, not all."""
    lake = open_lakehouse(config)
    truth = json.loads((FOLDER / "truth" / TRUTH).read_text(encoding="utf-8"))
    measured = lake.read(EFFECT).where(F.col("as_of_date") == F.lit(config.as_of))
    found = {(row["audience_id"], row["effect"]): row for row in measured.collect()}
    rows = []
    for told in truth:
        for effect in ("extra_purchases", "extra_revenue"):
            row = found.get((told["audience_id"], effect))
            if row is None or row["ci_low"] is None:
                continue
            holds = row["ci_low"] <= told[effect] <= row["ci_high"]
            rows.append(
                (
                    told["audience_id"],
                    effect.replace("_", " "),
                    f"{told[effect]:,.0f}",
                    f"{row['value']:,.0f}",
                    f"{row['ci_low']:,.0f} to {row['ci_high']:,.0f}",
                    "inside" if holds else "outside",
                )
            )
    columns = ["list", "effect", "truth", "measured", "95 % interval", "the truth is"]
    console.table("What acting brought", columns, rows, left=2)


def print_promises(promises: list[Promise]) -> None:
    """Say which promises held; PromiseError if one did not."""
    words = {True: "held", False: "NOT HELD", None: "not promised"}
    rows = [(promise.text, promise.found, words[promise.held]) for promise in promises]
    console.table("Promises of the demo", ["promise", "found", "verdict"], rows, left=3)
    broken = [
        f"{promise.text} (found: {promise.found})" for promise in promises if promise.held is False
    ]
    if broken:
        raise PromiseError(
            f"{len(broken)} of {len(promises)} promises did not hold: {'; '.join(broken)}. "
            "Please report this with the output above."
        )
