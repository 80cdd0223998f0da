"""The analysts' notebook runs from top to bottom and shows what the tables hold."""

import json
import re
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

from clvspark.catalogue import TABLES

pytestmark = pytest.mark.e2e
NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "explore_customers.ipynb"

# Ann is known to three systems; Bob has bought more, but the notebook looks for people like Ann.
ROWS = """
sources.customer_record:
- {source_system: crm, source_record_id: C1, given_name: Ann}
- {source_system: web, source_record_id: W1, given_name: Ann}
- {source_system: app, source_record_id: A1, given_name: Ann}
- {source_system: web, source_record_id: W9, given_name: Bob}
identity.person_link:
- {source_system: crm, source_record_id: C1, valid_from: 2026-04-01, person_id: p1, reason: match}
- {source_system: web, source_record_id: W1, valid_from: 2026-04-01, person_id: p1, reason: match}
- {source_system: app, source_record_id: A1, valid_from: 2026-04-01, person_id: p1, reason: match}
- {source_system: web, source_record_id: W9, valid_from: 2026-04-01, person_id: p2, reason: single}
identity.person:
- {person_id: p1, given_name: Ann, records: 3, source_systems: [app, crm, web]}
- {person_id: p2, given_name: Bob, records: 1, source_systems: [web]}
identity.pair:
- {unique_id_l: crm:C1, unique_id_r: web:W1, match_weight: 12.5, match_probability: 0.9998}
- {unique_id_l: crm:C1, unique_id_r: web:W9, match_weight: 2.25, match_probability: 0.8}
history.order:
- {order_id: o1, person_id: p1, ordered_at: 2026-01-05, channel: shop, is_purchase: true, row_type: purchase}
- {order_id: o2, person_id: p1, ordered_at: 2026-03-07, channel: web, is_purchase: true, row_type: purchase}
- {order_id: o3, person_id: p2, ordered_at: 2026-03-08, channel: web, is_purchase: true, row_type: purchase}
history.interaction:
- {event_id: e1, person_id: p1, occurred_at: 2026-02-01, interaction_type: visit, channel: app}
clv.customer_value:
- {person_id: p1, as_of_date: 2025-12-31, historical_value: 30, residual_value: 9, clv: 39}
- {person_id: p1, as_of_date: 2026-04-01, historical_value: 40, residual_value: 7, clv: 47}
- {person_id: p2, as_of_date: 2026-04-01, historical_value: 60, residual_value: 8, clv: 68}
audiences.decile:
- {person_id: p2, metric: clv, as_of_date: 2026-04-01, value: 68, rank: 1, decile: 1}
- {person_id: p1, metric: clv, as_of_date: 2026-04-01, value: 47, rank: 2, decile: 2}
audiences.definition:
- {audience_id: top, version: 1, name: Old name}
- {audience_id: top, version: 2, name: Best}
audiences.membership:
- {audience_id: top, person_id: p1, status: realized, version: 2, qualified_on: 2026-04-01}
audiences.estimate:
- {audience_id: top, as_of_date: 2026-04-01, profiles_matched: 2, contactable_email: 1, clv: 115}
"""
CONFIG = """
as_of: 2026-04-01
spark:
  {{master: "local[1]", driver_memory: 1g, shuffle_partitions: 1}}
lakehouse: {{root: {root}, currency: EUR}}
sources:
  landing: landing
  systems:
  - system: crm
    files:
    - path: crm/*.csv
      format: csv
      outputs: [{{to: customer_record, fields: {{source_record_id: id}}}}]
identity: {{settings: {{attributes: []}}}}
activation: {{exports: exports}}
"""


@pytest.fixture
def config(lake, spark, tmp_path):
    """A configuration file and the small lakehouse that it names."""
    for name, rows in yaml.safe_load(ROWS).items():
        lake.storage.save(TABLES[name].rows(spark, rows).write, name)
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(root=lake.config.root), encoding="utf-8")
    return path


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    """Name of the running interpreter's kernel, whatever kernels the machine has registered."""
    folder = tmp_path / "jupyter" / "kernels" / "this"
    folder.mkdir(parents=True)
    launch = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": launch, "display_name": "this", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return folder.name


@pytest.fixture
def output(config, kernel, monkeypatch):
    """What each cell puts out on the small lakehouse, as {tag: {mime type: data}}."""
    monkeypatch.setenv("CLVSPARK_CONFIG", str(config))
    monkeypatch.delenv("CLVSPARK_FIND", raising=False)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, kernel_name=kernel, timeout=300, resources=where).execute()
    return {
        cell.metadata.tags[0]: next((o.data for o in cell.outputs if "data" in o), {})
        for cell in notebook.cells
        if cell.cell_type == "code"
    }


def drawn(cell):
    """What the marks of a chart say of themselves, e.g. ``decile: 1; EUR: 40; part: a``."""
    labels = re.findall(r'aria-label="([^"]*)"', cell["image/svg+xml"])
    return [label for label in labels if "; " in label]


def test_the_notebook_shows_a_person_the_deciles_and_the_audiences(output):
    text = {tag: data.get("text/plain", "") for tag, data in output.items()}

    assert "Ann" in text["person"]
    assert "Bob" not in text["person"]
    assert all(record in text["records"] for record in ("C1", "W1", "A1"))
    assert "W9" not in text["records"], "a record of somebody else"
    assert "12.5" in text["pairs"]
    assert "2.25" not in text["pairs"], "a record of somebody else"
    assert [order in text["orders"] for order in ("o1", "o2", "o3")] == [True, True, False]
    assert len(drawn(output["timeline"])) == 3
    assert "2025-12-31" in text["value"]
    assert "realized" in text["memberships"]
    assert set(drawn(output["decile-chart"])) == {
        "decile: 1; EUR: 60; part: historical_value",
        "decile: 1; EUR: 8; part: residual_value",
        "decile: 2; EUR: 40; part: historical_value",
        "decile: 2; EUR: 7; part: residual_value",
    }
    assert "Best" in text["audiences"]
    assert "Old name" not in text["audiences"]
    assert [("Best" in label) for label in drawn(output["audience-chart"])] == [True, True]


def test_the_committed_notebook_holds_no_outputs():
    cells = [c for c in nbformat.read(NOTEBOOK, as_version=4).cells if c.cell_type == "code"]

    assert cells
    assert [(c.outputs, c.execution_count) for c in cells] == [([], None)] * len(cells)
