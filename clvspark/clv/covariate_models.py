"""A model whose covariates are labels of the customers, asked for the customers of each combination of levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from clvspark.clv.label_encoding import LabelEncoding, learn_encoding
from clvspark.clv.label_models import Labels, ModelsByLabel
from clvspark.clv.models.covariate_model import CovariateModel
from clvspark.clv.models.errors import DegenerateDataError
from clvspark.clv.models.summary import WEIGHT


@dataclass(frozen=True)
class CovariateModels(ModelsByLabel):
    """A fitted model with covariates, and what turns labels into these.

    See `ModelsByLabel` for predictions: the customers of each combination of levels have parameters of their own.
    """

    fitted: CovariateModel
    encoding: LabelEncoding
    customers: dict[Labels, float]

    @property
    def label_columns(self) -> tuple[str, ...]:
        """See `ModelsByLabel.label_columns`."""
        return tuple(self.encoding.levels)

    @property
    def typical(self) -> CovariateModel:
        """See `ModelsByLabel.typical`: of customers who have the commonest label of each column."""
        return self.model_of(tuple(levels[0] for levels in self.encoding.levels.values()))

    @property
    def customers_by_labels(self) -> dict[Labels, float]:
        """See `ModelsByLabel.customers_by_labels`."""
        return self.customers

    @property
    def n_parameters(self) -> int:
        """See `ModelsByLabel.n_parameters`; the coefficients among them."""
        return len(self.fitted.params_)

    @property
    def log_likelihood_(self) -> float:
        """Total log-likelihood of the fit."""
        return self.fitted.log_likelihood_

    def key_of(self, labels: Labels) -> Labels:
        """See `ModelsByLabel.key_of`: the level of each label."""
        return self.encoding.key_of(labels)

    def model_of(self, labels: Labels) -> CovariateModel:
        """See `ModelsByLabel.model_of`."""
        return self.fitted.of_customers(self.encoding.indicate(labels))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values, enough to score: those of the fitted model, with its encoding beside them."""
        return self.fitted.to_dict() | {
            "levels": [
                {"column": column, "levels": list(levels)}
                for column, levels in self.encoding.levels.items()
            ],
            "customers": [[list(key), count] for key, count in self.customers.items()],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], kind: type[CovariateModel]) -> Self:
        """Rebuild from `to_dict` the model, which is of `kind`."""
        levels = {one["column"]: tuple(one["levels"]) for one in document["levels"]}
        customers = {tuple(key): count for key, count in document["customers"]}
        return cls(kind.from_dict(document), LabelEncoding(levels), customers)


def fit_with_covariates(
    histories: pd.DataFrame, *, columns: Sequence[str], kind: type[CovariateModel], time_unit: str
) -> CovariateModels:
    """Fit a model whose covariates, of purchasing and of leaving, are the levels of these columns.

    In: ``frequency, recency, T, weight`` and the columns, as text. Raises what `CovariateModel.fit` raises, and
    `DegenerateDataError` where no column tells customers apart.
    """
    encoding = learn_encoding(histories, columns)
    if not encoding.levels:
        raise DegenerateDataError(
            f"summary: by {', '.join(columns)} too few repeat customers differ from the others; leave these covariates "
            "out until more have come back"
        )
    rows, indicators = encoding.indicate_rows(histories), tuple(encoding.indicators)
    model = kind(
        time_unit=time_unit, purchase_covariates=indicators, dropout_covariates=indicators
    ).fit(rows)
    counted = rows.groupby([*encoding.levels], as_index=False)[WEIGHT].sum()
    customers = {tuple(key): float(n) for *key, n in counted.itertuples(index=False, name=None)}
    return CovariateModels(model, encoding, customers)
