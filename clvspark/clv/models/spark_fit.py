"""Maximum likelihood where customers are too different to be condensed, as by continuous covariates.

Customers are packed once into blocks of about as many rows, by a hash of their values. A step of the optimiser sends
parameters to the executors and gets back one sum a block. Which rows make a block, and their order within it, depends
on the values alone, and the driver adds blocks in a fixed order: estimates are the same however Spark spreads the rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clvspark.clv.models.base import SCREENING_GROUPS
from clvspark.clv.models.covariates import Scale
from clvspark.clv.models.errors import DegenerateDataError, InvalidSummaryError
from clvspark.clv.models.fitting import Maximum
from clvspark.clv.models.spark_frames import require_columns
from clvspark.clv.models.summary import WEIGHT, FloatArray, Groups, condense

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from clvspark.clv.models.covariate_model import CovariateModel

ROWS_PER_BLOCK = 50_000
"""About 3 MB a block, and a tenth of a second of Pareto/NBD."""


class Blocks:
    """The customers of a summary, packed into blocks that Spark keeps."""

    def __init__(self, summary: DataFrame, model: CovariateModel, *, rows_per_block: int) -> None:
        from pyspark.sql import functions as F

        names = model.summary_columns
        require_columns(summary, names)
        weight = F.col(WEIGHT).cast("double") if WEIGHT in summary.columns else F.lit(1.0)
        rows = summary.select(
            *(F.col(name).cast("double").alias(name) for name in names), weight.alias(WEIGHT)
        )
        self.names = names
        self.count = max(1, math.ceil(rows.count() / rows_per_block))
        block = F.pmod(F.xxhash64(*names), F.lit(self.count)).cast("int").alias("_block")
        # As many partitions as blocks, so that each step uses every core.
        self._packed = (
            rows.groupBy(block)
            .applyInArrow(_packer(model), "block int, problem string, data binary")
            .repartition(self.count)
            .persist()
        )
        problems = (
            self._packed.where("problem IS NOT NULL").select("problem").orderBy("block").head()
        )
        if problems is not None:
            self.release()
            raise InvalidSummaryError(f"in a part of the rows: {problems[0]}")

    def each(self, function: Callable[[Groups], FloatArray]) -> list[FloatArray]:
        """Results of `function` on the rows of each block, in the order of the blocks."""
        names = self.names

        def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            import pyarrow as pa

            for batch in batches:
                for block, data in zip(
                    batch["block"].to_pylist(), batch["data"].to_pylist(), strict=True
                ):
                    result = np.asarray(function(_unpack(data, names)), dtype=np.float64).tobytes()
                    yield pa.RecordBatch.from_pydict(
                        {"block": pa.array([block], pa.int32()), "result": [result]}
                    )

        found = self._packed.select("block", "data").mapInArrow(run, "block int, result binary")
        return [np.frombuffer(row["result"]) for row in sorted(found.collect())]

    def total(self, function: Callable[[Groups], FloatArray]) -> FloatArray:
        """Sum of the results of `function` over blocks."""
        results = self.each(function)
        return np.array([math.fsum(parts) for parts in np.transpose(results)])

    def sample(self, size: int) -> Groups:
        """About `size` rows, the same ones every time."""
        n_blocks = self.count
        width = len(self.names) + 1

        def choose(groups: Groups) -> FloatArray:
            step = max(1, len(groups) * n_blocks // size)
            some = groups.every(step)
            return np.array([*some.columns.values(), some.weight]).T.ravel()

        rows = np.concatenate(self.each(choose)).reshape(-1, width).T
        return condense(dict(zip(self.names, rows[:-1], strict=True)), rows[-1])

    def release(self) -> None:
        """Give back what Spark keeps."""
        self._packed.unpersist()


def maximise_on_executors(
    model: CovariateModel, summary: DataFrame, *, rows_per_block: int = ROWS_PER_BLOCK
) -> tuple[Maximum, float, int]:
    """Maximum of the likelihood of a Spark summary, the number of customers and of distinct rows.

    Starts are compared on a sample on the driver; what follows is summed over all customers.
    """
    blocks = Blocks(summary, model, rows_per_block=rows_per_block)
    try:
        n_customers, n_rows = blocks.total(
            lambda groups: np.array([groups.n_customers, len(groups)])
        )
        if n_customers == 0:
            raise DegenerateDataError("summary: has no customers; check the filter that made it")
        scale = _scale_of(blocks, model, n_customers)
        some = blocks.sample(2 * SCREENING_GROUPS)
        sample = Groups(scale.standardise(some.columns), some.weight)
        together = partial(_mean_over, blocks, model, scale, n_customers)
        maximum = model.maximise_from(sample, together=together, n_customers=float(n_customers))
        return model.unscaled(maximum, scale), float(n_customers), int(n_rows)
    finally:
        blocks.release()


def _mean_over(
    blocks: Blocks,
    model: CovariateModel,
    scale: Scale,
    n_customers: float,
    points: Sequence[FloatArray],
) -> list[tuple[float, FloatArray]]:
    """Log-likelihood per customer and its gradient at each point, in one Spark job."""

    def sums(groups: Groups) -> FloatArray:
        known = Groups(scale.standardise(groups.columns), groups.weight)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = [model.sum_log_likelihood(point, known, known.weight) for point in points]
        return np.concatenate([np.append(value, gradient) for value, gradient in found])

    mean = (blocks.total(sums) / n_customers).reshape(len(points), -1)
    return [(float(row[0]), row[1:]) for row in mean]


def _scale_of(blocks: Blocks, model: CovariateModel, n_customers: float) -> Scale:
    """Mean and spread of the covariates: two passes, as one would cancel digits."""
    names = model.covariates
    mean = blocks.total(lambda g: np.array([g[name] @ g.weight for name in names])) / n_customers

    def squares(groups: Groups) -> FloatArray:
        centred = np.array([groups[name] for name in names]) - mean[:, None]
        return np.asarray((centred * groups.weight @ centred.T).ravel())

    covariance = (blocks.total(squares) / n_customers).reshape(len(names), len(names))
    return model.scale_of(mean, covariance)


def _packer(model: CovariateModel) -> Callable[[tuple[pa.Scalar, ...], pa.Table], pa.Table]:
    names = model.summary_columns

    def pack(key: tuple[pa.Scalar, ...], table: pa.Table) -> pa.Table:
        import pyarrow as pa

        columns = {
            name: table.column(name).to_numpy().astype(np.float64) for name in (*names, WEIGHT)
        }
        problem, data = None, b""
        try:
            model.check_summary(pd.DataFrame(columns))
            groups = condense({name: columns[name] for name in names}, columns[WEIGHT])
            data = np.array([*groups.columns.values(), groups.weight]).tobytes()
        except InvalidSummaryError as error:
            problem = str(error)
        return pa.table(
            {
                "block": pa.array([key[0].as_py()], pa.int32()),
                "problem": pa.array([problem], pa.string()),
                "data": pa.array([data], pa.binary()),
            }
        )

    return pack


def _unpack(data: bytes, names: Sequence[str]) -> Groups:
    rows = np.frombuffer(data).reshape(len(names) + 1, -1)
    return Groups(dict(zip(names, rows[:-1], strict=True)), rows[-1])
