"""What the configuration allows of covariates and segments, and what the candidates are called."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from clvspark.clv.backtest_rows import list_segments, role_of
from clvspark.clv.candidates import CANDIDATES, takes_segments
from clvspark.clv.config import ClvConfig, SegmentsConfig
from clvspark.clv.fit import TRANSACTION_CLASSES
from clvspark.clv.models import NBDModel
from clvspark.clv.models.covariate_model import CovariateModel
from clvspark.clv.segment_models import FitStatus, SegmentFit, SegmentModels
from clvspark.clv.tables import SEGMENT_MODEL


def configured(**given: object) -> ClvConfig:
    return ClvConfig(**given)  # type: ignore[arg-type]


def test_labels_are_those_of_covariates_and_segments_each_once() -> None:
    segments = SegmentsConfig(by=["country", "acquisition_channel"])  # type: ignore[call-arg]
    config = configured(covariates=["acquisition_channel", "email_consent"], segments=segments)
    assert config.labels == ["acquisition_channel", "email_consent", "country"]
    assert configured().labels == []


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"covariates": ["country", "country"]}, "'covariates' names a label twice"),
        ({"covariates": ["cohort"]}, "Input should be 'acquisition_channel', 'country' or"),
        ({"segments": {"by": ["cohort", "cohort"]}}, "'by' names a label twice"),
        (
            {"covariates": ["country"], "models": ["NBDModel"]},
            "'covariates' need one of BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel in 'models'",
        ),
        (
            {"segments": {"by": ["country"]}, "models": ["CondensedBetaGeoModel"]},
            "'segments' need one of BetaGeoModel, ModifiedBetaGeoModel, NBDModel, ParetoNBDModel in",
        ),
        ({"spend_model": "LogNormalModel"}, "Input should be 'GammaGammaModel' or"),
    ],
)
def test_what_cannot_be_fitted_is_refused_with_what_can(
    given: dict[str, object], fault: str
) -> None:
    with pytest.raises(ValidationError) as error:
        configured(**given)
    assert fault in str(error.value)


@pytest.mark.parametrize("name", TRANSACTION_CLASSES)
def test_the_configuration_knows_which_models_take_what(name: str) -> None:
    takes_covariates = issubclass(TRANSACTION_CLASSES[name], CovariateModel)
    for given, allowed in (
        ({"covariates": ["country"]}, takes_covariates),
        ({"segments": {"by": ["country"]}}, takes_segments(name)),
    ):
        try:
            configured(models=[name], **given)
        except ValidationError:
            assert not allowed
        else:
            assert allowed
    assert (f"{name}WithCovariates" in CANDIDATES) == takes_covariates
    assert (f"{name}BySegment" in CANDIDATES) == takes_segments(name)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("ParetoNBDModelWithCovariates", "candidate"),
        ("NBDModelBySegment", "candidate"),
        ("NormalNormalModel", "candidate"),
        ("LastPeriod", "baseline"),
        ("TwoPartModel", "challenger"),
    ],
)
def test_every_way_to_fit_a_model_is_a_candidate(name: str, role: str) -> None:
    assert role_of(name) == role


def test_a_segment_is_a_row_with_its_labels_and_where_its_parameters_come_from() -> None:
    model = NBDModel.from_params({"r": 1.0, "alpha": 5.0}, time_unit="week")
    labels = ("de", "2025-Q3")
    fit = SegmentFit(labels, model, FitStatus.POOLED, "fewer than 200 customers", 12.0)
    models = SegmentModels(("country", "cohort"), {labels: fit}, model, None)
    (row,) = list_segments(models, "m1", "2026-04-01")  # type: ignore[arg-type]
    assert dict(zip(SEGMENT_MODEL.names, row, strict=True)) == {
        "model_id": "m1",
        "segment": "de | 2025-Q3",
        "as_of_date": "2026-04-01",
        "labels": {"country": "de", "cohort": "2025-Q3"},
        "status": "pooled",
        "reason": "fewer than 200 customers",
        "customers": 12,
        "parameters": {"r": 1.0, "alpha": 5.0},
        "standard_errors": {},
    }
