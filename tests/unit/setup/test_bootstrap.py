"""The set-up of a fresh checkout: when it works again, and its ways around a missing ensurepip."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[3] / "tools" / "setup"


@pytest.fixture
def bootstrap(monkeypatch, tmp_path):
    """The module `bootstrap` on a checkout in a temporary folder."""
    monkeypatch.syspath_prepend(str(SETUP))
    import bootstrap

    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "clvspark"\n')
    (tmp_path / "constraints.txt").write_text("numpy==2.4\n")
    return bootstrap


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.syspath_prepend(str(SETUP))
    import environment

    return environment


def lacks(*names):
    return lambda name: None if name in names else object()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("constraints.txt", "numpy==2.5\n"),
        ("pyproject.toml", '[project]\nname = "clvspark"\ndependencies = ["numpy"]\n'),
    ],
)
def test_packages_are_installed_again_when_what_decides_them_changes(
    bootstrap, tmp_path, name, text
):
    before = bootstrap.fingerprint()
    (tmp_path / name).write_text(text)
    assert bootstrap.fingerprint() != before


def test_the_settings_of_a_linter_decide_nothing(bootstrap, tmp_path):
    before = bootstrap.fingerprint()
    with (tmp_path / "pyproject.toml").open("a") as project:
        project.write("[tool.ruff]\nline-length = 99\n")
    assert bootstrap.fingerprint() == before


def test_a_moved_checkout_is_set_up_again(bootstrap, monkeypatch, tmp_path):
    before = bootstrap.fingerprint()
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    tmp_path.rename(moved)
    monkeypatch.setattr(bootstrap, "ROOT", moved)
    assert bootstrap.fingerprint() != before


def test_the_usual_way_comes_first(environment, tmp_path):
    first = next(iter(environment.ways("python3", tmp_path / "venv")))
    assert first == [["python3", "-m", "venv", str(tmp_path / "venv")]]


def test_without_ensurepip_the_system_pip_fills_the_environment(environment, monkeypatch, tmp_path):
    monkeypatch.setattr(environment.importlib.util, "find_spec", lacks("ensurepip"))
    bare, pip = next(iter(environment.ways("python3", tmp_path)))
    assert "--without-pip" in bare
    assert pip[:5] == ["python3", "-m", "pip", "--python", f"{tmp_path}/bin/python"]


def test_without_any_pip_the_error_names_the_package_to_install(environment, monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "ways", lambda *_: [[["false"]]])
    with pytest.raises(environment.SetupError, match="apt install python3-venv"):
        environment.ensure(tmp_path / "venv")


def test_a_broken_environment_is_made_anew(environment, monkeypatch, tmp_path):
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to("/gone/python3")
    (venv / "left-over").touch()
    make = [sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", str(venv)]
    monkeypatch.setattr(environment, "_works", lambda path, _: not (path / "left-over").exists())
    monkeypatch.setattr(environment, "ways", lambda *_: [[make]])
    environment.ensure(venv)
    assert (venv / "bin" / "python").exists()


def test_an_old_python_is_refused_with_the_version_that_is_needed(tmp_path):
    checkout = tmp_path / "tools" / "setup"
    checkout.mkdir(parents=True)
    script = checkout / "bootstrap.sh"
    script.write_text((SETUP / "bootstrap.sh").read_text())
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "dirname").symlink_to("/usr/bin/dirname")
    (programs / "python3").write_text("#!/bin/sh\nexit 1\n")
    (programs / "python3").chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", script],
        env={"PATH": str(programs), "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Python 3.11 or newer" in done.stderr
