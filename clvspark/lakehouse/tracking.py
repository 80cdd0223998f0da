"""Track trained models in MLflow and register their versions. Only parameters and measures go there, never data."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"


def open_tracker(uri: str | None, experiment: str, local_root: Path | None) -> Tracker:
    """The tracker at `uri`; without a server a SQLite file inside the lakehouse folder."""
    from mlflow import MlflowClient  # takes seconds, so only where a model is fitted

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    folder = (local_root or Path.cwd()) / "_mlflow"
    artifacts = None
    if uri is None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        artifacts = (folder / "artifacts").as_uri()
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    return Tracker(client, experiment, artifacts)


class Tracker:
    """Runs of one experiment."""

    def __init__(self, client: MlflowClient, experiment: str, artifacts: str | None) -> None:
        """Find the experiment, or create it with its artifacts in `artifacts`."""
        self._client = client
        found = client.get_experiment_by_name(experiment)
        self._experiment = (
            found.experiment_id if found else client.create_experiment(experiment, artifacts)
        )

    def register(
        self,
        name: str,
        *,
        run_name: str,
        params: Mapping[str, object],
        metrics: Mapping[str, float],
        documents: Mapping[str, dict[str, Any]],
    ) -> str:
        """Log one model, register a version of ``clvspark.<name>``, return the version.

        `documents` become JSON files, the first of which is the model.
        """
        from mlflow.entities import Metric, Param

        run = self._client.create_run(self._experiment, run_name=run_name)
        run_id = run.info.run_id
        now = int(run.info.start_time)
        told = [Param(key, str(value)) for key, value in params.items()]
        measured = [Metric(key, float(number), now, 0) for key, number in metrics.items()]
        # One call instead of one a value.
        self._client.log_batch(run_id, metrics=measured, params=told)
        with tempfile.TemporaryDirectory() as folder:
            for file, document in documents.items():
                path = Path(folder) / file
                path.write_text(json.dumps(document, indent=2), encoding="utf-8")
                self._client.log_artifact(run_id, str(path))
        self._client.set_terminated(run_id)
        source = f"{run.info.artifact_uri}/{next(iter(documents))}"
        model = _registered(name)
        if not self._client.search_registered_models(f"name = '{model}'"):
            self._client.create_registered_model(model)
        return str(self._client.create_model_version(model, source, run_id).version)

    def crown(self, name: str, version: str, *, rivals: Iterable[str] = ()) -> None:
        """Give the alias ``champion`` to a version, once the tables have it.

        Of all models named in `rivals` its former holder loses it. A champion of an earlier date than the holder's, as
        ``as_of_date`` of the parameters says, does not get it.
        """
        model = _registered(name)
        competing = {model, *map(_registered, rivals)}
        known = self._client.search_registered_models()
        holders = {
            found.name: str(found.aliases[CHAMPION])
            for found in known
            if found.name in competing and CHAMPION in found.aliases
        }
        ours = self._date_of(model, version)
        if any(self._date_of(*holder) > ours for holder in holders.items()):
            return
        for holder in holders:
            self._client.delete_registered_model_alias(holder, CHAMPION)
        self._client.set_registered_model_alias(model, CHAMPION, version)

    def _date_of(self, model: str, version: str) -> str:
        """Parameter ``as_of_date`` of the run that registered a version, "" where it has none."""
        run_id = str(self._client.get_model_version(model, version).run_id)
        return str(self._client.get_run(run_id).data.params.get("as_of_date", ""))


def _registered(name: str) -> str:
    """Name of a model in the registry, which others may share."""
    return f"clvspark.{name}"
