"""A simulated drop appears whole or not at all."""

from pathlib import Path

import pytest

from clvspark.simulate.files import replaced_folder


def test_a_folder_with_content_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious").write_text("keep me")
    with (
        pytest.raises(FileExistsError, match="--overwrite"),
        replaced_folder(out, overwrite=False),
    ):
        pytest.fail("the block must not run")
    assert (out / "precious").read_text() == "keep me"


def fail_after_writing(out: Path) -> None:
    with replaced_folder(out, overwrite=True) as folder:
        (folder / "new").write_text("new")
        raise RuntimeError("disk full")


def test_a_failed_run_leaves_the_old_content_and_nothing_half_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").write_text("old")
    with pytest.raises(RuntimeError):
        fail_after_writing(out)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert [p.name for p in out.iterdir()] == ["old"]


def test_a_finished_run_replaces_the_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").write_text("old")
    with replaced_folder(out, overwrite=True) as folder:
        (folder / "new").write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert [p.name for p in out.iterdir()] == ["new"]
