"""The command that reads rules and says what they are, without Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clvspark import console
from clvspark.audiences.rules import AudienceDefinition
from clvspark.cli.audiences.options import BEFORE, AsJson, app, print_json
from clvspark.cli.options import DEFAULT_CONFIG, ConfigFile, with_examples


@app.command(
    rich_help_panel=BEFORE,
    help=with_examples(
        "Check rules without running anything: all faults of all files at once, each with file, line, key and what is "
        "allowed. Tells of each audience what it builds on, and whether a stream can evaluate it.",
        "clvspark audiences validate --config conf/mine.yaml",
        "clvspark audiences validate conf/audiences/win_back.yaml",
        "clvspark audiences validate --json",
    ),
)
def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="audience files; default: those of --config"),
    ] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Check rules."""
    definitions = _read_files(files) if files else _read_configured(config)
    told = [_describe(definition) for definition in definitions]
    if as_json:
        print_json(told)
        return
    rows = [
        (t["id"], t["version"], t["owner"], t["schedule"], t["conditions"], ", ".join(t["builds_on"]), t["evaluation"])
        for t in told
    ]  # fmt: skip
    columns = ["audience", "version", "owner", "schedule", "conditions", "builds on", "evaluation"]
    console.table("Audiences", columns, rows, texts={2, 3, 5, 6})
    for t in told:
        for reason in t["batch_reasons"]:
            console.out.print(f"{t['id']}: batch only, as {reason}", markup=False, soft_wrap=True)
    console.out.print(f"{len(told)} valid", markup=False)


def _read_configured(config: Path) -> list[AudienceDefinition]:
    from clvspark.config import read_config

    return read_config(config).audiences.in_order


def _read_files(files: list[Path]) -> list[AudienceDefinition]:
    """Definitions of single files; what they build on need not be among them."""
    from clvspark.lakehouse.errors import ConfigError
    from clvspark.lakehouse.load_config import parse_config
    from clvspark.lakehouse.yaml_files import read_yaml

    found, faults = [], []
    for file in files:
        try:
            # Named otherwise than the file, so that each fault says file and line.
            found.append(parse_config(read_yaml(file), AudienceDefinition, where="audiences"))
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError("audiences", faults)
    return found


def _describe(definition: AudienceDefinition) -> dict[str, Any]:
    can_stream = not definition.batch_reasons
    return {
        "id": definition.id,
        "version": definition.version,
        "name": definition.name,
        "owner": definition.owner,
        "labels": definition.labels,
        "schedule": definition.schedule,
        "conditions": len(definition.conditions),
        "builds_on": sorted(definition.references),
        "evaluation": definition.evaluation,
        "can_stream": can_stream,
        "batch_reasons": definition.batch_reasons,
    }
