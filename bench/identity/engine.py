"""One engine, one process: records and a trained model in, pairs and clusters out, seconds as JSON on the last line.

python bench/identity/engine.py ENGINE --records DIR --model FILE --settings FILE --out DIR
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from clvspark.identity.engines import EngineName

WARM_UP_RECORDS = 5_000


def run_splink_on_duckdb(records: Path, model: Path, settings: Path, out: Path) -> dict[str, float]:
    """Splink's predict and connected components, the way its documentation shows it."""
    import duckdb
    from splink import DuckDBAPI, Linker

    from clvspark.identity import IdentitySettings

    threshold = IdentitySettings.from_yaml(settings).link_weight
    start = time.monotonic()
    connection = duckdb.connect(":memory:")
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"CREATE TABLE records AS SELECT * FROM '{records}/*.parquet'")
    api = DuckDBAPI(connection=connection)
    linker = Linker(
        api.register("records", dataset_display_name="records"), json.loads(model.read_text())
    )
    pairs = linker.inference.predict(threshold_match_weight=threshold, warning_mode="never")
    out.mkdir(parents=True)
    connection.execute(
        f"COPY (SELECT unique_id_l, unique_id_r, match_weight, match_probability FROM {pairs.physical_name}) "
        f"TO '{out}/pairs.parquet' (FORMAT parquet)"
    )
    linked = time.monotonic()
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
        pairs, threshold_match_probability=0.0
    )
    connection.execute(
        f"COPY (SELECT unique_id, cluster_id AS person_id FROM {clusters.physical_name}) "
        f"TO '{out}/clusters.parquet' (FORMAT parquet)"
    )
    end = time.monotonic()
    count = connection.sql(f"SELECT count(*) FROM {pairs.physical_name}").fetchall()[0][0]
    return {"seconds": end - start, "link_seconds": linked - start, "pairs": count}


def run_clvspark(engine: EngineName) -> Callable[[Path, Path, Path, Path], dict[str, float]]:
    """Our facade with one of its engines; Spark is warm: it has resolved a few records before."""

    def run(records: Path, model: Path, settings: Path, out: Path) -> dict[str, float]:
        from clvspark.identity import IdentityModel, IdentityResolver, IdentitySettings
        from clvspark.lakehouse import SparkConfig, build_session

        spark = build_session(SparkConfig(driver_memory="4g"))
        resolver = IdentityResolver(spark, IdentitySettings.from_yaml(settings), engine=engine)
        trained = IdentityModel.load(model)
        data = spark.read.parquet(str(records))

        def resolve(frame: DataFrame, folder: Path) -> float:
            resolved = resolver.resolve(frame, trained)
            resolved.pairs.write.parquet(str(folder / "pairs"))
            linked = time.monotonic()
            resolved.persons.write.parquet(str(folder / "clusters"))
            return linked

        resolve(data.limit(WARM_UP_RECORDS), out / "warm_up")
        start = time.monotonic()
        linked = resolve(data, out)
        end = time.monotonic()
        count = spark.read.parquet(str(out / "pairs")).count()
        return {"seconds": end - start, "link_seconds": linked - start, "pairs": count}

    return run


ENGINES = {
    "splink-duckdb": run_splink_on_duckdb,
    "clvspark-local": run_clvspark("local"),
    "splink-spark": run_clvspark("reference"),
    "clvspark-distributed": run_clvspark("distributed"),
}


def main() -> None:
    """Run the engine named on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=ENGINES)
    for name in ("records", "model", "settings", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    measured = ENGINES[given.engine](given.records, given.model, given.settings, given.out)
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
