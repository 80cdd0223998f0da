"""The thin boundary to Spark: condense there before collecting, score there in Arrow batches.

Nothing here imports pyspark until a Spark frame has been handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clvspark.clv.models.errors import InvalidSummaryError, TooManyGroupsError
from clvspark.clv.models.summary import WEIGHT, FloatArray

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame


def is_spark_frame(summary: Any) -> bool:
    """Tell whether `summary` is a (classic or Connect) Spark DataFrame."""
    return any(
        cls.__module__.startswith("pyspark.sql.") and cls.__name__ == "DataFrame"
        for cls in type(summary).__mro__
    )


def collect_groups(
    summary: DataFrame, names: Sequence[str], *, max_groups: int
) -> dict[str, FloatArray]:
    """Count the customers of each distinct row in Spark, and collect only these rows.

    Returns the named columns and `weight`. Raises `TooManyGroupsError` rather than let the driver
    take more than `max_groups` rows.
    """
    from pyspark.sql import functions as F

    require_columns(summary, names)
    customers = F.sum(F.col(WEIGHT).cast("double")) if WEIGHT in summary.columns else F.count("*")
    groups = (
        summary.groupBy(*[F.col(name).cast("double").alias(name) for name in names])
        .agg(customers.cast("double").alias(WEIGHT))
        .select(*names, WEIGHT)
        .limit(max_groups + 1)
        .toArrow()
    )
    if groups.num_rows > max_groups:
        raise TooManyGroupsError(
            f"summary: more than {max_groups} distinct ({', '.join(names)}) rows; at most "
            "max_groups of them are collected to the driver; count time in whole days or weeks, "
            "round spend, fit cohorts apart, or raise max_groups if the driver has the memory"
        )
    return {
        name: np.asarray(groups.column(name).to_numpy(), dtype=np.float64)
        for name in (*names, WEIGHT)
    }


def collect_total(summary: DataFrame, name: str) -> float:
    """Sum of a column over all customers, each row counting `weight` times where there is one."""
    from pyspark.sql import functions as F

    require_columns(summary, [name])
    weight = F.col(WEIGHT).cast("double") if WEIGHT in summary.columns else F.lit(1.0)
    total = summary.agg(F.sum(F.col(name).cast("double") * weight)).first()
    return float("nan") if total is None or total[0] is None else float(total[0])


def append_prediction(
    summary: DataFrame,
    names: Sequence[str],
    output: str,
    predict: Callable[[Mapping[str, Any]], FloatArray],
    *,
    labels: Sequence[str] = (),
) -> DataFrame:
    """Return `summary` with the column `output` (double), computed batch by batch on executors.

    `predict` is given the columns `names` as numbers, and `labels` as text or None.
    """
    from pyspark.sql import functions as F

    require_columns(summary, [*names, *labels])
    if output in summary.columns:
        raise InvalidSummaryError(
            f"summary: already has a column {output}; drop or rename it before scoring"
        )

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in batches:
            values = {
                name: batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
                for name in names
            } | {
                name: np.array(batch.column(name).cast(pa.string()).to_pylist(), dtype=object)
                for name in labels
            }
            column = pa.array(predict(values), type=pa.float64())
            yield pa.RecordBatch.from_arrays(
                [*batch.columns, column], names=[*batch.schema.names, output]
            )

    schema = summary.withColumn(output, F.lit(None).cast("double")).schema
    return summary.mapInArrow(score, schema)


def require_columns(summary: DataFrame, names: Sequence[str]) -> None:
    """Raise `InvalidSummaryError` that names the columns a Spark summary lacks."""
    missing = [name for name in names if name not in summary.columns]
    if missing:
        raise InvalidSummaryError(
            f"summary: column(s) {', '.join(missing)} missing; a summary of this model has "
            f"{', '.join(names)}; rename or add the columns"
        )
