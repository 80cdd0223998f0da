"""A folder is replaced as a whole: killed at any step, the old or the new one is there after recovery."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from clvspark.lakehouse.folders import building_folder, recover_folder, recover_folders, swap_folder


def fill(folder: Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / "one").write_text(content)
    (folder / "two").write_text(content)


def prepare(parent: Path) -> Path:
    target = parent / "2026-04-01"
    fill(target, "old")
    fill(building_folder(target), "new")
    return target


def content(target: Path) -> set[str]:
    assert {path.name for path in target.iterdir()} == {"one", "two"}, "whole"
    return {path.read_text() for path in target.iterdir()}


def test_the_new_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    target = prepare(tmp_path)
    swap_folder(target)
    assert content(target) == {"new"}
    assert list(tmp_path.iterdir()) == [target]


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", range(3))
def test_killed_at_any_step_one_whole_folder_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    target = prepare(tmp_path)
    rename, remove, done = Path.rename, shutil.rmtree, []

    def counted(call):
        def act(*arguments, **options):
            if len(done) == step:
                raise Killed
            done.append(arguments)
            return call(*arguments, **options)

        return act

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", counted(rename))
        patched.setattr(shutil, "rmtree", counted(remove))
        with pytest.raises(Killed):
            swap_folder(target)
    assert len(done) == step
    recover_folders(tmp_path)
    assert content(target) == ({"new"} if step == 2 else {"old"})
    assert list(tmp_path.iterdir()) == [target]


def test_a_first_folder_that_was_never_finished_goes(tmp_path: Path) -> None:
    fill(building_folder(tmp_path / "a"), "half")
    fill(tmp_path / "b", "whole")
    recover_folder(tmp_path / "b")
    recover_folders(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    recover_folders(tmp_path / "nothing here")
