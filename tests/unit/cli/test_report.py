"""`clvspark report` says where the dashboards are, and shows the first where that is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.shops import open_till_shop
from typer.testing import CliRunner

from clvspark import cli
from clvspark.cli import pipeline


@pytest.mark.parametrize("has_browser", [True, False])
def test_the_first_dashboard_is_shown_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_browser: bool
) -> None:
    shop = open_till_shop(tmp_path)
    ran: list[list[str]] = []
    shown: list[str] = []
    monkeypatch.setattr(pipeline, "execute", lambda _, names, *__: ran.append(names))
    monkeypatch.setattr(
        pipeline.webbrowser, "open", lambda place: shown.append(place) or has_browser
    )
    asked = ["report", "--config", str(shop.config_file)]

    assert CliRunner().invoke(cli.app, asked).exit_code == 0
    assert (ran, shown) == ([["report"]], [])

    told = CliRunner().invoke(cli.app, [*asked, "--open"])
    assert (told.exit_code, shown) == (0, [shop.page.absolute().as_uri()])
    assert ("No browser could be started" in told.stdout) is not has_browser
