"""The analysts' notebooks run from top to bottom and show what the tables hold."""

import re
from functools import cache

import pytest
from support.landing import newest_versions
from support.notebook_shop import make_notebook_shop
from support.notebooks import NOTEBOOKS, code_cells, drawn, open_kernel, read_notebook

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shop(open_lake, tmp_path_factory):
    """The small lakehouse. Only look at it: all notebooks do."""
    folder = tmp_path_factory.mktemp("notebooks")
    return make_notebook_shop(open_lake(folder), folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with open_kernel(tmp_path_factory.mktemp("kernel")) as run_notebook:
        yield run_notebook


@pytest.fixture(scope="module")
def show(run, shop):
    """What a notebook shows of the small lakehouse, as {tag: {mime type: data}}; each is run once."""
    return cache(lambda name: run(name, environment=shop.environment))


def test_exploring_shows_a_person_the_deciles_and_the_audiences(show):
    output = show("explore_customers")
    text = {tag: data.get("text/plain", "") for tag, data in output.items()}

    assert "Ann" in text["person"]
    assert "Bob" not in text["person"]
    assert all(record in text["records"] for record in ("C1", "W1", "A1"))
    assert "W9" not in text["records"], "a record of somebody else"
    assert "12.5" in text["pairs"]
    assert "W9" not in text["pairs"], "a record of somebody else"
    assert [order in text["orders"] for order in ("o1", "o2", "o3")] == [True, True, False]
    assert len(drawn(output["timeline"])) == 3
    assert "2025-12-31" in text["value"]
    assert "realized" in text["memberships"]
    assert set(drawn(output["decile-chart"])) == {
        "decile: 1; EUR: 50; part: historical_value",
        "decile: 1; EUR: 18; part: residual_value",
        "decile: 2; EUR: 40; part: historical_value",
        "decile: 2; EUR: 7; part: residual_value",
        "decile: 3; EUR: 50; part: historical_value",
        "decile: 3; EUR: 23; part: residual_value",
    }
    assert "Best" in text["audiences"]
    assert "Old name" not in text["audiences"]
    assert [("Best" in label) for label in drawn(output["audience-chart"])] == [True, True]


def test_an_audience_is_sized_and_valued_and_saved_if_it_is_named(run, shop, open_lake, tmp_path):
    """Ann's value is too low, Bob has bought, Di is angry: Cy is left, and takes e-mail alone."""
    copy = shop.copy_to(tmp_path)
    output = run("build_an_audience", environment=copy.environment, SAMPLE=1, SAVE="quiet")

    assert output["estimate"]["printed"] == "persons: about 1, from 1 to 1; 1 of 4 read\n"
    assert output["members"]["text/plain"].split()[1:] == [
        *("persons", "1", "reach_email", "1", "reach_push", "0", "reach_sms", "0"),
        *("clv", "42.0", "historical_value", "30.0", "residual_value", "12.0"),
    ]
    assert {*drawn(output["reach-chart"])} >= {
        "persons: 1; who: members",
        "persons: 1; who: email",
        "persons: 0; who: push",
        "persons: 0; who: sms",
    }
    assert {*drawn(output["standing-chart"])} == {
        "decile: 3; persons: 1",
        "decile: 3; expected value, EUR: 12",
    }
    assert "persons saved as quiet: 1" in output["save"]["printed"]
    saved = open_lake(tmp_path).table("audiences.saved_member").collect()
    assert [tuple(row) for row in saved] == [("quiet", "p3")]


def test_models_are_compared_by_fold_decile_and_interval(show):
    output = show("compare_models")
    contest = output["contest"]["text/plain"]
    scores = output["scores"]["text/plain"]

    assert "no maximum was found" in contest
    assert [line.split()[-1] for line in contest.splitlines() if "Pareto" in line] == ["yes"]
    models = ("ParetoNBDModel", "BetaGeoModel", "LastPeriod")
    order = [name for name in dict.fromkeys(scores.split()) if name in models]
    assert order == ["BetaGeoModel", "ParetoNBDModel", "LastPeriod"], "by the smallest error"
    assert {label.split("; fold")[0] for label in drawn(output["error-chart"])} == {
        f"value_mae: {value}; model: {model}"
        for model, value in (
            ("ParetoNBDModel", 9), ("ParetoNBDModel", 11), ("BetaGeoModel", 9.5),
            ("LastPeriod", 12), ("LastPeriod", 18),
        )
    }  # fmt: skip
    assert {label for label in drawn(output["decile-chart"]) if "model" in label} >= {
        "predicted, EUR a person: 40; actual, EUR a person: 50; model: ParetoNBDModel",
        "predicted, EUR a person: 80; actual, EUR a person: 40; model: LastPeriod",
    }
    held = [
        re.search(r"held: (\d+).*model: (\w+)", label)
        for label in drawn(output["calibration-chart"])
    ]
    assert sorted(found.groups() for found in held) == [
        ("60", "BetaGeoModel"),
        *((share, "ParetoNBDModel") for share in ("70", "75", "79", "81")),
    ]


def test_a_doubtful_pair_is_shown_and_decided_about(run, shop, open_lake, tmp_path):
    copy = shop.copy_to(tmp_path)
    decided = [("web:W9", "crm:C1", "different")]
    output = run("review_matches", environment=copy.environment, DECISIONS=decided, BY="eve")

    assert "wait for an answer: 1;" in output["queue"]["printed"]
    assert "separated" in output["queue"]["text/plain"]
    assert "They are two persons" in output["pair"]["printed"]
    bits = [re.split("[:;] ", label) for label in drawn(output["pair-chart"])]
    assert [(name, start, end, speaks) for _, start, _, name, _, end, _, speaks in bits] == [
        ("prior", "0", "-2", "against it"),
        ("given_name", "-2", "-3", "against it"),
        ("postcode", "-3", "1", "for one person"),
    ]
    assert "decisions written: 1" in output["decide"]["printed"]
    rows = open_lake(tmp_path).table("identity.decision").collect()
    assert [tuple(row)[:4] for row in rows] == [("crm:C1", "web:W9", "different", "eve")]
    assert "different" in output["decided"]["text/plain"]


def test_treatment_is_compared_with_the_holdout_of_the_newest_date(show):
    output = show("measure_a_campaign")

    assert output["outcomes"]["printed"].split() == ["top"], "the audience with most persons"
    tried = output["experiments"]["text/plain"].split()
    assert {"top", "quiet", "few", "too_few_persons"} <= {*tried}
    assert "old" not in tried, "an experiment of another date"
    assert [
        label for label in drawn(output["difference-chart"]) if "audience_id: top" in label
    ] == [
        "margin more, EUR a person: 0.5; audience_id: top; ci_high: 2.5; method: plain",
        "margin more, EUR a person: 0.75; audience_id: top; ci_high: 1.75; method: CUPED",
        "difference: 1.5; audience_id: top; method: plain",
        "difference: 1.25; audience_id: top; method: CUPED",
    ]
    assert "1350" in output["effect"]["text/plain"]
    assert "-270" not in output["effect"]["text/plain"], "of another audience"
    assert drawn(output["power-chart"]) == [
        "minimum_detectable_effect: 0.75; basis: assigned",
        "difference: 1.5; basis: assigned",
        "difference: 3; basis: assigned",
        "minimum_detectable_effect: 2; basis: assigned",
        "difference: 0.25; basis: assigned",
    ]
    assert "revenue (all_alike_before)" in output["power-chart"]["image/svg+xml"]


def test_duckdb_reads_the_star_schema_of_the_newest_date(show):
    output = show("connect_a_tool")

    assert [row.split()[1] for row in output["tables"]["text/plain"].splitlines()[1:3]] == [
        "dim_person_segment",
        "fact_profile",
    ]
    assert {*drawn(output["stage-chart"])} == {
        "persons: 40; stage: core",
        "persons: 100; stage: lapsed",
        "customer equity, currency of the lakehouse: 800.25; stage: core",
        "customer equity, currency of the lakehouse: 25.5; stage: lapsed",
    }


def test_the_tool_is_connected_without_clvspark_and_spark():
    source = "\n".join(cell.source for cell in code_cells(read_notebook("connect_a_tool")))

    assert "import duckdb" in source
    assert "import clvspark" not in source
    assert "from clvspark" not in source
    assert "pyspark" not in source


def test_no_notebook_writes_by_itself(show, shop):
    for name in NOTEBOOKS:
        show(name)

    versions = newest_versions(shop.lakehouse)
    assert len(NOTEBOOKS) == 6
    assert {*versions.values()} == {"00000000000000000000.json"}, "a table that was written again"
    assert not {"identity.decision", "audiences.saved", "audiences.saved_member"} & {*versions}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_committed_notebook_holds_no_outputs(name):
    cells = code_cells(read_notebook(name))

    assert cells
    assert [(c.outputs, c.execution_count) for c in cells] == [([], None)] * len(cells)
    assert len({c.metadata.tags[0] for c in cells}) == len(cells)
