"""The orchestration layer: who holds which secret, what waits for what, and what changes with the executor."""

from __future__ import annotations

import base64
import configparser
import json

import pytest

from components.orchestration.settings import SCHEDULED
from tests.unit.components.recorded import CONTAINER, TREE, Request, canary, platform
from tests.unit.components.test_component_ml import secrets_of

PROCESSES = ("airflow-webserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")


def file_of(request: Request, name: str) -> str:
    """The text of a configuration file."""
    return next(str(upload["content"]) for upload in request.inputs["uploads"] if upload["file"] == f"/run/config/{name}")


def configuration_of(request: Request) -> configparser.RawConfigParser:
    """Airflow's configuration as it is read."""
    found = configparser.RawConfigParser()
    found.read_string(file_of(request, "airflow.cfg"))
    return found


def test_nothing_of_airflow_begins_before_its_database_is_prepared() -> None:
    """Each process needs the task's end, the task what the connections lead to (apache/airflow#16180)."""
    containers = platform().of_type(CONTAINER)
    for name in PROCESSES:
        assert f"{CONTAINER}::airflow-init" in containers[name].needs
        assert "AIRFLOW_INIT=done" in containers[name].inputs["envs"]
    needs = containers["airflow-init"].needs
    assert {f"{CONTAINER}::{name}" for name in ("postgres-airflow", "postgres-mlflow", "kafka", "mlflow-server", "spark-batch",
                                                "feature-engineering", "ml-training", "model-serving")} <= needs


def test_every_process_has_one_configuration_and_it_holds_no_secret() -> None:
    """Secrets come from commands that read files, of which each process has all."""
    containers = platform().of_type(CONTAINER)
    texts = {file_of(containers[name], "airflow.cfg") for name in (*PROCESSES, "airflow-init")}
    assert len(texts) == 1 and "canary" not in texts.pop()
    found = configuration_of(containers["airflow-scheduler"])
    commands = {value.removeprefix("cat /run/secrets/") for section in found.sections() for key, value in found.items(section)
                if key.endswith("_cmd")}
    assert {"airflow-database", "fernet-key", "airflow-secret-key", "airflow-jwt-secret"} <= commands
    for name in (*PROCESSES, "airflow-init"):
        assert commands <= set(secrets_of(containers[name]))


def test_nothing_that_airflow_could_give_away_is_switched_on() -> None:
    """No examples, no configuration in the interface, no passwords in the open; the logs go to the lake."""
    found = configuration_of(platform().of_type(CONTAINER)["airflow-webserver"])
    assert not found.getboolean("core", "load_examples") and not found.getboolean("api", "expose_config")
    assert found.get("core", "auth_manager").endswith("FabAuthManager")
    assert found.getboolean("logging", "remote_logging")
    assert found.get("logging", "remote_base_log_folder") == "s3://airflow-logs"


def test_keys_have_the_form_that_is_wanted_and_are_each_their_own() -> None:
    """Fernet wants 32 bytes in base64, HS512 64 bytes."""
    secrets = secrets_of(platform().of_type(CONTAINER)["airflow-scheduler"])
    assert len(base64.urlsafe_b64decode(secrets["fernet-key"])) == 32
    assert len(secrets["airflow-jwt-secret"]) >= 64 and secrets["airflow-secret-key"] == canary("airflow-api")
    assert len({secrets["fernet-key"], secrets["airflow-jwt-secret"], secrets["airflow-secret-key"]}) == 3


def test_only_the_task_holds_passwords_and_connections() -> None:
    """What the processes need of them they read from the database, where Fernet encrypts it."""
    containers = platform().of_type(CONTAINER)
    own = {"connections.json", "airflow-admin", "airflow-monitoring"}
    assert own <= set(secrets_of(containers["airflow-init"]))
    assert all(not own & set(secrets_of(containers[name])) for name in PROCESSES)


def test_connections_lead_to_what_the_other_layers_offer() -> None:
    """Addresses inside the network, each with the key of its own service; the lake as a user of its own."""
    found = json.loads(secrets_of(platform().of_type(CONTAINER)["airflow-init"])["connections.json"])
    keys = {"spark_batch": "spark-jobs-key", "feature_engineering": "features-jobs-key", "ml_training": "training-jobs-key",
            "model_serving": "serving-key-monitoring", "lake": "lake-airflow", "lake_logs": "lake-airflow-logs",
            "database_airflow": "airflow-database", "database_mlflow": "mlflow-database", "database_scratch": "scratch-database"}
    assert set(found) == {*keys, "mlflow", "kafka"}
    assert {name: found[name]["password"] for name in keys} == {name: canary(secret) for name, secret in keys.items()}
    hosts = {name: connection.get("host") for name, connection in found.items()}
    assert hosts["spark_batch"] == "spark-batch" and hosts["mlflow"] == "mlflow-server" and hosts["lake"] == "minio"
    assert found["kafka"]["extra"]["bootstrap"] == "kafka:29092"
    assert hosts["database_scratch"] == "postgres-airflow" and found["database_scratch"]["schema"] == "scratch"


@pytest.mark.parametrize(("workers", "executor"), [(0, "LocalExecutor"), (2, "CeleryExecutor")])
def test_workers_come_with_the_distributed_executor(workers: int, executor: str) -> None:
    """Without one the scheduler runs tasks; with some it needs the memory no more."""
    containers = platform(airflowWorkers=str(workers)).of_type(CONTAINER)
    assert configuration_of(containers["airflow-scheduler"]).get("core", "executor") == executor
    found = sorted(name for name in containers if name.startswith("airflow-worker"))
    assert found == [f"airflow-worker-{index + 1}" for index in range(workers)]
    assert all(secrets_of(containers[name])["airflow-broker"] == f"redis://:{canary('redis')}@redis:6379/1" for name in found)
    alone = platform().of_type(CONTAINER)["airflow-scheduler"].inputs["memory"]
    assert (containers["airflow-scheduler"].inputs["memory"] < alone) is (workers > 0)


def test_the_stack_sets_schedules_of_dags_that_there_are() -> None:
    """The names are those of the files; what the stack sets reaches every process."""
    folder = TREE / "applications" / "orchestration" / "dags"
    assert {*SCHEDULED, "feature_backfill"} == {file.stem for file in folder.glob("*.py") if file.stem != "__init__"}
    containers = platform(airflowSchedules='{"backup": "0 1 * * *", "model_monitoring": "manual"}').of_type(CONTAINER)
    for name in PROCESSES:
        assert json.loads(file_of(containers[name], "schedules.json")) == {"backup": "0 1 * * *", "model_monitoring": None}
