"""The site has every page, and its pages show only commands that the program accepts."""

from __future__ import annotations

import importlib.util
import re
import runpy
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.example_shop import write_example
from typer.main import get_command

from clvspark import cli
from clvspark.audiences.rules import AudienceDefinition
from clvspark.cli import app
from clvspark.config import read_config
from clvspark.guard import INTERRUPTED, TERMINATED, UNEXPECTED
from clvspark.lakehouse.errors import ClvsparkError
from clvspark.lakehouse.runtime import MissingJavaError, SetupError

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
_BLOCK = re.compile(r"^```(.*)\n((?s:.*?))^```$", re.MULTILINE)
_COMMAND = re.compile(r"(?:\.venv/bin/)?clvspark .*$")
_JOB = re.compile(r"jobs/\w+\.py.*$")
_WITHIN = re.compile(r"`(clvspark [^`]* --[^`]*)`")
_TITLED = re.compile(r'^```yaml title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def pages() -> dict[str, str]:
    """Every page, and the front page of the repository, by name."""
    found = {str(page.relative_to(DOCS)): page for page in sorted(DOCS.rglob("*.md"))}
    found["README.md"] = ROOT / "README.md"
    return {name: page.read_text(encoding="utf-8") for name, page in found.items()}


def shown_lines() -> list[tuple[str, str]]:
    """Every line of a block of commands, with the page."""
    return [
        (name, line.strip())
        for name, text in pages().items()
        for language, block in _BLOCK.findall(text)
        if language in {"", "sh"}
        for line in block.replace("\\\n", " ").splitlines()
    ]


def shown_commands() -> list[tuple[str, str]]:
    """Every command of a block of a page, with the page."""
    return [(page, line) for page, line in shown_lines() if _COMMAND.match(line)]


def submitted_jobs() -> list[tuple[str, str]]:
    """Every job that a block of a page submits, with its arguments, and the page."""
    found = ((page, _JOB.search(line)) for page, line in shown_lines())
    return [(page, job[0]) for page, job in found if job]


def named_commands() -> list[tuple[str, str]]:
    """Every command with options within a sentence or a table, with the page."""
    return [
        (page, line)
        for page, text in pages().items()
        for line in _WITHIN.findall(_BLOCK.sub("", text))
        if "COMMAND" not in line
    ]


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


@pytest.mark.parametrize(("page", "line"), submitted_jobs(), ids=lambda value: value[:60])
def test_every_job_of_a_page_takes_what_it_is_given(page, line, monkeypatch):
    ran = []
    monkeypatch.setattr(cli, "run_stage", ran.append)
    job, *arguments = shlex.split(line, comments=True)
    runpy.run_path(str(ROOT / job), run_name="__main__")

    assert parse(shlex.join(["clvspark", *ran, *arguments])).command.name == ran[0]


@pytest.mark.parametrize(("page", "line"), named_commands(), ids=lambda value: value[:60])
def test_every_option_within_a_sentence_exists(page, line):
    words = shlex.split(line)[1:]
    command, known = get_command(app), set()
    for word in words:
        known |= {option for param in command.params for option in param.opts}
        command = getattr(command, "commands", {}).get(word, command)
    known |= {option for param in command.params for option in param.opts}
    given = {word.split("=")[0] for word in words if word.startswith("-")}

    assert given <= known | {"--help"}, f"{page}: {line}"
    assert command.name in words


def test_commands_of_every_kind_are_found():
    assert ("README.md", "clvspark run --config conf/mine.yaml") in {
        (page, line.split("  ")[0]) for page, line in shown_commands()
    }
    assert {"README.md"} <= {page for page, _ in submitted_jobs()}
    assert {"README.md", "faq.md"} <= {page for page, _ in named_commands()}


def test_a_command_with_an_option_that_there_is_not_would_be_found():
    for wrong in ("clvspark run --confg x", "clvspark rum", "clvspark audiences explain a"):
        with pytest.raises(Exception, match=r"No such|Missing") as refused:
            parse(wrong)
        assert "UsageError" in {kind.__name__ for kind in type(refused.value).__mro__}


def test_commands_within_sentences_exist():
    commands = get_command(app).commands
    used = {
        (page, name)
        for page, text in pages().items()
        for name in re.findall(r"`clvspark ([a-z]+)", text)
    }

    assert {pair for pair in used if pair[1] not in commands} == set()
    assert ("faq.md", "doctor") in used


def test_targets_of_make_and_scripts_of_the_pages_exist():
    targets = {*re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)}
    for page, text in pages().items():
        named = {*re.findall(r"(?:^|`|&& )make ([a-z-]+)", text, re.MULTILINE)}
        scripts = {*re.findall(r"(?<![\w/])deploy/[\w./-]+\w", text)}
        assert named <= targets, page
        assert [script for script in scripts if not (ROOT / script).exists()] == [], page


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
