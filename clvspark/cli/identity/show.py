"""Commands that show: why two records are one person, one person, the model, what waits for review."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clvspark import console
from clvspark.cli.identity.options import PERSONS, app
from clvspark.cli.options import DEFAULT_CONFIG, ConfigFile, with_examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clvspark.reporting.blocks import Section

Record = Annotated[str, typer.Argument(metavar="SYSTEM:ID", help="a record")]
HtmlFile = Annotated[
    Path | None, typer.Option("--html", help="page to write as well, for its owner only")
]


def write_page(
    path: Path | None, title: str, lead: str, sections: Sequence[Section], footer: str
) -> None:
    """Write an HTML page if one is asked for, and say so."""
    if path is None:
        return
    from clvspark.reporting.document import build_document, write_atomically

    write_atomically(path, build_document(title, lead, sections, footer=footer))
    console.out.print(f"wrote {path}", markup=False, soft_wrap=True)


def say(*lines: str) -> None:
    """Print sentences as they are."""
    for line in lines:
        console.out.print(line, markup=False, soft_wrap=True)


@app.command(
    rich_help_panel=PERSONS,
    help=with_examples(
        "Why two records are one person, or are not: prior, bits of each comparison, how common the values are, "
        "total weight, what goes before the weight, and what became of them. Shows personal data.",
        "clvspark identity explain crm:C1 web_shop:W7 --config conf/mine.yaml",
        "clvspark identity explain crm:C1 web_shop:W7 --html why.html",
    ),
)
def explain(
    left: Record, right: Record, config: ConfigFile = DEFAULT_CONFIG, html: HtmlFile = None
) -> None:
    """Explain a pair of records."""
    from clvspark.cli.identity import pages
    from clvspark.config import read_config
    from clvspark.identity.explain.pair import explain_pair
    from clvspark.pipeline import open_lakehouse

    settings = read_config(config)
    with console.progress() as show:
        show("explaining")
        found = explain_pair(open_lakehouse(settings), settings.identity.settings, left, right)
    if found.evidence is not None:
        rows = pages.evidence_rows(found)
        title = f"{found.left} and {found.right}"
        console.table(title, pages.EVIDENCE_COLUMNS, rows, left=4)
    say(
        *found.verdict,
        *(bond.sentence for bond in found.bonds[1:]),
        *pages.describe_ignored(found.ignored),
    )
    write_page(
        html,
        "Why",
        " ".join(found.verdict),
        pages.explanation_sections(found),
        pages.PERSONAL,
    )


@app.command(
    rich_help_panel=PERSONS,
    help=with_examples(
        "One person: golden record, records, links with their weights, the weakest link, bridges, identifiers that "
        "are ignored, history. A retired id leads to the person that absorbed it, SYSTEM:RECORD to the person of the "
        "record. Shows personal data.",
        "clvspark identity person p0123456789abcdef012 --config conf/mine.yaml",
        "clvspark identity person p0123456789abcdef012 --html person.html",
    ),
)
def person(
    person_id: Annotated[
        str, typer.Argument(metavar="ID", help="id of the person, or SYSTEM:RECORD")
    ],
    config: ConfigFile = DEFAULT_CONFIG,
    html: HtmlFile = None,
) -> None:
    """Show a person."""
    from clvspark.cli.identity import pages
    from clvspark.config import read_config
    from clvspark.identity.explain.person import view_person
    from clvspark.pipeline import open_lakehouse

    settings = read_config(config)
    with console.progress() as show:
        show("reading the person")
        view = view_person(open_lakehouse(settings), settings.identity.settings, person_id)
    console.table(
        f"Golden record of {view.person_id}",
        ["attribute", "value", "from (rule)"],
        view.golden,
        left=3,
    )
    columns, records = pages.record_rows(view)
    console.table("Records, as they are compared", columns, records, left=len(columns))
    if view.links:
        console.table("Links", pages.LINK_COLUMNS, pages.link_rows(view.links), left=4)
    say(*pages.cohesion(view), *pages.describe_ignored(view.ignored))
    console.table("History", pages.HISTORY_COLUMNS, pages.history_rows(view), left=4)
    count = len(view.records)
    lead = f"{view.person_id}: {count} record{'s' if count > 1 else ''}."
    write_page(html, "Person", lead, pages.person_sections(view), pages.PERSONAL)


@app.command(
    rich_help_panel=PERSONS,
    help=with_examples(
        "The model that links: bits of each level, convergence of its training, records that know too little to be "
        "linked at a threshold. No personal data.",
        "clvspark identity model --config conf/mine.yaml",
        "clvspark identity model --html model.html",
    ),
)
def model(config: ConfigFile = DEFAULT_CONFIG, html: HtmlFile = None) -> None:
    """Show the champion."""
    from clvspark.cli.identity import pages
    from clvspark.config import read_config
    from clvspark.identity.explain.records import read_champion
    from clvspark.pipeline import open_lakehouse

    with console.progress() as show:
        show("reading the model")
        champion = read_champion(open_lakehouse(read_config(config)))
    if champion is None:
        say(
            "These settings compare nothing: only identifiers and decisions join records. There is no model."
        )
        return
    report = champion.report
    if report is None:
        say(
            f"The report of model {champion.model_id} was not kept. Train anew with 'retrain: true' under 'identity'."
        )
        return
    console.table(
        f"Model {champion.model_id}: match weights",
        pages.LEVEL_COLUMNS,
        pages.level_rows(report),
        left=2,
    )
    console.table("EM runs", pages.SESSION_COLUMNS, pages.session_rows(report), left=2)
    shares = [(f"{weight:g}", f"{share:.2%}") for weight, share in report.unlinkables]
    console.table(
        "Records that do not match even themselves", ["threshold in bits", "share"], shares, left=0
    )
    say(f"Two random records are one person with probability {report.prior:.3g}.")
    write_page(
        html,
        "The linkage model",
        f"Model {champion.model_id}.",
        pages.model_sections(report),
        pages.PLAIN,
    )


@app.command(
    rich_help_panel=PERSONS,
    help=with_examples(
        "Pairs of records whose answer by a person would teach most, the most telling first. Answer with: clvspark "
        "identity decide.",
        "clvspark identity review --config conf/mine.yaml",
        "clvspark identity review --limit 50",
    ),
)
def review(
    config: ConfigFile = DEFAULT_CONFIG,
    limit: Annotated[int, typer.Option("--limit", min=1, help="pairs to show")] = 20,
) -> None:
    """Show the review queue."""
    from clvspark.config import read_config
    from clvspark.identity.review.queue import read_queue
    from clvspark.pipeline import open_lakehouse

    with console.progress() as show:
        show("reading the queue")
        total, rows = read_queue(open_lakehouse(read_config(config)), limit)
    if not rows:
        say("Nothing waits for review.")
        return
    columns = ["one", "other", "why", "bits", "priority"]
    console.table("Pairs to review", columns, rows, left=3)
    say(
        f"{len(rows)} of {total} pairs. Next steps: clvspark identity explain ONE OTHER, then clvspark identity "
        "decide ONE OTHER --same or --different"
    )
