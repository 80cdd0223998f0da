"""The commands beside the pipeline: make data, look, erase, set up."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from clvspark import console
from clvspark.cli.options import (
    CARE,
    DATA,
    DEFAULT_CONFIG,
    AsOf,
    ConfigFile,
    app,
    as_of_option,
    with_examples,
)


@app.command(
    rich_help_panel=DATA,
    help=with_examples(
        "Write landing files of any size, with purchases from a known process and the truth beside them.",
        "clvspark simulate --persons 20000 --out shop",
        "clvspark simulate --persons 1000000 --seed 1 --out big --driver-memory 6g",
    ),
)
def simulate(
    persons: Annotated[int, typer.Option(min=1, help="number of persons")],
    out: Annotated[Path, typer.Option(help="folder to write landing/ and truth/ to")],
    seed: Annotated[int, typer.Option(help="equal seeds give equal files")] = 20260401,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace what is there")] = False,
    driver_memory: Annotated[str, typer.Option(help="memory of the local Spark")] = "6g",
) -> None:
    """Simulate a population of any size."""
    from clvspark.lakehouse import SparkConfig, build_session
    from clvspark.simulate import simulate_population

    with console.progress() as show:
        spark = build_session(SparkConfig(driver_memory=driver_memory))  # type: ignore[call-arg]
        show("simulate")
        summary = simulate_population(
            spark,
            out,
            persons=persons,
            seed=seed,
            overwrite=overwrite,
            progress=lambda step: show("simulate", step),
        )
    console.out.print(
        f"simulated {summary.records:,} records of {summary.persons:,} persons in {out}/landing",
        markup=False,
        soft_wrap=True,
    )


@app.command(
    rich_help_panel=CARE,
    help=with_examples(
        "Erase a person: every record of theirs, everywhere; sales stay as anonymous sums.",
        "clvspark forget --record crm:C123 --config conf/mine.yaml",
    ),
)
def forget(
    record: Annotated[
        list[str], typer.Option(help="record of the person, as SYSTEM:ID; may be repeated")
    ],
    config: ConfigFile = DEFAULT_CONFIG,
    requested_on: Annotated[
        datetime | None,
        as_of_option("day of the request, which tombstones keep; default: today"),
    ] = None,
) -> None:
    """Erase a person."""
    from clvspark.config import read_config
    from clvspark.pipeline import open_lakehouse
    from clvspark.privacy.erase import erase_persons

    settings = read_config(config)
    day = (requested_on or datetime.now(UTC)).date()
    with console.progress() as show:
        lake = open_lakehouse(settings, progress=show, writes="forget")
        erased = erase_persons(lake, record, requested_on=day)
    console.table("Erased", ["table", "rows deleted or anonymised"], sorted(erased.items()))
    console.out.print(
        "The records will not be ingested again. Next steps: clvspark run, so that persons, audiences and lists "
        "follow; after 7 days clvspark vacuum, as earlier versions of the tables hold the rows until then."
    )


@app.command(
    rich_help_panel=CARE,
    help=with_examples(
        "Remove files of table versions older than 7 days, and with them what was erased before then.",
        "clvspark vacuum --config conf/mine.yaml",
    ),
)
def vacuum(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Remove old files."""
    from clvspark.config import read_config
    from clvspark.lakehouse.vacuum import vacuum_tables
    from clvspark.pipeline import open_lakehouse

    settings = read_config(config)
    with console.progress() as show:
        lake = open_lakehouse(settings, progress=show, writes="vacuum")
        show("vacuum")
        names = vacuum_tables(lake)
    console.out.print(
        f"{len(names)} tables hold no more files than their versions within the retention need."
    )


@app.command(
    rich_help_panel=CARE,
    help=with_examples(
        "Put small files of the tables together, as a stream leaves them, then remove those of versions older than 7 "
        "days. In a lakehouse in a folder the stream does so itself, as it is the only writer there.",
        "clvspark maintain --config conf/mine.yaml",
    ),
)
def maintain(
    config: ConfigFile = DEFAULT_CONFIG,
    retain_hours: Annotated[
        int, typer.Option(help="files of versions younger than this stay; at least 168")
    ] = 168,
) -> None:
    """Compact tables and remove old files."""
    from clvspark.config import read_config
    from clvspark.lakehouse.vacuum import maintain_tables, refuse_short_retention
    from clvspark.pipeline import open_lakehouse

    refuse_short_retention(retain_hours)
    settings = read_config(config)
    with console.progress() as show:
        lake = open_lakehouse(settings, progress=show, writes="maintain")
        show("maintain")
        compacted, cleaned = maintain_tables(lake, retain_hours=retain_hours)
    console.out.print(
        f"{len(compacted)} tables were compacted; {cleaned} hold no more files than their versions within the "
        "retention need."
    )


@app.command(
    rich_help_panel=CARE,
    help=with_examples(
        "Bring a lakehouse of an earlier release to the tables of this one. --dry-run shows what that takes. Where it "
        "was interrupted, the same command goes on. Keep a copy of the lakehouse until the next run has ended.",
        "clvspark migrate --dry-run --config conf/mine.yaml",
        "clvspark migrate --config conf/mine.yaml",
    ),
)
def migrate(
    config: ConfigFile = DEFAULT_CONFIG,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="show what would be done, and write nothing")
    ] = False,
) -> None:
    """Bring a lakehouse of an earlier release to this one."""
    from clvspark.catalogue import TABLES
    from clvspark.config import read_config
    from clvspark.lakehouse import migrations
    from clvspark.migrations import list_migrations
    from clvspark.pipeline import open_lakehouse

    settings = read_config(config)
    writes = None if dry_run else "migrate"
    with console.progress() as show:
        lake = open_lakehouse(settings, progress=show, writes=writes, migrating=True)
        do = migrations.plan_tables if dry_run else migrations.migrate
        plans = do(lake, list(TABLES.values()), list_migrations(settings))
    title = "What would be done" if dry_run else "What was done"
    rows = [(plan.table.name, told, commits) for plan in plans for told, commits in plan.told]
    if not rows:
        console.out.print("Every table is as this clvspark makes it: there is nothing to migrate.")
        return
    console.table(title, ["table", "what", "commits"], rows, left=2)
    console.out.print(
        "Next step: clvspark migrate, without --dry-run." if dry_run else "Next step: clvspark run"
    )


@app.command(
    rich_help_panel=CARE,
    help=with_examples(
        "Hold what the stream left against a batch over the same landing files, built in a folder of its own. Rows "
        "that differ are counted in ops.metric.",
        "clvspark reconcile --config conf/mine.yaml --as-of 2026-05-02",
    ),
)
def reconcile(config: ConfigFile = DEFAULT_CONFIG, as_of: AsOf = None) -> None:
    """Compare stream and batch."""
    from clvspark.config import read_config
    from clvspark.live.reconcile import reconcile as compare
    from clvspark.pipeline import open_lakehouse

    settings = read_config(config)
    day = as_of.date() if as_of else settings.as_of
    with console.progress("reconcile") as show:
        lake = open_lakehouse(settings, progress=show, writes="reconcile")
        with lake.writing("reconcile"):
            report = compare(lake, settings, day)
    tables = sorted({name.rpartition(".")[0] for name in report.metrics} - {""})
    sides = ("only_stream", "only_batch")
    rows = [(t, *(int(report.metrics[f"{t}.{side}"]) for side in sides)) for t in tables]
    console.table("Rows that differ", ["table", "only in the stream", "only in the batch"], rows)


@app.command(
    rich_help_panel=CARE,
    help=with_examples(
        "Show tables with rows and versions, and how the last run of every stage ended.",
        "clvspark status --config conf/demo.yaml",
    ),
)
def status(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Show tables and runs."""
    from clvspark.config import read_config
    from clvspark.status import print_status, read_status

    settings = read_config(config)
    place = settings.lakehouse.root or f"the catalog {settings.lakehouse.catalog}"
    print_status(read_status(settings), place)


@app.command(
    rich_help_panel=CARE,
    help=with_examples(
        "Fetch the JARs of Delta once, and find a Java; afterwards no network is needed.",
        "clvspark setup",
    ),
)
def setup() -> None:
    """Set up what Spark needs."""
    from clvspark.lakehouse import runtime

    runtime.ensure_java()
    runtime.ensure_jars()
    runtime.write_spark_conf()
    console.out.print("Java and JARs are in place.")


@app.command(
    rich_help_panel=CARE,
    help=with_examples(
        "Check an installation, and say how to mend what is missing; status 1 if something needed is. With a "
        "configuration also what it names: lakehouse, MLflow, Kafka, PostgreSQL, secrets.",
        "clvspark doctor",
        "clvspark doctor --config conf/mine.yaml --json",
    ),
)
def doctor(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="configuration file; else the machine alone is checked"
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="print one JSON object and nothing else")
    ] = False,
) -> None:
    """Check the installation."""
    from clvspark.config import read_config
    from clvspark.doctor import checks_of, examine, missing, print_findings, to_json

    settings = read_config(config) if config else None
    with console.progress() as show:
        findings = examine(checks_of(settings), begin=lambda name: show("doctor", name))
    if as_json:
        typer.echo(to_json(findings))
    else:
        print_findings(findings)
    if missing(findings):
        raise typer.Exit(1)
