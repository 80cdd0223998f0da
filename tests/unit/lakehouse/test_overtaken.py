"""A write that another writer was faster than is done again, but not for ever."""

from __future__ import annotations

import pytest
from pyspark.errors import PySparkException

from clvspark.lakehouse import overtaken
from clvspark.lakehouse.overtaken import write_again

LOST = PySparkException("[DELTA_CONCURRENT_APPEND] files were added meanwhile")


class Writer:
    """Loses so many times."""

    def __init__(self, losses: int, error: Exception = LOST) -> None:
        self.losses, self.error, self.tries = losses, error, 0

    def __call__(self) -> None:
        self.tries += 1
        if self.tries <= self.losses:
            raise self.error


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(overtaken, "_PAUSE_SECONDS", 0)


def test_a_write_that_lost_is_done_again():
    writer = Writer(losses=2)
    write_again(writer)
    assert writer.tries == 3


def test_who_always_loses_is_told_after_a_few_tries():
    writer = Writer(losses=100)
    with pytest.raises(PySparkException, match="CONCURRENT"):
        write_again(writer)
    assert writer.tries == 5


@pytest.mark.parametrize("error", [PySparkException("[DIVIDE_BY_ZERO] no"), ValueError("no")])
def test_another_error_is_told_at_once(error):
    writer = Writer(losses=1, error=error)
    with pytest.raises(type(error)):
        write_again(writer)
    assert writer.tries == 1
