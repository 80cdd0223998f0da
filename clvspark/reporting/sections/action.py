"""What is done about it: audiences, and the lists that destinations received."""

from __future__ import annotations

from clvspark.reporting.blocks import Block, Chart, Grid, Note, Section
from clvspark.reporting.charts import draw_grouped_bars, draw_overlap, draw_stacked_bars
from clvspark.reporting.figures import Figures
from clvspark.reporting.formats import decimal, percent, ratio, whole

_MOST_IN_OVERLAP = 15


def audience_names(figures: Figures) -> dict[str, str]:
    """Name of each audience by its id."""
    return {row["audience_id"]: row["name"] or row["audience_id"] for row in figures.audiences}


def describe_audiences(figures: Figures) -> Section:
    """Size, reach, value and overlap."""
    lead = (
        "Who qualified for which audience, how many of them may be e-mailed, and what they "
        "are worth."
    )
    if not figures.audiences:
        return Section(
            "audiences",
            "Audiences",
            lead,
            [Note(f"No audience was evaluated as of {figures.as_of} yet.")],
        )
    unit, names = figures.currency, audience_names(figures)
    rows = [
        [
            names[row["audience_id"]],
            whole(row["count_of_profiles"]),
            whole(row["contactable_email"]),
            percent(ratio(row["contactable_email"], row["count_of_profiles"])),
            whole(row["clv"]),
            decimal(ratio(row["clv"], row["count_of_profiles"])),
            whole(row["entered"]),
            whole(row["exited"]),
        ]
        for row in figures.audiences
    ]
    columns = [
        "Audience",
        "Members",
        "Reach by e-mail",
        "Reach",
        f"CLV ({unit})",
        f"CLV a member ({unit})",
        "Entered",
        "Left",
    ]
    title = "Audience sizes, and how many members can be reached by e-mail"
    series = ["members", "reachable: consent and an address"]
    data = [
        {"name": names[row["audience_id"]], "series": what, "value": row[column]}
        for row in figures.audiences
        for what, column in zip(series, ("count_of_profiles", "contactable_email"), strict=True)
    ]
    hint = (
        "The gap between the bars is the audience that consent or a missing address keeps out of reach, by what was "
        "said before the date; lists heed what was said on it as well."
    )
    chart = Chart(
        "audiences", title, hint, draw_grouped_bars(data, series, unit="Persons", description=title)
    )
    grid = Grid("Audience sizes, reach and value", columns, rows)
    return Section("audiences", "Audiences", lead, [grid, chart, *_overlap(figures)])


def describe_activation(figures: Figures) -> Section:
    """What each destination received."""
    lead = (
        "Lists that left the house: consent is checked at that moment, and a holdout is kept "
        "back to measure by."
    )
    if not figures.activation:
        return Section(
            "activation",
            "Activation",
            lead,
            [Note(f"Nothing was activated as of {figures.as_of} yet.")],
        )
    names = audience_names(figures)
    left_out = {
        "held out": ("held_out",),
        "no address, or suppressed": ("without_identifier", "suppressed"),
        "without consent": ("without_consent",),
    }
    every = ("without_consent", "without_identifier", "suppressed", "held_out")
    told = [f"{what}_{how}" for what in ("persons", "entries") for how in ("added", "removed")]
    numbers = ("members", *every, *told, "waiting", "dead")
    rows = [
        [
            row["destination_id"],
            names.get(row["audience_id"], row["audience_id"]),
            *(whole(row[n]) for n in numbers),
        ]
        for row in figures.activation
    ]
    columns = [
        "Destination",
        "Audience",
        "Members",
        "Without consent",
        "Without address",
        "Suppressed",
        "Held out",
        "Persons added",
        "Persons removed",
        "Entries added",
        "Entries removed",
        "Waiting",
        "Given up",
    ]
    entries = (
        "Entries are the lines of the files: persons who share an address are one entry. An address that one of them "
        "has refused is left out for all, and so is that of somebody who is held out."
    )
    grid = Grid("Lists by destination", columns, rows, left=2, hint=entries)
    series = ["on the list", *left_out]
    data = []
    for row in figures.activation:
        kept = {name: sum(row[c] or 0 for c in reasons) for name, reasons in left_out.items()}
        parts = {"on the list": (row["members"] or 0) - sum(kept.values()), **kept}
        label = f"{names.get(row['audience_id'], row['audience_id'])}\n{row['destination_id']}"
        data += [{"name": label, "series": what, "value": count} for what, count in parts.items()]
    title = "Members of the lists: who is on the list, and who is left out for which reason"
    hint = (
        "Everybody is counted once, by the first reason that holds: no consent, then no address or number, then the "
        "suppression list, then the holdout."
    )
    spec = draw_stacked_bars(data, series, unit="Persons", description=title)
    return Section("activation", "Activation", lead, [grid, Chart("activation", title, hint, spec)])


def _overlap(figures: Figures) -> list[Block]:
    """Share of each audience that is also in each other one; of many, the largest."""
    sizes = {
        row["audience_id"]: row["count_of_profiles"]
        for row in figures.audiences
        if row["count_of_profiles"]
    }
    shown, names = list(sizes)[:_MOST_IN_OVERLAP], audience_names(figures)
    if len(shown) < 2 or not figures.overlap:
        return [Note("No person is in two audiences at once.")]
    common = {(a, a): sizes[a] for a in shown}
    for row in figures.overlap:
        pair = (row["audience_id"], row["other_audience_id"])
        common[pair] = common[pair[::-1]] = row["count_of_profiles"]
    data = [
        {
            "row": names[a],
            "column": names[b],
            "share": common.get((a, b), 0) / sizes[a],
            "persons": common.get((a, b), 0),
        }
        for a in shown
        for b in shown
    ]
    title = "Overlap: the share of the audience in a row that is also in the audience of a column"
    hint = (
        "Dark cells beside the diagonal are audiences that say nearly the same: one message "
        "to both is one too many."
    )
    return [Chart("overlap", title, hint, draw_overlap(data, [names[a] for a in shown], title))]
