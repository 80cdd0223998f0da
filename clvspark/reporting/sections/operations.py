"""How the numbers were made: runs with their seconds, and rows that were kept out."""

from __future__ import annotations

from clvspark.reporting.blocks import Block, Chart, Grid, Note, Section
from clvspark.reporting.charts import draw_bars
from clvspark.reporting.drawing import ORANGE
from clvspark.reporting.figures import Figures
from clvspark.reporting.formats import decimal, percent, ratio, total, whole

_MOST_REASONS = 30


def describe_runs(figures: Figures) -> Section:
    """The newest run of each stage that did its work."""
    lead = "The newest run of each stage that had work to do; stages without changes are skipped."
    runs = [
        row for row in figures.runs if row["stage"] != "report"
    ]  # its newest run is the one that draws this
    if not runs:
        return Section("runs", "Run log", lead, [Note("No stage has finished yet.")])
    rows = [
        [
            row["stage"],
            f"{row['started_at']:%Y-%m-%d %H:%M}",
            whole(sum(row["rows"].values())),
            decimal(row["seconds"], 1),
        ]
        for row in runs
    ]
    rows.append(
        [
            "total",
            "",
            whole(sum(sum(r["rows"].values()) for r in runs)),
            decimal(total(runs, "seconds"), 1),
        ]
    )
    columns = ["Stage", "Started (UTC)", "Rows written", "Seconds"]
    title = "Seconds of each stage"
    data = [{"name": row["stage"], "value": row["seconds"]} for row in runs]
    spec = draw_bars(data, unit="Seconds", digits=1, description=title)
    hint = "The longest bar is where a faster machine, or a smaller input, would help most."
    grid = Grid("Runs", columns, rows, left=2, has_total=True)
    return Section("runs", "Run log", lead, [grid, Chart("runs", title, hint, spec)])


def describe_quarantine(figures: Figures) -> Section:
    """Rows that could not become what they should, by reason."""
    lead = (
        "Landing rows that were kept out, each with its reason; rows received are rows kept "
        "plus rows kept out."
    )
    received, kept = (
        figures.metric("ingest", "rows_received"),
        figures.metric("ingest", "rows_kept"),
    )
    count = total(figures.quarantine, "rows")
    blocks: list[Block] = []
    if received is not None and kept is not None:
        share = percent(ratio(count, received), 3)
        blocks.append(
            Note(
                f"{whole(received)} rows were received, {whole(kept)} kept and {whole(count)} "
                f"({share}) kept out."
            )
        )
    if not figures.quarantine:
        return Section("quarantine", "Quarantine", lead, [*blocks, Note("No row was kept out.")])
    shown = figures.quarantine[:_MOST_REASONS]
    rows = [
        [
            row["source_system"],
            row["target_table"],
            row["reason"],
            whole(row["rows"]),
            decimal(row["net_revenue"]),
        ]
        for row in shown
    ]
    columns = ["System", "Table", "Reason", "Rows", f"Readable revenue ({figures.currency})"]
    rest = len(figures.quarantine) - len(shown)
    hint = f"{rest} rarer combinations are in sources.quarantine." if rest else ""
    by_reason: dict[str, float] = {}
    for row in figures.quarantine:
        by_reason[row["reason"]] = by_reason.get(row["reason"], 0) + row["rows"]
    largest = sorted(by_reason.items(), key=lambda pair: (-pair[1], pair[0]))[:12]
    title = "Rows kept out, by reason"
    data = [{"name": reason, "value": rows_} for reason, rows_ in largest]
    spec = draw_bars(data, unit="Rows", description=title, colour=ORANGE)
    text = "A reason that suddenly grows is a source that changed its format."
    blocks += [
        Chart("quarantine", title, text, spec),
        Grid("Reasons by system", columns, rows, left=3, hint=hint),
    ]
    return Section("quarantine", "Quarantine", lead, blocks)
