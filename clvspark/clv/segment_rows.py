"""The distinct rows of each segment, in Spark or in pandas, and the way to fit them one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from clvspark.clv.label_models import Labels, require_label_columns, with_labels
from clvspark.clv.models.errors import TooManyGroupsError
from clvspark.clv.models.memoryless import MemorylessModel
from clvspark.clv.models.spark_frames import is_spark_frame
from clvspark.clv.models.summary import WEIGHT
from clvspark.clv.segment_models import FitStatus, SegmentFit

_RESULT = "customers double, status string, reason string, document string"

RESULT_NAMES = tuple(part.split()[0] for part in _RESULT.split(", "))


class SegmentRows:
    """Distinct rows of each segment, in Spark or in pandas, and the way to fit them one by one."""

    def __init__(
        self,
        summary: Any,
        segment_columns: tuple[str, ...],
        model: MemorylessModel,
        max_segments: int,
    ) -> None:
        self.segment_columns = segment_columns
        self._model = model
        self._on_spark = is_spark_frame(summary)
        names = model.summary_columns
        require_label_columns(summary.columns, [*names, *segment_columns])
        if self._on_spark:
            self.condensed = _condense_on_spark(summary, names, segment_columns).persist()
            segments = (
                self.condensed.select(*segment_columns).distinct().limit(max_segments + 1).count()
            )
        else:
            self.condensed = _condense_in_pandas(summary, names, segment_columns)
            segments = len(self.condensed[[*segment_columns]].drop_duplicates())
        if segments > max_segments:
            self.release()
            raise TooManyGroupsError(
                f"summary: more than {max_segments} segments by {', '.join(segment_columns)}; each has a model that "
                "every executor holds; choose coarser segments, or raise max_segments"
            )

    def fit_each(self, fit: Callable[[Labels, pd.DataFrame], SegmentFit]) -> list[SegmentFit]:
        """Apply `fit(segment, rows)` to every segment."""
        columns = [*self.segment_columns]
        if not self._on_spark:
            groups = self.condensed.groupby(columns, dropna=False, sort=False)
            return [fit(_segment(rows, columns), rows) for _, rows in groups]

        def fit_one(rows: pd.DataFrame) -> pd.DataFrame:
            found = fit(_segment(rows, columns), rows)
            known = found.model.is_fitted
            document = json.dumps(found.model.to_dict()) if known else None
            row = (*found.segment, found.customers, found.status.value, found.reason, document)
            return pd.DataFrame([row], columns=[*columns, *RESULT_NAMES])

        schema = ", ".join([*(f"`{name}` string" for name in columns), _RESULT])
        found = self.condensed.groupBy(*columns).applyInPandas(fit_one, schema).collect()
        return [self._read(tuple(row)) for row in found]

    def release(self) -> None:
        """Give back what Spark keeps of the rows."""
        if self._on_spark:
            self.condensed.unpersist()

    def _read(self, row: tuple[Any, ...]) -> SegmentFit:
        segment, (customers, status, reason, document) = (
            row[: -len(RESULT_NAMES)],
            row[-len(RESULT_NAMES) :],
        )
        kind = type(self._model)
        model = kind.from_dict(json.loads(document)) if document else kind(**self._model.settings())
        return SegmentFit(segment, model, FitStatus(status), reason, customers)


def _condense_on_spark(summary: Any, names: Sequence[str], segment_columns: Sequence[str]) -> Any:
    from pyspark.sql import functions as F

    weight = F.col(WEIGHT).cast("double") if WEIGHT in summary.columns else F.lit(1.0)
    rows = summary.select(
        *(F.col(name).cast("string").alias(name) for name in segment_columns),
        *(F.col(name).cast("double").alias(name) for name in names),
        weight.alias(WEIGHT),
    )
    return rows.groupBy(*segment_columns, *names).agg(F.sum(WEIGHT).alias(WEIGHT))


def _condense_in_pandas(
    summary: pd.DataFrame, names: Sequence[str], segment_columns: Sequence[str]
) -> pd.DataFrame:
    weight = summary.get(WEIGHT, 1.0)
    rows = with_labels(summary, segment_columns)[[*segment_columns, *names]].assign(
        **{WEIGHT: weight}
    )
    keys = [*segment_columns, *names]
    return rows.groupby(keys, dropna=False, as_index=False, sort=False)[[WEIGHT]].sum()


def _segment(rows: pd.DataFrame, columns: Sequence[str]) -> Labels:
    labels = rows[[*columns]].iloc[0]
    return tuple(None if pd.isna(label) else str(label) for label in labels)
