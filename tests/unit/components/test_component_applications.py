"""What the program gives to our own services is what they read, and all that they need."""

from __future__ import annotations

import importlib

import pytest

from applications.runtime.settings import ServiceSettings
from tests.unit.components.recorded import CONTAINER, Request, platform

NOT_OURS = {"spark_conf_dir", "spark-defaults.conf", "log4j2.properties"}
"""What Spark itself reads."""
TASKS = {"airflow-init"}
"""What reads no settings but its files."""
APPLICATIONS = {name: request for name, request in platform().of_type(CONTAINER).items()
                if request.inputs["entrypoints"] == ["python3"] and name not in TASKS}


def settings_of(request: Request) -> type[ServiceSettings]:
    """The settings class of the module that a container runs."""
    module = importlib.import_module(f"{request.inputs['command'][1]}.settings")
    found = [kind for kind in vars(module).values()
             if isinstance(kind, type) and issubclass(kind, ServiceSettings) and kind.__module__ == module.__name__]
    assert len(found) == 1
    return found[0]


def test_the_applications_are_there() -> None:
    """All of the layers that have some."""
    assert set(APPLICATIONS) == {"kafka-producer", "kafka-consumer", "clinical-data-gateway", "lab-results-processor",
                                 "clinical-data-generator", "spark-streaming", "spark-batch", "feature-engineering", "ml-training",
                                 "model-serving", "log-shipper", "monitoring-service"}


@pytest.mark.parametrize("name", sorted(APPLICATIONS))
def test_an_application_reads_what_it_is_given(name: str) -> None:
    """No variable and no secret without a field, no required field without a value, no value that its field refuses."""
    request = APPLICATIONS[name]
    kind = settings_of(request)
    variables = dict(text.split("=", 1) for text in request.inputs["envs"])
    secrets = {upload["file"].rpartition("/")[2]: upload["content"] for upload in request.inputs.get("uploads", [])
               if upload["file"].startswith("/run/secrets/")}
    given = {**{key.lower(): value for key, value in variables.items()}, **secrets}
    ours = {key: value for key, value in given.items() if key not in NOT_OURS}
    assert set(ours) <= set(kind.model_fields), "nothing reads these"
    settings = kind(**ours)
    assert settings.service == name and settings.layer == {label["label"]: label["value"] for label in request.inputs["labels"]}[
        "clinical.layer"]
