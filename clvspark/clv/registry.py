"""Track fits and register champions in MLflow. Only parameters and measures go there, never data."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clvspark.clv.config import ClvConfig

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"


@contextmanager
def open_registry(config: ClvConfig, local_root: Path | None) -> Iterator[Registry]:
    """The registry of `config`; without a server a SQLite file inside the lakehouse folder."""
    from mlflow import MlflowClient  # takes seconds, so only where a model is fitted

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    folder = (local_root or Path.cwd()) / "_mlflow"
    uri = config.mlflow_uri
    if uri is None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    artifacts = None if config.mlflow_uri else (folder / "artifacts").as_uri()
    yield Registry(client, config.experiment, artifacts)


class Registry:
    """Fits of one experiment."""

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
        document: dict[str, Any],
        measures: dict[str, float],
        *,
        as_of: date,
        champion: bool,
    ) -> str:
        """Log one fitted model with its measures, register a version, return the version.

        The champion gets the alias ``champion``; its former holder loses it.
        """
        run = self._client.create_run(self._experiment, run_name=f"{name} {as_of}")
        run_id = run.info.run_id
        for key, value in {
            "model": name,
            "as_of_date": str(as_of),
            "time_unit": document["time_unit"],
        }.items():
            self._client.log_param(run_id, key, value)
        for key, value in {
            **document["params"],
            "log_likelihood": document["log_likelihood"],
            **measures,
        }.items():
            self._client.log_metric(run_id, key, float(value))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.json"
            file.write_text(json.dumps(document, indent=2), encoding="utf-8")
            self._client.log_artifact(run_id, str(file))
        self._client.set_terminated(run_id)
        return self._version(
            f"clvspark.{name}", f"{run.info.artifact_uri}/model.json", run_id, champion
        )

    def _version(self, name: str, source: str, run_id: str, champion: bool) -> str:
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name)
        version = str(self._client.create_model_version(name, source, run_id).version)
        if champion:
            self._client.set_registered_model_alias(name, CHAMPION, version)
        return version
