"""The DAGs as Airflow reads them. These tests need Airflow, which the image has and the project's own environment has not."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

# Before anything imports Airflow: a home of its own, so that nothing of this user's is read or written.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-tests-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

import pytest

from tests.dags.diagram import FOLDER, dags_of

FILES = sorted(path for path in FOLDER.glob("*.py") if path.name != "__init__.py")


@pytest.fixture(scope="session")
def dags() -> dict[str, Any]:
    """Every DAG by its id."""
    return dags_of(FILES)


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def dag_file(request: pytest.FixtureRequest) -> Path:
    """Each file of a DAG."""
    found: Path = request.param
    return found


@pytest.fixture
def one(dag_file: Path, dags: dict[str, Any]) -> Any:
    """The DAG of each file."""
    return dags[dag_file.stem]
