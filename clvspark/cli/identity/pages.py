"""What the group shows as HTML: sections of the documents that `clvspark.reporting.document` writes."""

from __future__ import annotations

from clvspark.identity.clustering.components import CERTAIN
from clvspark.identity.explain.pair import Explanation
from clvspark.identity.explain.person import Link, PersonView
from clvspark.identity.explain.records import Ignored
from clvspark.identity.model.training_report import TrainingReport
from clvspark.reporting.blocks import Block, Chart, Grid, Note, Section
from clvspark.reporting.identity_charts import draw_match_weights, draw_unlinkables

PERSONAL = "Made by clvspark. This page holds personal data: keep it as you keep the records."
PLAIN = "Made by clvspark from identity.model. No personal data is on this page, and it loads nothing from elsewhere."


def explanation_sections(found: Explanation) -> list[Section]:
    """Verdict, waterfall, comparisons, identifiers that do not count."""
    verdict: list[Block] = [Note(" ".join(found.verdict))]
    verdict += [Note(bond.sentence) for bond in found.bonds]
    verdict += [Note(line) for line in describe_ignored(found.ignored)]
    sections = [Section("verdict", "Verdict", f"{found.left} and {found.right}", verdict)]
    if found.evidence is None:
        return sections
    hint = (
        "It begins with the prior: how likely two random records are one person. Each comparison then adds or takes "
        "bits; ten bits are a thousand to one."
    )
    chart = Chart("waterfall", "Where the weight comes from", hint, found.evidence.chart)
    rows = [list(row) for row in evidence_rows(found)]
    grid = Grid("Comparisons", EVIDENCE_COLUMNS, rows, left=4)
    return [
        *sections,
        Section("evidence", "Evidence", "Bits, one comparison a row.", [chart, grid]),
    ]


EVIDENCE_COLUMNS = ["Comparison", "One", "Other", "Level", "Bits", "For frequency"]


def evidence_rows(found: Explanation) -> list[tuple[str, ...]]:
    """Prior, steps and sum, as texts."""
    evidence = found.evidence
    if evidence is None:
        return []
    return [
        ("prior", "", "", "two random records", _bits(evidence.prior), ""),
        *(
            (s.comparison, s.left, s.right, s.level, _bits(s.bits), _bits(s.frequency_bits))
            for s in evidence.steps
        ),
        ("weight", "", "", f"probability {evidence.probability:.6f}", _bits(evidence.weight), ""),
    ]


def describe_ignored(ignored: list[Ignored]) -> list[str]:
    """Sentences on identifiers that are no evidence, without their values."""
    return [
        f"The {found.column} of {found.unique_id} is no evidence: {found.records:,} records with "
        f"{found.distinct_names:,} different given names have it."
        for found in ignored
    ]


def _bits(value: float) -> str:
    return f"{value:+.1f}"


LINK_COLUMNS = ["One", "Other", "Found", "Bridge", "Bits"]


def link_rows(links: list[Link]) -> list[tuple[str, ...]]:
    """Links as texts."""
    return [
        (
            link.left,
            link.right,
            "by blocking" if link.is_blocked else "inside the person",
            "bridge" if link.is_bridge else "",
            "certain" if link.weight >= CERTAIN else _bits(link.weight),
        )
        for link in links
    ]


def cohesion(view: PersonView) -> list[str]:
    """What holds the person together, in sentences."""
    said = []
    if view.asked != view.person_id:
        is_record = any(record["unique_id"] == view.asked for record in view.records)
        became = (
            f"is a record of {view.person_id}"
            if is_record
            else f"is retired; {view.person_id} has absorbed it"
        )
        said.append(f"{view.asked} {became}.")
    if len(view.records) == 1:
        return [*said, "The person has one record."]
    if view.weakest is not None:
        weakest = view.weakest
        weight = "certain" if weakest.weight >= CERTAIN else f"{weakest.weight:.1f} bits"
        said.append(
            f"The weakest link is between {weakest.left} and {weakest.right} ({weight}): the records would part there "
            "first."
        )
    bridges = sum(link.is_bridge for link in view.links)
    said.append(
        f"{bridges} of {len(view.links)} links are bridges, without which the person falls apart."
    )
    if view.parts > 1:
        said.append(
            f"Links alone leave {view.parts} groups; what the groups know together makes them one person."
        )
    return said


HISTORY_COLUMNS = ["What", "Id", "Other id", "On"]


def history_rows(view: PersonView) -> list[tuple[str, ...]]:
    """What happened to the person, then records that left, by date."""
    events = [
        (row["change_type"], row["person_id"], row["other_person_id"] or "", row["changed_on"])
        for row in view.changes
    ]
    left = [
        ("record left", row["unique_id"], f"here since {row['valid_from']}", row["valid_to"])
        for row in view.history
    ]
    return [(*row[:3], str(row[3])) for row in sorted([*events, *left], key=lambda row: row[3])]


def record_rows(view: PersonView) -> tuple[list[str], list[tuple[str, ...]]]:
    """Columns and rows of the records; columns that none of them has are left out."""
    known = [n for n in view.columns if any(row[n] is not None for row in view.records)]
    names = ["unique_id", "since", "reason", "probability", *known]
    rows = [
        tuple(
            f"{row[n]:.4f}" if n == "probability" else "-" if row[n] is None else str(row[n])
            for n in names
        )
        for row in view.records
    ]
    return names, rows


def person_sections(view: PersonView) -> list[Section]:
    """Golden record, records, links, history."""
    columns, records = record_rows(view)
    golden = Grid("Golden record", ["Attribute", "Value", "From (rule)"], view.golden, left=3)
    standard = Grid(
        "Records, as they are compared",
        columns,
        records,
        left=len(columns),
        hint="Values are standardised.",
    )
    held: list[Block] = [Note(line) for line in [*cohesion(view), *describe_ignored(view.ignored)]]
    if view.links:
        held.append(Grid("Links", LINK_COLUMNS, link_rows(view.links), left=4))
    history = Grid("History", HISTORY_COLUMNS, history_rows(view), left=4)
    return [
        Section(
            "records",
            "Records",
            "The best value of each attribute, and where it is from.",
            [golden, standard],
        ),
        Section("links", "What holds them together", "Links between records, in bits.", held),
        Section("history", "History", "What became of the id from run to run.", [history]),
    ]


def model_sections(report: TrainingReport) -> list[Section]:
    """Match weights, threshold chart of unlinkable records, EM runs."""
    data = report.to_dict()
    return [
        Section(
            "weights",
            "Match weights",
            "What each level of a comparison adds to the weight of a pair, in bits.",
            [
                draw_match_weights(data["levels"]),
                Grid("Levels", LEVEL_COLUMNS, level_rows(report), left=2),
            ],
        ),
        Section(
            "training",
            "Training",
            f"On {report.records:,} records, without labels. Two random ones are one person with "
            f"{report.prior:.6f}.",
            [
                draw_unlinkables(data["unlinkables"]),
                Grid("EM runs", SESSION_COLUMNS, session_rows(report), left=2),
            ],
        ),
    ]


LEVEL_COLUMNS = ["Comparison", "Level", "m", "u", "Bits", "Estimated"]
SESSION_COLUMNS = [
    "Pairs that agree on",
    "Comparisons seen",
    "Iterations",
    "Last change",
    "Converged",
]


def level_rows(report: TrainingReport) -> list[tuple[str, ...]]:
    """Levels as texts."""
    return [
        (
            level.comparison,
            level.label,
            f"{level.m:.5f}",
            f"{level.u:.7f}",
            _bits(level.weight),
            "yes" if level.seen else "no",
        )
        for level in report.levels
    ]


def session_rows(report: TrainingReport) -> list[tuple[str, ...]]:
    """EM runs as texts."""
    return [
        (
            session.rule,
            ", ".join(session.comparisons),
            str(session.iterations),
            f"{session.last_change:.6f}",
            "yes" if session.converged else "no",
        )
        for session in report.sessions
    ]
