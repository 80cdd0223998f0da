"""Whether identities can be believed: the truth where there is one, the model, guards, ids from run to run."""

from __future__ import annotations

import altair as alt

from clvspark.reporting.blocks import Block, Chart, Grid, Note, Section
from clvspark.reporting.charts import draw_columns
from clvspark.reporting.drawing import BLUE, VERMILION, Rows, finish_chart, make_chart
from clvspark.reporting.figures import MANY_RECORDS, Figures
from clvspark.reporting.formats import decimal, percent, total, whole

_GUARDS = {
    "oversized_component": "Groups that were taken apart as they were too large",
    "hot_block": "Blocks too large to compare whole",
}


def describe_identity(figures: Figures) -> Section:
    """Records to persons, and agreement with the truth where there is one."""
    lead = "How many records became how many persons, and how often that was right."
    blocks: list[Block] = [_quality(figures)]
    if figures.record_counts:
        title = "Persons by the number of records they have"
        hint = (
            "One record: known to one system only. More: the same person found in several systems."
        )
        data = [
            {
                "name": f"{row['records']}{' or more' if row['records'] == MANY_RECORDS else ''}",
                "value": row["persons"],
            }
            for row in figures.record_counts
        ]
        spec = draw_columns(data, x_title="Records of a person", unit="Persons", description=title)
        blocks.append(Chart("records", title, hint, spec))
    blocks += [*_weights(figures), *_guards(figures), *_stability(figures)]
    return Section("identity", "Identity", lead, blocks)


def _quality(figures: Figures) -> Block:
    known = {
        name: figures.metric("resolve", name)
        for name in (
            "pairwise_precision",
            "pairwise_recall",
            "pairwise_f1",
            "largest_person",
            "largest_true_person",
        )
    }
    persons = total(figures.profile, "count_of_profiles")
    if known["pairwise_f1"] is None:
        return Note(
            f"{whole(total(figures.profile, 'records'))} records are {whole(persons)} persons. "
            "No truth is known to "
            "compare with (identity.truth), so precision and recall cannot be stated."
        )
    rows = [
        [
            "Precision: pairs put together that belong together",
            percent(known["pairwise_precision"], 2),
        ],
        [
            "Recall: pairs that belong together and were put together",
            percent(known["pairwise_recall"], 2),
        ],
        ["F1: both in one number", decimal(known["pairwise_f1"], 4)],
        ["Records of the largest person", whole(known["largest_person"])],
        ["Records of the largest person in truth", whole(known["largest_true_person"])],
    ]
    hint = "The truth was used for judging only; the model never saw it."
    return Grid(
        "Agreement with the truth, over pairs of records", ["Measure", "Value"], rows, hint=hint
    )


def _weights(figures: Figures) -> list[Block]:
    blocks: list[Block] = []
    report = figures.identity_report
    if report:
        blocks += [draw_match_weights(report["levels"]), draw_unlinkables(report["unlinkables"])]
    if figures.pair_weights:
        title = "Pairs of records by match weight"
        hint = (
            "All pairs that link. Many pairs at the left end are near the threshold: look at some with clvspark "
            "identity explain."
        )
        data = [
            {"name": f"{row['weight']:g}", "value": row["pairs"]} for row in figures.pair_weights
        ]
        spec = draw_columns(data, x_title="Bits, from", unit="Pairs", description=title)
        blocks.append(Chart("pair-weights", title, hint, spec))
    return blocks


def _guards(figures: Figures) -> list[Block]:
    rows = [
        [_GUARDS.get(row["guard"], f"{row['guard']} that too many different names share"),
         whole(row["cases"]), whole(row["records"])]
        for row in figures.identity_guards
    ]  # fmt: skip
    if not rows:
        return [Note("No guard had anything to do: no identifier, block or group was too large.")]
    hint = "What guards set aside is in identity.review and identity.shared_identifier, and is no evidence."
    return [Grid("What guards did", ["Guard", "Cases", "Records"], rows, hint=hint)]


def _stability(figures: Figures) -> list[Block]:
    rows = [
        [str(row["recorded_at"])[:16], percent(row["value"], 2)] for row in figures.id_stability
    ]
    if not rows:
        return []
    hint = "Share of the records known before that kept their person id. Only the newest runs are shown."
    return [Grid("Ids from run to run", ["Run (UTC)", "Kept their id"], rows, hint=hint)]


def draw_match_weights(levels: Rows) -> Chart:
    """Lying bars, one a level. In: ``comparison, label, weight, seen`` of the training report."""
    rows = [
        {
            "name": f"{level['comparison']}: {level['label']}",
            "value": round(level["weight"], 3),
            "seen": "estimated" if level["seen"] else "not estimated",
        }
        for level in levels
    ]
    title = "What each level of a comparison adds to a pair, in bits"
    colour = alt.when("datum.value < 0").then(alt.value(VERMILION)).otherwise(alt.value(BLUE))
    pale = alt.when("datum.seen === 'estimated'").then(alt.value(1))
    chart = (
        make_chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("value:Q", title="Bits"),
            y=alt.Y("name:N", sort=None, axis=alt.Axis(title=None, labelLimit=0, grid=False)),
            color=colour,
            opacity=pale.otherwise(alt.value(0.4)),
            tooltip=["name:N", alt.Tooltip("value:Q", title="Bits", format="+.2f"), "seen:N"],
        )
    )
    hint = (
        "Ten bits are a thousand to one. Pale: a level too rare in training for m and u to be estimated both. How "
        "common a value is comes on top."
    )
    return Chart(
        "match-weights", title, hint, finish_chart(chart, height=alt.Step(18), description=title)
    )


def draw_unlinkables(shares: list[tuple[float, float]]) -> Chart:
    """Standing bars: share of records that do not reach a threshold even with themselves."""
    rows = [{"name": f"{weight:g}", "value": round(100 * share, 3)} for weight, share in shares]
    title = "Records that cannot be linked, by threshold"
    hint = "A record that does not match even itself at a threshold knows too little to be linked at it."
    spec = draw_columns(
        rows, x_title="Threshold in bits", unit="Per cent of the records", description=title
    )
    return Chart("unlinkables", title, hint, spec)
