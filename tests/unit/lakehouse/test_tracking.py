"""The alias of the champion: one holder among the models that compete, of the latest date."""

from __future__ import annotations

from pathlib import Path

import pytest

from clvspark.lakehouse.tracking import Tracker, open_tracker


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    return open_tracker(None, "test", tmp_path)


def register(tracker: Tracker, name: str, day: str) -> str:
    documents: dict[str, dict[str, object]] = {"model.json": {}}
    return tracker.register(
        name, run_name=name, params={"as_of_date": day}, metrics={}, documents=documents
    )


def crown(tracker: Tracker, name: str, day: str) -> None:
    tracker.crown(name, register(tracker, name, day), rivals=("One", "Two"))


def champions(tracker: Tracker) -> dict[str, str]:
    models = tracker._client.search_registered_models()
    return {
        model.name: str(model.aliases["champion"])
        for model in models
        if "champion" in model.aliases
    }


def test_a_new_champion_takes_the_alias_from_its_rival(tracker: Tracker) -> None:
    crown(tracker, "One", "2026-04-01")
    crown(tracker, "Two", "2026-05-01")
    assert champions(tracker) == {"clvspark.Two": "1"}
    crown(tracker, "Two", "2026-05-01")
    assert champions(tracker) == {"clvspark.Two": "2"}


def test_a_champion_of_an_earlier_date_does_not_get_the_alias(tracker: Tracker) -> None:
    crown(tracker, "One", "2026-04-01")
    crown(tracker, "Two", "2025-04-01")
    assert champions(tracker) == {"clvspark.One": "1"}


def test_a_version_that_is_registered_is_no_champion_yet(tracker: Tracker) -> None:
    crown(tracker, "One", "2026-04-01")
    assert register(tracker, "One", "2026-05-01") == "2"
    assert champions(tracker) == {"clvspark.One": "1"}
