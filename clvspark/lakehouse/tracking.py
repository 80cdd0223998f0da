"""Track trained models in MLflow and register their versions. Only parameters and measures go there, never data."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"


@contextmanager
def open_tracker(uri: str | None, experiment: str, local_root: Path | None) -> Iterator[Tracker]:
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
    yield Tracker(client, experiment, artifacts)


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
        champion: bool,
    ) -> str:
        """Log one model, register a version of ``clvspark.<name>``, return the version.

        `documents` become JSON files, the first of which is the model. The champion gets the alias ``champion``; its
        former holder loses it.
        """
        run = self._client.create_run(self._experiment, run_name=run_name)
        run_id = run.info.run_id
        for key, value in params.items():
            self._client.log_param(run_id, key, value)
        for key, number in metrics.items():
            self._client.log_metric(run_id, key, float(number))
        with tempfile.TemporaryDirectory() as folder:
            for file, document in documents.items():
                path = Path(folder) / file
                path.write_text(json.dumps(document, indent=2), encoding="utf-8")
                self._client.log_artifact(run_id, str(path))
        self._client.set_terminated(run_id)
        source = f"{run.info.artifact_uri}/{next(iter(documents))}"
        return self._version(f"clvspark.{name}", source, run_id, champion)

    def _version(self, name: str, source: str, run_id: str, champion: bool) -> str:
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name)
        version = str(self._client.create_model_version(name, source, run_id).version)
        if champion:
            self._client.set_registered_model_alias(name, CHAMPION, version)
        return version
