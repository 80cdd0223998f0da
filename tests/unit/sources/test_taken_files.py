"""A landing file that is gone is told before what it said is lost."""

from __future__ import annotations

import pytest

from clvspark.lakehouse.errors import MissingInputError
from clvspark.sources.taken_files import refuse_removed

BEFORE = [("shop:r_*.csv", "r_1.csv"), ("shop:r_*.csv", "r_2.csv"), ("tool:c.csv", "c.csv")]


def test_files_that_are_gone_are_counted_by_mapping() -> None:
    now = [("shop:r_*.csv", "r_3.csv"), ("tool:c.csv", "c.csv")]
    with pytest.raises(MissingInputError) as told:
        refuse_removed(BEFORE, now)
    assert "gone: 2 of shop:r_*.csv, e.g. r_1.csv. What they said would be lost" in str(told.value)
    assert "'sources.removed_files: accept'" in str(told.value)


@pytest.mark.parametrize(
    "now",
    [BEFORE, [*BEFORE, ("shop:r_*.csv", "r_9.csv")], BEFORE[:2]],
    ids=["same", "more", "unmapped"],
)
def test_more_files_and_mappings_that_were_taken_out_are_no_fault(
    now: list[tuple[str, str]],
) -> None:
    refuse_removed(BEFORE, now)
