"""`clvspark audiences`: the group is the stage, and validates without Spark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clvspark import cli
from clvspark.lakehouse.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, ["audiences", *arguments])
    if isinstance(result.exception, ConfigError):
        raise result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize("name", ["validate", "estimate", "diff", "evaluate", "explain"])
def test_every_command_explains_itself(name: str) -> None:
    code, shown = invoke(name, "--help")
    assert code == 0
    assert f"  clvspark audiences {name}" in shown.split("Examples:")[1]


def test_what_is_shipped_is_valid_and_says_why_it_needs_the_batch() -> None:
    code, shown = invoke("validate", "--config", str(ROOT / "conf" / "demo.yaml"), "--json")
    assert code == 0
    told = {audience["id"]: audience for audience in json.loads(shown)}
    assert told["top_customers"]["can_stream"]
    assert told["win_back"]["builds_on"] == [
        "lapsed_but_valuable",
        "unhappy_top_customers",
        "value_in_decline",
    ]
    assert told["lapsed_but_valuable"]["batch_reasons"] == [
        "'event' needs a window of 24 hours, the day: each ends with it, not at the event"
    ]


def test_faults_of_all_files_come_at_once_with_file_and_line(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text("id: one\nname: One\ninclude:\n  decile: {metric: clv, at_mos: 2}\n")
    other.write_text("id: Other\nname: Other\ninclude:\n  stage: {any_of: [gone]}\n")
    with pytest.raises(ConfigError) as raised:
        invoke("validate", str(one), str(other))
    first, *rest = raised.value.faults
    assert first.startswith(
        f"{one}, line 4: include.leaf.decile.at_mos: unknown key. Did you mean 'at_most'?"
    )
    assert [fault.split(": ")[0] for fault in rest] == [f"{other}, line 1", f"{other}, line 4"]
    assert "input should be 'new', 'growing'" in rest[1]


def test_options_stand_behind_their_command() -> None:
    code, shown = invoke("--config", "x.yaml", "validate")
    assert code == 2
    assert "write --config behind validate" in " ".join(shown.split())
