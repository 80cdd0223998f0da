"""What the sections say, cell by cell."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from support.report_rows import experiment, worth

from clvspark.reporting.blocks import Block, Chart, Grid, Note, Section
from clvspark.reporting.figures import Figures, name_value
from clvspark.reporting.formats import UNKNOWN
from clvspark.reporting.sections.action import describe_activation, describe_audiences
from clvspark.reporting.sections.experiments import describe_experiments
from clvspark.reporting.sections.headline import build_tiles
from clvspark.reporting.sections.identity import describe_identity
from clvspark.reporting.sections.operations import describe_quarantine, describe_runs
from clvspark.reporting.sections.quality import describe_models
from clvspark.reporting.sections.responses import describe_responses
from clvspark.reporting.sections.value import describe_lifecycle, describe_value


def grid(section: Section, title: str) -> Grid:
    return next(b for b in section.blocks if isinstance(b, Grid) and b.title.startswith(title))


def chart(section: Section, name: str) -> Chart:
    return next(block for block in section.blocks if isinstance(block, Chart) and block.id == name)


def notes(section: Section) -> str:
    return " ".join(block.text for block in section.blocks if isinstance(block, Note))


def values(drawn: Chart, layer: int | None = None) -> list[dict[str, Any]]:
    spec = drawn.spec if layer is None else drawn.spec["layer"][layer]
    found: list[dict[str, Any]] = spec["data"]["values"]
    return found


def test_the_headline_weighs_customers_by_p_alive_and_shows_anonymous_revenue(
    figures: Figures,
) -> None:
    tiles = {tile.label: tile for tile in build_tiles(figures)}
    assert tiles["Persons"].value == "234"
    assert tiles["Persons"].hint == "200 of them have bought"
    assert tiles["Records"].hint == "2.00 records a person"
    assert tiles["Customer equity (EUR)"].value == "4,500"
    assert tiles["Active customers"].value == "100"
    assert tiles["Anonymous revenue"].value == "5.0 %"


def test_the_page_says_why_nobody_is_valued(figures: Figures) -> None:
    told = {
        ("fit", "warning: no model was fitted: the shop is young"): 1.0,
        ("ingest", "warning: x"): 1.0,
    }
    young = dataclasses.replace(figures, deciles=[], metrics=told)
    assert notes(describe_value(young)) == (
        f"Nobody is ranked by CLV as of {figures.as_of} yet. No model was fitted: the shop is young"
    )


def test_historical_and_residual_value_stand_beside_their_sum_and_what_came_true(
    figures: Figures,
) -> None:
    deciles = grid(describe_value(figures), "Deciles of customer lifetime value")
    assert deciles.columns[2:5] == [
        "Historical margin (EUR)",
        "Residual margin (EUR)",
        "CLV: their sum (EUR)",
    ]
    assert deciles.rows[0] == [
        "1", "100", "8,345", "4,000", "12,345", "92.5 %", "123.45", "50.0 %", "1.25", "900", "9.00",
    ]  # fmt: skip
    assert deciles.rows[-1] == [
        "total", "200", "8,845", "4,500", "13,345", "100.0 %", "66.72", "50.0 %", "1.25", "1,000", "5.00",
    ]  # fmt: skip
    assert "never added" in describe_value(figures).lead


def test_a_window_that_is_not_over_is_not_yet_observed_and_never_zero(figures: Figures) -> None:
    deciles = [{**row, "revenue_after": None} for row in figures.deciles]
    unknown = dict.fromkeys(("difference", "ci_low", "ci_high", "p_value", "p_value_adjusted"))
    early = {**figures.experiments[0], **unknown}
    early |= {"status": "not_yet_observed", "is_significant": None}
    soon = dataclasses.replace(
        figures,
        deciles=deciles,
        days_observed=30,
        experiments=[early],
        incremental=[worth(early)],
    )
    so_far = "30 of the 91 days from 2026-04-01 on are known so far"
    value = describe_value(soon)
    for row in grid(value, "Deciles").rows:
        assert row[-2:] == [UNKNOWN, UNKNOWN]
    assert so_far in grid(value, "Deciles").hint
    assert f"not yet observed ({so_far})" in notes(value)
    tile = next(tile for tile in build_tiles(soon) if tile.label.startswith("Came in"))
    assert (tile.value, tile.hint) == (UNKNOWN, f"not yet observed: {so_far}")
    section = describe_experiments(soon)
    assert f"Not yet observed: {so_far}" in notes(section)
    assert grid(section, "What acting was worth").rows == [
        ["Top customers", "900", "100", *[UNKNOWN] * 4, "not yet observed"]
    ]
    assert len(section.blocks) == 2, "no chart and no means"
    assert so_far in describe_responses(soon).lead

    unseen = dataclasses.replace(soon, days_observed=0, responses=[])
    assert "Responses are not yet observed: none of the 91 days" in notes(
        describe_responses(unseen)
    )


def test_prediction_and_outcome_are_compared_as_shares_that_add_up_to_one(figures: Figures) -> None:
    rows = values(chart(describe_value(figures), "predicted"))
    for series in {row["series"] for row in rows}:
        assert sum(row["share"] for row in rows if row["series"] == series) == pytest.approx(1)


def test_without_revenue_in_the_window_there_is_a_sentence_and_no_chart(figures: Figures) -> None:
    deciles = [{**row, "revenue_after": 0.0} for row in figures.deciles]
    section = describe_value(dataclasses.replace(figures, deciles=deciles))
    assert "nobody who is ranked brought any revenue" in notes(section)
    assert "predicted" not in [block.id for block in section.blocks if isinstance(block, Chart)]


def test_concentration_runs_from_nothing_to_everything(figures: Figures) -> None:
    points = values(chart(describe_value(figures), "concentration"), layer=1)
    curve = [(p["persons"], p["value"]) for p in points if p["series"].startswith("residual value")]
    assert curve == [(0.0, 0.0), (0.5, pytest.approx(4_000 / 4_500)), (1.0, 1.0)]


def test_stages_come_in_the_order_of_a_relationship(figures: Figures) -> None:
    stages = grid(describe_lifecycle(figures), "Persons and value")
    rows = stages.rows
    assert stages.has_total
    assert [row[0] for row in rows] == ["core", "prospect", "total"]
    assert rows[-1] == ["total", "234", "468", "8,845", "4,500", "19.23"]


def test_identity_without_a_truth_says_so(figures: Figures) -> None:
    assert grid(describe_identity(figures), "Agreement").rows[0][1] == "99.12 %"
    section = describe_identity(dataclasses.replace(figures, metrics={}))
    assert "precision and recall cannot be stated" in notes(section)
    assert not [block for block in section.blocks if isinstance(block, Grid)]


def test_persons_of_many_records_are_one_group(figures: Figures) -> None:
    names = [row["name"] for row in values(chart(describe_identity(figures), "records"))]
    assert names == ["1", "10 or more"]


def test_the_champion_is_marked_in_table_and_chart(figures: Figures) -> None:
    section = describe_models(figures)
    holdout = grid(section, "Holdout of 182 days")
    assert [row[0] for row in holdout.rows] == ["BetaGeoModel", "ParetoNBDModel ★"]
    assert holdout.marked == {1}
    bars = values(chart(section, "holdout"), layer=0)
    assert [row["series"] for row in bars] == ["other model", "champion"]
    assert values(chart(section, "holdout"), layer=1) == [{"value": 1_000.0}]


def test_overlap_is_read_from_the_row_and_holds_both_directions(figures: Figures) -> None:
    cells = values(chart(describe_audiences(figures), "overlap"), layer=0)
    shares = {(cell["row"], cell["column"]): cell["share"] for cell in cells}
    assert shares == {
        ("Top customers", "Top customers"): 1.0,
        ("Top customers", "Lapsed"): 5 / 40,
        ("Lapsed", "Top customers"): 5 / 20,
        ("Lapsed", "Lapsed"): 1.0,
    }


def test_the_parts_of_a_list_add_up_to_its_members(figures: Figures) -> None:
    section = describe_activation(figures)
    assert grid(section, "Lists").rows == [
        ["email_tool", "Top customers", "40", "10", "1", "3", "4", "25", "1", "24", "1", "2", "0"]
    ]
    parts = {row["series"]: row["value"] for row in values(chart(section, "activation"))}
    assert parts == {
        "on the list": 22,
        "held out": 4,
        "no address, or suppressed": 4,
        "without consent": 10,
    }
    scale = chart(section, "activation").spec["encoding"]["color"]["scale"]
    assert len(set(scale["range"])) == len(scale["domain"]), "a colour of its own for each part"


def test_response_rates_are_of_those_contacted_and_unranked_persons_are_apart(
    figures: Figures,
) -> None:
    section = describe_responses(figures)
    rows = grid(section, "Responses by decile").rows
    assert [row[0] for row in rows] == ["1", "2", "not ranked", "total"]
    assert rows[0][:4] == ["1", "50", "20", "40.0 %"]
    assert rows[-1][:4] == ["total", "110", "26", "23.6 %"]
    assert {row["decile"] for row in values(chart(section, "responses"))} == {1, 2}
    assert [row[:2] for row in grid(section, "Responses by campaign").rows] == [
        ["Campaign c1", "100"],
        ["Campaign c2", "10"],
    ]


def test_responses_of_those_not_contacted_are_apart_and_in_no_rate(figures: Figures) -> None:
    by_decile = grid(describe_responses(figures), "Responses by decile")
    assert by_decile.columns[-1] == "Responded, not contacted"
    assert [row[-1] for row in by_decile.rows] == ["2", "2", "2", "6"]
    zero = {**figures.responses[1], "contacted": 0, "opened": 0, "clicked": 0}
    alone = describe_responses(dataclasses.replace(figures, responses=[zero]))
    (row, _) = grid(alone, "Responses by decile").rows
    assert row == ["2", "0", "0", UNKNOWN, "0", UNKNOWN, "0", UNKNOWN, "2"]


def test_differences_that_are_not_significant_prove_nothing(figures: Figures) -> None:
    section = describe_experiments(figures)
    assert "No difference in margin is significant among 2 audiences compared" in notes(section)
    assert grid(section, "What acting was worth").rows[0] == [
        "Top customers", "900", "100", "450", "-900 to 1,800", "0.300", "0.600", "not significant",
    ]  # fmt: skip


def test_what_is_significant_follows_from_the_corrected_value(figures: Figures) -> None:
    real, chance = experiment("top", 0.5, 2.0), experiment("lapsed", 0.1, 2.0)
    chance |= {"p_value_adjusted": 0.07, "is_significant": False}
    section = describe_experiments(
        dataclasses.replace(
            figures, experiments=[real, chance], incremental=[worth(real), worth(chance)]
        )
    )
    assert "significant for 1 of 2 audiences compared, after correction" in notes(section)
    assert grid(section, "Groups").marked == grid(section, "What acting").marked == {0}
    points = values(chart(section, "experiments"), layer=1)
    assert [row["series"] for row in points] == ["significant", "not significant"]


def test_audiences_with_too_few_persons_are_named(figures: Figures) -> None:
    few = {**figures.incremental[0], "status": "too_few_persons", "is_significant": None}
    few |= dict.fromkeys(("incremental_margin", "ci_low", "ci_high", "p_value", "p_value_adjusted"))
    rows = [{**figures.experiments[0], "status": "too_few_persons"}]
    section = describe_experiments(
        dataclasses.replace(figures, experiments=rows, incremental=[few])
    )
    assert "No audience has a treatment and a holdout group that are large enough" in notes(section)
    assert grid(section, "What acting was worth").rows[0][-1] == "too few persons"


def test_runs_and_quarantine_add_up(figures: Figures) -> None:
    runs = grid(describe_runs(figures), "Runs").rows
    assert runs == [
        ["ingest", "2026-04-01 06:30", "1,007", "12.3"],
        ["total", "", "1,007", "12.3"],
    ]
    section = describe_quarantine(figures)
    assert "1,007 rows were received, 1,000 kept and 7 (0.695 %) kept out." in notes(section)
    assert grid(section, "Reasons").rows == [
        ["till", "sources.event", "check:quantity", "7", "12.30"]
    ]


@pytest.mark.parametrize(
    ("historical", "revenue", "margin", "name"),
    [
        (100.0, 250.0, 100.001, "margin"),
        (250.0, 250.0, 100.0, "revenue"),
        (99.0, 250.0, 100.0, "value"),
        (None, None, None, "value"),
    ],
)
def test_the_value_is_named_after_the_sum_it_equals(
    historical: float | None, revenue: float | None, margin: float | None, name: str
) -> None:
    assert name_value(historical, revenue, margin) == name


def test_two_narrow_blocks_share_a_row_and_a_lone_one_is_wide() -> None:
    narrow, wide = Chart("c", "t", "h", {}), Note("n")
    blocks: list[Block] = [wide, narrow, narrow, narrow, wide, narrow]
    layout = [is_wide for _, is_wide in Section("s", "t", "l", blocks).layout]
    assert layout == [True, False, False, True, True, True]


def test_the_linkage_model_guards_and_stability_are_shown(figures: Figures) -> None:
    levels = [
        {"comparison": "name", "label": "exact", "weight": 5.5, "seen": True},
        {"comparison": "name", "label": "swapped", "weight": 0.0, "seen": False},
    ]
    shown = describe_identity(
        dataclasses.replace(
            figures,
            identity_report={"levels": levels, "unlinkables": [(0.0, 0.01), (2.0, 0.25)]},
            pair_weights=[{"weight": 0.0, "pairs": 3}, {"weight": 2.0, "pairs": 9}],
            identity_guards=[
                {"guard": "email", "cases": 2, "records": 31},
                {"guard": "hot_block", "cases": 1, "records": 5_000},
            ],
            id_stability=[{"recorded_at": datetime(2026, 4, 1, 6, tzinfo=UTC), "value": 0.9987}],
        )
    )
    assert [row["value"] for row in values(chart(shown, "match-weights"))] == [5.5, 0.0]
    assert [row["value"] for row in values(chart(shown, "unlinkables"))] == [1.0, 25.0]
    assert [row["value"] for row in values(chart(shown, "pair-weights"))] == [3, 9]
    guards = grid(shown, "What guards did").rows
    assert guards[0] == ["email that too many different names share", "2", "31"]
    assert guards[1][2] == "5,000"
    assert grid(shown, "Ids from run to run").rows == [["2026-04-01 06:00", "99.87 %"]]


def test_guards_without_work_say_so(figures: Figures) -> None:
    notes = [block.text for block in describe_identity(figures).blocks if block.kind == "note"]
    assert any("No guard had anything to do" in text for text in notes)


def test_a_model_that_could_not_be_fitted_is_shown_with_its_reason(figures: Figures) -> None:
    refused = {
        "model": "NBDModel", "measure": "fitted", "value": 0.0, "holdout_days": 182,
        "reason": "NBDModel could not be fitted: no maximum.",
    }  # fmt: skip
    before = describe_models(figures)
    section = describe_models(dataclasses.replace(figures, backtest=[*figures.backtest, refused]))
    rows = grid(section, "Holdout").rows
    assert rows[:-1] == grid(before, "Holdout").rows
    assert rows[-1][0] == "NBDModel (left out)"
    assert set(rows[-1][1:]) == {UNKNOWN}
    notes = [block.text for block in section.blocks if block.kind == "note"]
    assert any("no maximum" in text for text in notes)
    assert chart(section, "holdout").spec == chart(before, "holdout").spec


def test_responses_are_shown_by_audience_and_do_not_claim_to_add_up(figures: Figures) -> None:
    assert "Responses by audience" not in {
        block.title for block in describe_responses(figures).blocks if block.kind == "grid"
    }
    numbers = {"opened": 4, "clicked": 2, "redeemed": 1, "responded_not_contacted": 3}
    rows = [
        {"campaign_id": c, "audience_id": "top", "contacted": 10, **numbers} for c in ("c1", "c2")
    ]
    found = grid(
        describe_responses(dataclasses.replace(figures, responses_by_audience=rows)),
        "Responses by audience",
    )
    assert found.rows == [["Top customers", "20", "8", "40.0 %", "4", "20.0 %", "2", "10.0 %", "6"]]
    assert "do not add up" in found.hint


def test_lists_count_persons_and_entries_apart(figures: Figures) -> None:
    found = grid(describe_activation(figures), "Lists by destination")
    assert dict(zip(found.columns, found.rows[0], strict=True)) | {
        "Persons added": "25", "Persons removed": "1", "Entries added": "24", "Entries removed": "1"
    } == dict(zip(found.columns, found.rows[0], strict=True))  # fmt: skip
