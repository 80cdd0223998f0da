"""Commands that evaluate rules without writing: how many would be in, who would come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clvspark import console
from clvspark.cli.audiences.options import BEFORE, AsJson, Names, app, print_json
from clvspark.cli.options import DEFAULT_CONFIG, AsOf, ConfigFile, with_examples

if TYPE_CHECKING:
    from clvspark.audiences.differ import Difference, Part


@app.command(
    rich_help_panel=BEFORE,
    help=with_examples(
        "How many persons would be in, from a sample, with the standard error and an interval of 95 %. Nothing is "
        "written.",
        "clvspark audiences estimate win_back --config conf/mine.yaml",
        "clvspark audiences estimate --sample 0.05 --json",
    ),
)
def estimate(
    names: Names = None,
    config: ConfigFile = DEFAULT_CONFIG,
    as_of: AsOf = None,
    sample: Annotated[
        float, typer.Option("--sample", min=0.0001, max=1, help="share of all persons to read")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Estimate sizes."""
    from clvspark.audiences.dry_run import choose_definitions
    from clvspark.audiences.estimate import estimate_sizes
    from clvspark.config import read_config
    from clvspark.pipeline import open_lakehouse

    settings = read_config(config)
    chosen, asked = choose_definitions(settings.audiences, names or [])
    day = as_of.date() if as_of else settings.as_of
    with console.progress() as show:
        lake = open_lakehouse(settings)
        show("estimating")
        found = estimate_sizes(lake, chosen, asked, as_of=day, share=sample)
    if as_json:
        print_json(found)
        return
    rows = [
        (e.audience_id, e.estimated_size, f"{e.standard_error:,.0f}", "{:,} to {:,}".format(*e.confidence_interval),
         f"{e.profiles_matched:,} of {e.profiles_read:,} of {e.total_rows:,}", e.state)
        for e in found
    ]  # fmt: skip
    columns = [
        "audience",
        "size",
        "standard error",
        "95 % interval",
        "matched, of those read, of all",
        "state",
    ]
    console.table(f"Sizes as of {day}", columns, rows, texts={5})


@app.command(
    rich_help_panel=BEFORE,
    help=with_examples(
        "Who would enter and who would leave against the published members, with their value and whom each channel "
        "reaches. Nothing is written.",
        "clvspark audiences diff win_back --config conf/mine.yaml",
        "clvspark audiences diff --as-of 2026-05-01 --json",
    ),
)
def diff(
    names: Names = None,
    config: ConfigFile = DEFAULT_CONFIG,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Compare with what is published."""
    from clvspark.audiences.differ import diff_audiences
    from clvspark.audiences.dry_run import choose_definitions
    from clvspark.config import read_config
    from clvspark.pipeline import open_lakehouse

    settings = read_config(config)
    chosen, asked = choose_definitions(settings.audiences, names or [])
    day = as_of.date() if as_of else settings.as_of
    with console.progress() as show:
        lake = open_lakehouse(settings)
        show("comparing with the published members")
        found = diff_audiences(lake, chosen, asked, as_of=day)
    if as_json:
        print_json(found)
        return
    columns = [
        "audience",
        "",
        "persons",
        f"CLV ({settings.lakehouse.currency})",
        "e-mail",
        "push",
        "sms",
    ]
    rows = [row for difference in found for row in _rows(difference)]
    console.table(f"Against the published members, as of {day}", columns, rows, left=2)


def _rows(difference: Difference) -> list[tuple[object, ...]]:
    named: list[tuple[str, Part]] = [
        ("published", difference.now),
        ("enter", difference.entries),
        ("leave", difference.exits),
        ("then", difference.then),
    ]
    return [
        (
            f"{difference.audience_id} (version {difference.version})" if n == 0 else "",
            label,
            part.persons,
            f"{part.clv:,.0f}",
            *(part.contactable[channel] for channel in ("email", "push", "sms")),
        )
        for n, (label, part) in enumerate(named)
    ]
