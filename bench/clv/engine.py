"""clvspark: fit on a Spark frame, its grouping included, then score it. A part of them warms all cores up first.

python bench/clv/engine.py --customers DIR --models NAME ... --out DIR
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from clvspark.clv.fit import ValueModels

WEEKS, ANNUAL_DISCOUNT_RATE = 52, 0.1
WARM_UP_CUSTOMERS = 100_000


def run_clvspark(customers: DataFrame, name: str, out: Path) -> dict[str, Any]:
    """Fit one model and Gamma-Gamma; write P(alive), purchases and lifetime value of every customer to Delta."""
    from clvspark.clv import BetaGeoModel, GammaGammaModel, ParetoNBDModel
    from clvspark.clv.fit import ValueModels
    from clvspark.clv.spend import condense_spend

    kind = {"bg_nbd": BetaGeoModel, "pareto_nbd": ParetoNBDModel}[name]
    start = time.monotonic()
    model = kind(time_unit="week").fit(customers)
    fitted = time.monotonic()
    spend = GammaGammaModel().fit(condense_spend(customers.where("frequency > 0")))
    priced = time.monotonic()
    score_customers(customers, ValueModels(model, spend)).write.format("delta").mode(
        "overwrite"
    ).save(str(out))
    return {
        "fit_seconds": fitted - start,
        "spend_fit_seconds": priced - fitted,
        "score_seconds": time.monotonic() - priced,
        "params": model.params_,
    }


def score_customers(customers: DataFrame, models: ValueModels) -> DataFrame:
    """What the stage `score` works out first of every person; without its intervals, which no peer gives."""
    from clvspark.clv.chunks import map_chunks
    from clvspark.clv.score import value_histories

    def score(batch: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(
            value_histories(
                batch.assign(spend_days=batch["frequency"]),
                models,
                horizon=WEEKS,
                annual_discount_rate=ANNUAL_DISCOUNT_RATE,
            )
        )

    names = ("p_alive", "expected_purchases", "expected_spend", "residual_value")
    return map_chunks(customers, score, names, key="customer_id")


def main() -> None:
    """Print what was measured as JSON on the last line."""
    from clvspark.lakehouse import SparkConfig, build_session

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("customers", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--driver-memory", default="4g")
    given = parser.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    spark = build_session(SparkConfig(driver_memory=given.driver_memory))
    customers = spark.read.parquet(str(given.customers))
    found = {}
    for name in given.models:
        few = customers.limit(WARM_UP_CUSTOMERS).repartition(spark.sparkContext.defaultParallelism)
        run_clvspark(few, name, given.out / "warm_up")
        found[name] = run_clvspark(customers, name, given.out / name)
    spark.stop()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
