"""Fault 7: a micro-batch that comes again with other files than it was begun with."""

from __future__ import annotations

import pytest

from clvspark.lakehouse.errors import CheckpointError
from clvspark.live.guard import refuse_other_files


@pytest.fixture
def checkpoint(tmp_path) -> str:
    (tmp_path / "_stream").mkdir()
    return str(tmp_path / "_stream")


def test_the_same_files_may_come_again_in_any_order(lake, checkpoint):
    refuse_other_files(lake, checkpoint, 3, ["a", "b"])
    refuse_other_files(lake, checkpoint, 3, ["b", "a"])
    refuse_other_files(lake, checkpoint, 4, ["c"])
    refuse_other_files(lake, checkpoint, 5, [])


@pytest.mark.parametrize("files", [["a"], ["a", "b, another size"], ["a", "b", "c"], []])
def test_other_files_are_refused_with_the_next_step(lake, checkpoint, files):
    refuse_other_files(lake, checkpoint, 3, ["a", "b"])
    with pytest.raises(CheckpointError, match=r"micro-batch 3 .*clvspark stream --restart"):
        refuse_other_files(lake, checkpoint, 3, files)
