"""The site has every page, and its pages show only commands that the program accepts."""

from __future__ import annotations

import importlib.util
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.example_shop import write_example
from typer.main import get_command

from clvspark.audiences.rules import AudienceDefinition
from clvspark.cli import app
from clvspark.config import read_config
from clvspark.guard import INTERRUPTED, TERMINATED, UNEXPECTED
from clvspark.lakehouse.errors import ClvsparkError
from clvspark.lakehouse.runtime import MissingJavaError, SetupError

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
_BLOCK = re.compile(r"^```(?:sh|)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^(?:\.venv/bin/)?clvspark .*$", re.MULTILINE)
_TITLED = re.compile(r'^```yaml title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def shown_commands() -> list[tuple[str, str]]:
    """Every command of a block of a page, with the page."""
    found = []
    for page in sorted(DOCS.rglob("*.md")):
        blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
        found += [
            (str(page.relative_to(DOCS)), line)
            for block in blocks
            for line in _COMMAND.findall(block.replace("\\\n", " "))
        ]
    return found


def parse(line: str) -> Any:
    """Read a command as the program would; click's own error where it would refuse it."""
    words = shlex.split(line, comments=True)[1:]
    command = get_command(app)
    context = command.make_context("clvspark", list(words))
    while hasattr(command, "resolve_command"):
        words = [*context._protected_args, *context.args]
        if not words:
            break  # a command that has others below it and was called itself
        name, command, words = command.resolve_command(context, words)
        context = command.make_context(name, list(words), parent=context)
    return context


def pages_of(nav: object) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in pages_of(part)]


@pytest.mark.parametrize(("page", "line"), shown_commands(), ids=lambda value: value[:60])
def test_every_command_of_a_page_is_accepted(page, line):
    context = parse(line)

    assert context.command.name != "clvspark", "a command is named"


def test_a_command_with_an_option_that_there_is_not_would_be_found():
    for wrong in ("clvspark run --confg x", "clvspark rum", "clvspark audiences explain a"):
        with pytest.raises(Exception, match=r"No such|Missing") as refused:
            parse(wrong)
        assert "UsageError" in {kind.__name__ for kind in type(refused.value).__mro__}


def test_commands_within_sentences_exist():
    commands = get_command(app).commands
    used = {
        (page.name, name)
        for page in DOCS.glob("*.md")
        for name in re.findall(r"`clvspark ([a-z]+)", page.read_text(encoding="utf-8"))
    }

    assert {pair for pair in used if pair[1] not in commands} == set()
    assert ("faq.md", "doctor") in used


def test_targets_of_make_and_scripts_of_the_pages_exist():
    targets = {*re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)}
    for page in DOCS.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        named = {*re.findall(r"(?:^|`|&& )make ([a-z-]+)", text, re.MULTILINE)}
        scripts = {*re.findall(r"(?<![\w/])deploy/[\w./-]+\w", text)}
        assert named <= targets, page.name
        assert [script for script in scripts if not (ROOT / script).exists()] == [], page.name


def test_every_page_is_in_the_navigation_and_no_other():
    named = pages_of(SITE["nav"])
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    records = {page for page in there if re.match(r"adr/\d{4}-", page)}

    assert len(named) == len({*named})
    assert {*named} == there - records


def test_the_shop_of_three_systems_is_accepted(tmp_path):
    files = write_example(tmp_path)

    config = read_config(tmp_path / "conf" / "mine.yaml")

    assert len(files) == len({*files})
    assert [system.system for system in config.sources.systems] == [
        "guest",
        "newsletter",
        "till",
        "web",
    ]
    landed = [path for path in (tmp_path / "landing").rglob("*") if path.is_file()]
    read = {
        path
        for system in config.sources.systems
        for file in system.files
        for path in (tmp_path / "landing").glob(file.path)
    }
    assert {*landed} == read, "each file is read by one mapping"


def test_the_audience_of_the_tutorial_is_accepted():
    ((name, text),) = _TITLED.findall((DOCS / "tutorial.md").read_text(encoding="utf-8"))

    audience = AudienceDefinition.model_validate(yaml.safe_load(text))

    assert name == f"conf/audiences/{audience.id}.yaml"
    shipped = {path.stem for path in (ROOT / "conf" / "audiences").glob("*.yaml")}
    assert audience.references <= shipped
    assert audience.id not in shipped


def test_the_operating_guide_names_every_exit_status():
    text = (DOCS / "operations.md").read_text(encoding="utf-8")
    table = text.split("## Exit status")[1].split("\n## ")[0]
    named = {
        int(number)
        for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
        for number in row.split(",")
    }
    errors = [*ClvsparkError.__subclasses__(), SetupError, MissingJavaError]
    ours = {
        error.exit_code for error in errors if error.__module__.startswith("clvspark.lakehouse")
    }

    assert ours | {1, UNEXPECTED, INTERRUPTED, TERMINATED} == named


@pytest.fixture(scope="module")
def hook():
    spec = importlib.util.spec_from_file_location("site_files", ROOT / "tools" / "site_files.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("page", "target", "path"),
    [
        ("identity.md", "../conf/identity.yaml", "conf/identity.yaml"),
        ("adr/0001.md", "../../conf/base.yaml", "conf/base.yaml"),
        ("adr/0001.md", "../identity.md", None),
        ("identity.md", "../conf/none.yaml", None),
    ],
)
def test_links_out_of_the_pages_are_known_by_where_they_lead(hook, page, target, path):
    assert hook.outside(page, target) == path


def test_a_link_out_of_the_pages_leads_to_the_file_that_goes_with_the_site(hook):
    page = type("Page", (), {"file": type("File", (), {"src_uri": "adr/0001.md"})})

    told = hook.on_page_markdown("[a](../../conf/base.yaml), [b](../clv.md)", page)

    assert told == "[a](../repository/conf/base.yaml.txt), [b](../clv.md)"


def test_the_tools_of_the_site_are_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    wanted = {
        re.split(r"[\[<>=]", tool)[0].lower() for tool in project["optional-dependencies"]["docs"]
    }

    assert "mkdocs-material" in wanted
    assert wanted <= pinned
