"""The pages promise only what exists: links, tests, commands, and examples that the program accepts."""

import ast
import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from clvspark.activation.config import FileDestination
from clvspark.audiences.rules import AudienceDefinition
from clvspark.cli import app
from clvspark.sources.config import SourceSystem

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROMISES = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_a_page_meets_a_heading(page):
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= anchors


def test_every_promise_is_held_by_a_test_that_exists():
    rows = [line for line in PROMISES.splitlines() if line.startswith("| ") and "::" in line]
    named = [re.findall(r"`(tests/[^`]+\.py)::(\w+)`", row) for row in rows]
    missing = [
        f"{file}::{name}"
        for tests in named
        for file, name in tests
        if name not in functions_of(ROOT / file)
    ]

    assert rows
    assert all(named), "a row names no test"
    assert missing == []


def functions_of(file):
    if not file.is_file():
        return set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_the_readme_names_every_command_and_no_other():
    commands = get_command(app).commands
    used = set(re.findall(r"(?:^|`)clvspark ([a-z]+)", README, re.MULTILINE))
    listed = set(re.findall(r"`([a-z]+)`", README.split("## Commands")[1]))

    assert used <= set(commands)
    assert set(commands) <= used | listed


def test_the_examples_of_the_readme_are_accepted():
    models = {
        "conf/sources/": SourceSystem,
        "conf/audiences/": AudienceDefinition,
        "conf/destinations/": FileDestination,
    }
    blocks = re.findall(r"```yaml\n# (conf/\w+/)[\w.]+\n(.*?)```", README, re.DOTALL)
    accepted = {
        folder: models[folder].model_validate(yaml.safe_load(text)) for folder, text in blocks
    }

    assert set(accepted) == set(models)
    (audience,) = accepted["conf/destinations/"].audiences
    assert audience == accepted["conf/audiences/"].id
    shipped = {path.stem for path in (ROOT / "conf" / "audiences").glob("*.yaml")}
    assert accepted["conf/audiences/"].references <= shipped
