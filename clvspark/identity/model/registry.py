"""Register linkage models in MLflow, with the report of their training. No value of any record goes there."""

from __future__ import annotations

from datetime import date

from clvspark.identity.model.train import IdentityModel
from clvspark.lakehouse.tracking import Tracker

NAME = "identity"


def register_model(tracker: Tracker, model: IdentityModel, *, as_of: date) -> str:
    """Log a model, register a version, return it. ``model.json`` is Splink's own form."""
    documents = {"model.json": model.settings}
    metrics = {"records": float(model.records_sampled)}
    if model.report is not None:
        documents["training_report.json"] = model.report.to_dict()
        metrics = model.report.metrics
    return tracker.register(
        NAME,
        run_name=f"{NAME} {as_of}",
        params={"model": NAME, "as_of_date": str(as_of), "model_id": model.model_id},
        metrics=metrics,
        documents=documents,
    )
