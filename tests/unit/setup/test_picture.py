"""The picture of the report is an optional tool: without a browser or a page it says what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[3] / "tools" / "picture.py"
# Stands for a browser: writes the file that it is asked for, or fails.
BROWSER = """#!/bin/sh
for argument in "$@"; do
    case $argument in --screenshot=*) {action} ;; esac
done
"""


@pytest.fixture
def browser(tmp_path):
    def make(action: str) -> str:
        path = tmp_path / "browser"
        path.write_text(BROWSER.format(action=action))
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("<html></html>")
    return path


def draw(page, image, browser: str):
    return subprocess.run(
        [sys.executable, TOOL, page, image],
        env={"CHROMIUM": browser, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_without_a_browser_it_says_how_to_get_one(page, tmp_path):
    done = draw(page, tmp_path / "report.png", "/none/such")

    assert done.returncode == 1
    assert "no browser found (looked for chromium, " in done.stderr
    assert "CHROMIUM=/path/to/chrome make picture" in done.stderr


def test_without_a_page_the_next_step_is_the_demo(tmp_path, browser):
    done = draw(tmp_path / "none.html", tmp_path / "report.png", browser("true"))

    assert done.returncode == 1
    assert done.stderr.endswith("none.html does not exist. Next step: make demo\n")


def test_a_browser_that_fails_leaves_the_old_picture(page, tmp_path, browser):
    image = tmp_path / "report.png"
    image.write_text("old")
    done = draw(page, image, browser("echo broken >&2; exit 1"))

    assert done.returncode == 1
    assert "broken" in done.stderr
    assert image.read_text() == "old"


def test_the_picture_is_put_in_its_place(page, tmp_path, browser):
    image = tmp_path / "docs/images/report.png"
    done = draw(page, image, browser('echo drawn > "${argument#*=}"'))

    assert (done.returncode, image.read_text()) == (0, "drawn\n"), done.stderr
