"""What the tests of the layer share: one MLflow server, and one model that was really fitted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from applications.ml.model.risk import RiskModel
from applications.ml.training.fitting import candidates
from applications.ml.training.split import Split, split
from tests.unit.ml.mlflow_process import MlflowProcess
from tests.unit.ml.training_frames import labelled


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowProcess]:
    """A running server."""
    server = MlflowProcess(tmp_path_factory.mktemp("mlflow"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def parts() -> Split:
    """A made-up frame, split."""
    return split(labelled(patients=300, days=20), seed=3)


@pytest.fixture(scope="session")
def models(parts: Split) -> dict[str, RiskModel]:
    """A model of each kind, fitted on `parts`."""
    return candidates(parts, seed=3)
