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
    simulated(out)
    with pytest.raises(RuntimeError):
        fail_after_writing(out)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert sorted(p.name for p in out.iterdir()) == ["landing", "truth"]


def simulated(out: Path) -> None:
    """A folder as a simulation leaves it."""
    for name in ("landing", "truth"):
        (out / name).mkdir(parents=True)
    (out / "truth/manifest.json").write_text("{}")


@pytest.mark.parametrize("name", ["precious", "landing/mine.csv"])
def test_what_no_simulation_has_made_is_never_overwritten(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    if name == "precious":
        simulated(out)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("keep me")
    with (
        pytest.raises(FileExistsError, match="which no simulation has made"),
        replaced_folder(out, overwrite=True),
    ):
        pytest.fail("the block must not run")
    assert (out / name).read_text() == "keep me"


def test_a_finished_run_replaces_the_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    simulated(out)
    (out / "landing/old").write_text("old")
    with replaced_folder(out, overwrite=True) as folder:
        (folder / "new").write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert [p.name for p in out.iterdir()] == ["new"]
