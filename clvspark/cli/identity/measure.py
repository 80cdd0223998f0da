"""Commands on files of records: propose settings, measure them against a truth."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clvspark import console
from clvspark.cli.identity.options import (
    FILES,
    DriverMemory,
    RecordsFile,
    app,
    quick_session,
)
from clvspark.cli.options import with_examples
from clvspark.identity.engines import EngineName

if TYPE_CHECKING:
    from clvspark.identity.evaluate.records import Evaluation


@app.command(
    rich_help_panel=FILES,
    help=with_examples(
        "Train, link and cluster labelled records, then compare the persons with the truth. The truth is taken off "
        "before anything else, ids are replaced by digests, and both are joined again after clustering.",
        "clvspark identity evaluate --settings mine.yaml --records mine.parquet --truth-column cluster",
        "clvspark identity evaluate --settings mine.yaml --records mine.csv --truth-column who --threshold 0.9 --json",
    ),
)
def evaluate(
    settings: Annotated[Path, typer.Option("--settings", help="identity settings (YAML)")],
    records: RecordsFile,
    truth_column: Annotated[
        str, typer.Option("--truth-column", help="column that is equal for records of one person")
    ],
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            help="link and hold together from here on, in place of link_weight and cut_weight: between 0 and 1 a "
            "match probability, else a match weight in bits",
        ),
    ] = None,
    engine: Annotated[EngineName, typer.Option("--engine", help="how to compute")] = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="print one JSON object and nothing else")
    ] = False,
    driver_memory: DriverMemory = "2g",
) -> None:
    """Judge settings on labelled records."""
    began = time.monotonic()
    from clvspark.identity import IdentitySettings
    from clvspark.identity.evaluate.records import evaluate_records, with_threshold
    from clvspark.identity.record_files import read_records
    from clvspark.lakehouse.errors import MissingInputError

    if not settings.exists():
        raise MissingInputError(
            f"{settings} does not exist; write settings: clvspark identity propose --records {records} --out {settings}"
        )
    chosen = with_threshold(IdentitySettings.from_yaml(settings), threshold)
    with console.progress() as show:
        spark = quick_session(driver_memory)
        found = evaluate_records(
            read_records(spark, records),
            chosen,
            truth_column=truth_column,
            engine=engine,
            step=show,
        )
    told = describe_evaluation(found, seconds=time.monotonic() - began)
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    steps, unreadable = told.pop("seconds_by_step"), told.pop("unreadable_values")
    if unreadable:
        rows = [(name, count) for name, count in unreadable.items()]
        console.table("Values that cannot be read, and tell nothing", ["column", "values"], rows)
    console.table("Records to persons", ["measure", "value"], list(told.items()))
    console.table("Where the time went", ["step", "seconds"], list(steps.items()))


def describe_evaluation(found: Evaluation, *, seconds: float) -> dict[str, Any]:
    """What the command prints; `seconds` includes the start of Spark."""
    quality = found.quality
    return {
        "precision": round(quality.precision, 6),
        "recall": round(quality.recall, 6),
        "f1": round(quality.f1, 6),
        "largest_cluster": found.largest_cluster,
        "clusters": found.clusters,
        "records": found.records,
        "pairs": found.pairs,
        "seconds": round(seconds, 2),
        "labelled_records": quality.records,
        "unreadable_values": found.unreadable,
        "found_pairs": quality.found_pairs,
        "true_pairs": quality.true_pairs,
        "true_clusters": quality.true_clusters,
        "exact_clusters": quality.exact_clusters,
        "largest_true_cluster": quality.largest_true_cluster,
        "seconds_by_step": {name: round(value, 2) for name, value in found.steps.items()},
    }


@app.command(
    rich_help_panel=FILES,
    help=with_examples(
        "Propose settings for a file of records: kinds of columns, blocking rules within a budget of pairs, rules to "
        "train with, each choice with its reason as a comment.",
        "clvspark identity propose --records mine.csv",
        "clvspark identity propose --records mine.parquet --pair-budget 5000000 --out mine.yaml",
    ),
)
def propose(
    records: RecordsFile,
    out: Annotated[
        Path | None, typer.Option("--out", help="file to write instead of standard output")
    ] = None,
    pair_budget: Annotated[
        int | None,
        typer.Option(
            "--pair-budget",
            min=1,
            help="pairs that all blocking rules may make together; else 30 a record",
        ),
    ] = None,
    country: Annotated[str, typer.Option(help="country of national phone numbers")] = "GB",
    truth_column: Annotated[
        str | None,
        typer.Option(
            "--truth-column", help="column that is equal for records of one person: left out"
        ),
    ] = None,
    driver_memory: DriverMemory = "2g",
) -> None:
    """Propose settings."""
    from clvspark.identity.propose.proposal import propose_from_file

    with console.progress() as show:
        spark = quick_session(driver_memory)
        show("reading columns and counting pairs")
        proposal = propose_from_file(
            spark, records, pair_budget=pair_budget, country=country, truth_column=truth_column
        )
    if out is None:
        typer.echo(proposal.text, nl=False)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(proposal.text, encoding="utf-8")
    rows = [
        (", ".join(cost.rule), cost.pairs, cost.records, cost.in_large_blocks)
        for cost in proposal.blocking
    ]
    # The table goes beside the settings, so that `propose > mine.yaml` writes YAML alone.
    console.table(
        "Blocking rules",
        ["records agree on", "pairs", "records found", "in blocks too large"],
        rows,
        to=console.out if out else console.err,
    )
    if out:
        console.out.print(
            f"wrote {out}. Next steps: read its comments; where a column tells who is who, clvspark identity evaluate "
            f"--settings {out} --records {records} --truth-column {truth_column or 'COLUMN'}",
            markup=False,
        )
