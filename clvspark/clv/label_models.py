"""Purchase models of customers who are told apart by labels (channel, country, cohort): each asks its own model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from clvspark.clv.models.covariate_model import CovariateModel
from clvspark.clv.models.errors import InvalidSummaryError
from clvspark.clv.models.memoryless import MemorylessModel
from clvspark.clv.models.spark_frames import append_prediction, is_spark_frame
from clvspark.clv.models.summary import WEIGHT, FloatArray, condense, read_columns, read_weight
from clvspark.clv.models.transactions import TransactionModel

Labels = tuple[str | None, ...]


class ModelsByLabel(ABC):
    """A model without covariates for the customers of each combination of labels.

    Predictions have the names, arguments and results of those of the models; the summary has the label columns
    besides. Labels are compared as text, NULL being one of them.
    """

    @property
    @abstractmethod
    def label_columns(self) -> tuple[str, ...]:
        """Columns of the labels."""

    @property
    @abstractmethod
    def typical(self) -> MemorylessModel:
        """The model of customers whose labels are not known."""

    @property
    @abstractmethod
    def customers_by_labels(self) -> dict[Labels, float]:
        """Customers that were fitted, by `key_of` their labels."""

    @property
    @abstractmethod
    def log_likelihood_(self) -> float:
        """Total log-likelihood of all customers that were fitted."""

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Numbers that were estimated."""

    @abstractmethod
    def key_of(self, labels: Labels) -> Labels:
        """What these labels are to the models: alike for all that have one model."""

    @abstractmethod
    def model_of(self, labels: Labels) -> MemorylessModel:
        """The model of customers with these labels."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """JSON-able values, enough to score; with what documents of models have."""

    def parts(self, rows: pd.DataFrame) -> Iterator[tuple[Labels, np.ndarray]]:
        """Keys of the labels of the rows, and the positions of the rows of each."""
        columns = [rows[name] for name in self.label_columns]
        code, seen = pd.factorize(pd.MultiIndex.from_arrays(columns))
        keys = [self.key_of(_as_labels(labels)) for labels in seen]
        places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        of_row = np.array([places[key] for key in keys], dtype=np.intp)[code]
        for key, place in places.items():
            yield key, np.flatnonzero(of_row == place)

    def expected_probability_alive(self, summary: Any) -> Any:
        """See `TransactionModel.expected_probability_alive`."""
        return self._predict(summary, "p_alive", _ask("expected_probability_alive"))

    def expected_purchases(self, summary: Any, *, future_t: float) -> Any:
        """See `TransactionModel.expected_purchases`."""
        return self._predict(
            summary, "expected_purchases", _ask("expected_purchases", future_t=future_t)
        )

    def discounted_expected_residual_transactions(
        self, summary: Any, *, annual_discount_rate: float, horizon: float | None = None
    ) -> Any:
        """See `TransactionModel.discounted_expected_residual_transactions`."""
        ask = _ask(
            "discounted_expected_residual_transactions",
            annual_discount_rate=annual_discount_rate,
            horizon=horizon,
        )
        return self._predict(summary, "discounted_expected_transactions", ask)

    def expected_purchases_new_customer(self, *, t: ArrayLike) -> FloatArray:
        """See `TransactionModel`; of a new customer whose labels are drawn from those of the customers fitted."""
        customers = self.customers_by_labels
        found = [
            weight * np.asarray(self.model_of(labels).expected_purchases_new_customer(t=t))
            for labels, weight in customers.items()
        ]
        return np.asarray(sum(found) / sum(customers.values()))

    def customer_parameters(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Parameters of the customer of each row, by name."""
        names = self.typical.parameter_names
        found = np.empty((len(rows), len(names)))
        for key, at in self.parts(rows):
            found[at] = [self.model_of(key).params_[name] for name in names]
        return pd.DataFrame(found, columns=[*names], index=rows.index)

    def log_likelihood(self, histories: pd.DataFrame) -> float:
        """Total log-likelihood of distinct histories with their labels, optionally with ``weight``."""
        weight, total = read_weight(histories, len(histories)), 0.0
        for key, at in self.parts(histories):
            model = self.model_of(key)
            columns = read_columns(histories.iloc[at], model.summary_columns)
            groups = condense(columns, weight[at])
            total += model.sum_log_likelihood(model.unconstrained(), groups, groups.weight)[0]
        return total

    def _predict(self, summary: Any, output: str, ask: Callable[..., Any]) -> Any:
        # Asked of nobody: wrong arguments fail here, not on an executor.
        names, labels = self.typical.summary_columns, self.label_columns
        ask(self.typical, pd.DataFrame({name: np.empty(0) for name in names}))

        def predict(columns: Any) -> np.ndarray:
            rows = pd.DataFrame({name: columns[name] for name in (*names, *labels)})
            result = np.full(len(rows), np.nan)
            for key, at in self.parts(rows):
                result[at] = np.asarray(ask(self.model_of(key), rows.iloc[at]))
            return result

        if is_spark_frame(summary):
            return append_prediction(summary, names, output, predict, labels=labels)
        require_label_columns(summary.columns, [*names, *labels])
        values = predict(with_labels(summary, labels).reset_index(drop=True))
        return pd.Series(values, index=summary.index, name=output)


PurchaseModel = TransactionModel | ModelsByLabel
"""What tells how often everybody will buy: one model for all, or one for the customers of each label."""


def label_columns_of(*models: PurchaseModel) -> tuple[str, ...]:
    """Columns by which any of the models tells customers apart; none where each is for everybody."""
    columns = [one.label_columns for one in models if isinstance(one, ModelsByLabel)]
    return tuple(dict.fromkeys(name for names in columns for name in names))


def own_parameters(model: PurchaseModel, rows: pd.DataFrame) -> pd.DataFrame:
    """Parameters of the customer of each row by name, as of their covariates or labels."""
    if isinstance(model, ModelsByLabel | CovariateModel):
        return model.customer_parameters(rows)
    return pd.DataFrame(model.params_, index=rows.index)


def count_parameters(model: PurchaseModel) -> int:
    """Numbers that a fit has estimated; the regularity of a condensed model is one."""
    if isinstance(model, ModelsByLabel):
        return model.n_parameters
    return len(model.params_) + hasattr(model, "regularity_")


def with_labels(summary: pd.DataFrame, label_columns: Sequence[str]) -> pd.DataFrame:
    """The frame with label columns as text or None."""
    texts = {
        name: summary[name]
        .astype(object)
        .map(str, na_action="ignore")
        .where(summary[name].notna(), None)
        for name in label_columns
    }
    return summary.assign(**texts)


def require_label_columns(columns: Any, names: Sequence[str]) -> None:
    """Raise `InvalidSummaryError` that names the columns a summary with labels lacks."""
    missing = [name for name in names if name not in columns]
    if missing:
        raise InvalidSummaryError(
            f"summary: column(s) {', '.join(missing)} missing; a summary by segment has {', '.join(names)}; rename or "
            "add the columns"
        )


def drop_labels(histories: pd.DataFrame, label_columns: Sequence[str]) -> pd.DataFrame:
    """Rows of `collect_histories` of customers who are not told apart; `log_intervals` is their mean."""
    keys = ["frequency", "recency", "T"]
    rows = histories.drop(columns=[*label_columns])
    rows["log_intervals"] *= rows[WEIGHT]
    found = rows.groupby(keys, as_index=False).sum()
    found["log_intervals"] /= found[WEIGHT]
    return found


def _ask(method: str, **arguments: Any) -> Callable[..., Any]:
    def ask(model: MemorylessModel, rows: pd.DataFrame) -> Any:
        return getattr(model, method)(rows, **arguments)

    return ask


def _as_labels(labels: Any) -> Labels:
    return tuple(None if pd.isna(label) else str(label) for label in labels)
