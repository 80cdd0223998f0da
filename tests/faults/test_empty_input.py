"""Fault 17: no rows, or a shop younger than the holdout. Valid empty tables, and a page that says why."""

from __future__ import annotations

import html

import pytest
from support.commands import run_commands
from support.shops import BY_PEOPLE, environment, open_till_shop

from clvspark.catalogue import TABLES
from clvspark.lakehouse.table_log import folder_of, read_table_log

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
# Records of which each is a person need no linkage model.
UNTRAINED = {"identity.term_frequency"}
WHY = {
    "header only": "no model was fitted: history.clv_summary is empty, nobody bought anything before 2026-04-01. Next "
    "step: see whether orders landed (sources.event, sources.quarantine) and whether 'as_of' is after them.",
    "young shop": "no model was fitted: the first purchase is of 2026-01-05, and a backtest over 182 days needs "
    "purchases before 2025-10-01. Next step: run again as of 2026-07-07 or later or set 'clv.holdout_days' below 86 "
    "and run again.",
}


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    folder = tmp_path_factory.mktemp("empty")
    found = {name: open_till_shop(folder / name.replace(" ", "_")) for name in WHY}
    (found["header only"].landing / "sales.csv").write_text("receipt,card,sold_at,amount\n")
    return found


@pytest.fixture(scope="module")
def outcomes(shops):
    """What ``clvspark run`` says of each shop, in one process."""
    commands = [["run", "--config", shop.config_file] for shop in shops.values()]
    seen = run_commands(commands, cwd=shops["young shop"].folder, env=environment())
    return dict(zip(shops, seen, strict=True))


@pytest.mark.parametrize("name", WHY)
def test_the_run_ends_well_and_says_at_its_end_why_no_model_was_fitted(outcomes, name):
    seen = outcomes[name]

    assert seen.code == 0, seen.err
    closing = seen.out[seen.out.index("Seconds") :]
    assert f"Warning (fit): {WHY[name]}" in closing
    assert "Warning (score): nobody is valued" in closing


@pytest.mark.parametrize("name", WHY)
def test_every_table_is_there_and_those_of_the_values_are_empty(outcomes, shops, name):
    assert outcomes[name].code == 0
    lakehouse = shops[name].lakehouse
    rows = {
        table: read_table_log(folder_of(lakehouse, table)).rows
        for table in set(TABLES) - BY_PEOPLE - UNTRAINED
    }
    orders = {"header only": 0, "young shop": 3}[name]

    assert (rows["sources.event"], rows["history.order"]) == (orders, orders)
    empty = ("clv.model", "clv.backtest", "clv.customer_value", "activation.outbox")
    assert [rows[table] for table in empty] == [0, 0, 0, 0]


@pytest.mark.parametrize("name", WHY)
def test_the_page_says_it(outcomes, shops, name):
    assert outcomes[name].code == 0
    page = html.unescape(shops[name].page.read_text(encoding="utf-8"))

    assert WHY[name][1:] in page
