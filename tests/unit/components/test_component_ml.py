"""The ML layer: who reaches the registry by which name, who holds which key, and what waits for what."""

from __future__ import annotations

import configparser

import pytest

from tests.unit.components.recorded import CONTAINER, Request, canary, platform

OURS = ("feature-engineering", "ml-training", "model-serving")


def secrets_of(request: Request) -> dict[str, str]:
    """The secret files of a container, by name."""
    return {upload["file"].rpartition("/")[2]: upload["content"] for upload in request.inputs["uploads"]
            if upload["file"].startswith("/run/secrets/")}


def option(request: Request, name: str) -> str:
    """The value of an option of a container's command."""
    command = [*request.inputs["entrypoints"], *request.inputs["command"]]
    return str(command[command.index(name) + 1])


@pytest.mark.parametrize("offset", [0, 10_000])
def test_mlflow_answers_to_the_names_that_it_is_reached_by_and_no_others(offset: int) -> None:
    """The service's name inside, this machine's loopback on the published port outside: no name that resolves elsewhere."""
    server = platform(portOffset=str(offset)).of_type(CONTAINER)["mlflow-server"]
    published = int(server.inputs["ports"][0]["external"])
    assert published == 5000 + offset
    assert set(option(server, "--allowed-hosts").split(",")) == {
        "mlflow-server:5000", "localhost:5000", "127.0.0.1:5000", f"localhost:{published}", f"127.0.0.1:{published}"}


def test_mlflow_finds_database_and_lake_in_secret_files_alone() -> None:
    """The command and the variables only say where; address, user and password are the database's own."""
    server = platform().of_type(CONTAINER)["mlflow-server"]
    files, read = secrets_of(server), configparser.ConfigParser()
    read.read_string(files["pg_service.conf"])
    assert option(server, "--backend-store-uri").partition("service=")[2] == "mlflow"
    assert dict(read["mlflow"]) == {"host": "postgres-mlflow", "port": "5432", "dbname": "mlflow", "user": "mlflow",
                                    "password": canary("mlflow-database")}
    read.read_string(files["aws-credentials"])
    assert dict(read["default"]) == {"aws_access_key_id": "mlflow", "aws_secret_access_key": canary("lake-mlflow")}
    assert "canary" not in str((server.inputs["envs"], server.inputs["command"]))


def test_each_service_holds_the_keys_that_it_needs() -> None:
    """Serving has no key of the lake, training none of Redis, and none but MLflow the one of its artifacts."""
    held = {name: {key for content in secrets_of(platform().of_type(CONTAINER)[name]).values()
                   for key in ("lake-mlflow", "lake-feature-engineering", "lake-ml-training", "redis", "serving-key-clinic")
                   if canary(key) in content} for name in ("mlflow-server", *OURS)}
    assert held == {"mlflow-server": {"lake-mlflow"}, "feature-engineering": {"lake-feature-engineering", "redis"},
                    "ml-training": {"lake-ml-training"}, "model-serving": {"redis", "serving-key-clinic"}}


def test_training_and_serving_wait_for_the_registry() -> None:
    """Not so that they could not do without it, but so that an update ends with all of it there."""
    containers = platform().of_type(CONTAINER)
    for name in ("ml-training", "model-serving"):
        assert f"{CONTAINER}::mlflow-server" in containers[name].needs
    assert f"{CONTAINER}::redis" in containers["model-serving"].needs


def test_more_workers_of_mlflow_get_more_memory() -> None:
    """Each takes some 360 MB."""
    one, three = (platform(mlflowWorkers=str(count)).of_type(CONTAINER)["mlflow-server"].inputs["memory"] for count in (1, 3))
    assert three - one >= 2 * 360
