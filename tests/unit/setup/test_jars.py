"""The cache of JARs: whole or absent, never half."""

import json

import pytest

from clvspark.lakehouse.fixed_conf import FIXED
from clvspark.lakehouse.runtime import SetupError, ensure_jars, jar_paths, jars, write_spark_conf
from clvspark.lakehouse.runtime.jars import jar_folder, missing_jars
from clvspark.lakehouse.runtime.pins import Jar, pinned_jars


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("CLVSPARK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def repository(monkeypatch):
    """Two artifacts of known content instead of Maven Central; counts the downloads."""
    wanted = [Jar("org.example", "one", "1"), Jar("org.example", "two", "2")]
    downloads = []

    def download(asked, *, into):
        downloads.append([jar.name for jar in asked])
        for jar in asked:
            (into / jar.file_name).write_text(f"content of {jar.name}")

    monkeypatch.setattr(jars, "missing_jars", lambda _: wanted)
    monkeypatch.setattr(jars, "download", download)
    return downloads


def test_jars_are_downloaded_once(repository):
    first = ensure_jars(report=lambda _: None)
    assert ensure_jars(report=lambda _: None) == first == jar_paths()
    assert repository == [["one", "two"]]
    names = [path.name for path in first]
    assert (names[0], names[2]) == ("one-1.jar", "two-2.jar")
    assert names[1].startswith("scala-udf-similarity")


def test_the_manifest_has_the_checksum_of_every_jar(repository):
    ensure_jars(report=lambda _: None)
    manifest = json.loads((jar_folder() / "manifest.json").read_text())
    assert manifest["one-1.jar"] == {
        "bytes": 14,
        "sha256": "70fcb0ddfafe8b932696f597564ec22d27c3045c6a0452fd08c92e38461ae3ef",
    }


def test_a_jar_with_another_checksum_is_refused_and_nothing_is_kept(repository, monkeypatch):
    monkeypatch.setattr(Jar, "sha256", "0" * 64)
    with pytest.raises(SetupError, match=r"one-1\.jar: the downloaded file is not the one"):
        ensure_jars(report=lambda _: None)
    assert not jar_folder().exists()
    assert not list(jar_folder().parent.glob(".filling-*"))


def test_an_empty_cache_names_the_next_step():
    with pytest.raises(SetupError, match="not there; run `make setup`"):
        jar_paths()


@pytest.mark.parametrize("damage", ["removed", "cut short"])
def test_a_damaged_jar_stops_a_session_and_set_up_mends_it(repository, damage):
    victim = ensure_jars(report=lambda _: None)[2]
    victim.unlink() if damage == "removed" else victim.write_text("c")
    with pytest.raises(SetupError, match=r"two-2\.jar missing or cut short"):
        jar_paths()
    ensure_jars(report=lambda _: None)
    assert victim.read_text() == "content of two"
    assert len(repository) == 2


def test_what_pyspark_ships_in_any_version_is_not_added(tmp_path):
    before = {jar.name for jar in missing_jars(tmp_path)}
    for name in ("commons-pool2-9.9.jar", "delta-storages-4.4.0.jar", "kafka-clients-4.1-rc1.jar"):
        (tmp_path / name).touch()
    after = {jar.name for jar in missing_jars(tmp_path)}
    assert before - after == {"commons-pool2", "kafka-clients"}


def test_every_jar_of_the_tested_spark_has_a_known_checksum():
    assert [jar.file_name for jar in pinned_jars("4.2.0") if jar.sha256 is None] == []


@pytest.mark.parametrize("spark", ["4.0.1", "4.1.1", "4.2.0"])
def test_delta_is_the_one_built_for_the_installed_spark(spark):
    delta = pinned_jars(spark)[0]
    assert delta.file_name == f"delta-spark_{spark[:3]}_2.13-4.4.0.jar"
    assert delta.sha256 is not None


def test_spark_submit_finds_the_same_jars(repository, tmp_path):
    expected = ensure_jars(report=lambda _: None)
    folder = write_spark_conf(tmp_path / "conf")
    lines = (folder / "spark-defaults.conf").read_text().splitlines()
    properties = dict(line.split(" ", 1) for line in lines if not line.startswith("#"))
    assert properties["spark.jars"].split(",") == [str(path) for path in expected]
    assert FIXED.items() <= properties.items()
    assert "PYSPARK_PYTHON" in (folder / "spark-env.sh").read_text()
