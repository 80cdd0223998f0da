"""The data dictionary says what the contracts say, and the contracts refer to what exists."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from clvspark.catalogue import TABLES
from clvspark.lakehouse import Column, Table

ROOT = Path(__file__).resolve().parents[3]
TOOL = ROOT / "tools" / "data_dictionary.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("data_dictionary", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_contracts_give(tool):
    page = tool.DICTIONARY.read_text(encoding="utf-8")

    assert page == tool.render_dictionary(list(TABLES.values())), "stale; next step: make docs"


def test_a_changed_contract_makes_the_page_stale(tool, monkeypatch, tmp_path):
    stale = tmp_path / "data-dictionary.md"
    stale.write_text(tool.DICTIONARY.read_text(encoding="utf-8").replace("p_alive", "p_dead"))
    monkeypatch.setattr(tool, "DICTIONARY", stale)
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", [str(TOOL), "--check"])

    assert tool.main() == 1
    monkeypatch.setattr(sys, "argv", [str(TOOL)])
    assert tool.main() == 0
    monkeypatch.setattr(sys, "argv", [str(TOOL), "--check"])
    assert tool.main() == 0


def test_every_fact_of_a_column_is_on_the_page(tool):
    visit = Table(
        "history.visit",
        "One visit.",
        (
            Column("visit_id", "string", key=True),
            Column("email", "string", "as typed", pii="email", required=True),
            Column("seconds", "int", unit="s", check="seconds >= 0 || false"),
            Column("store_id", "string", references="history.store"),
        ),
        checks={"known": "email IS NOT NULL"},
        cluster_by=("store_id",),
        change_feed=True,
    )
    store = Table("history.store", "One store.", (Column("store_id", "string", key=True),))

    page = tool.render_dictionary([visit, store])

    assert "| `visit_id` | `string` | key |  |  |  |  |  |" in page
    assert "| `email` | `string` | required | as typed |  |  | email |  |" in page
    assert r"| `seconds` | `int` |  |  | s |  |  | `seconds >= 0 \|\| false` |" in page
    assert "| `store_id` | `string` |  |  |  | [history.store](#historystore) |  |  |" in page
    assert "- Check `known`: `email IS NOT NULL`" in page
    assert "- Clustered by store_id." in page
    assert "- Keeps a change data feed." in page


def test_every_reference_names_a_table_of_the_catalogue():
    lost = {
        f"{table.name}.{column.name} -> {column.references}"
        for table in TABLES.values()
        for column in table.columns
        if column.references and column.references not in TABLES
    }

    assert lost == set()


def test_the_page_is_made_without_a_spark_session(tmp_path):
    # A Java that cannot start: any attempt to open a session would fail.
    blind = {"PATH": "/nonexistent", "JAVA_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(TOOL), "--check"],
        env=blind,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
