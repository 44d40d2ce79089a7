"""The parts of metrics and alerts as the engine would get them: what is scraped, what is secret, what pulls and what builds."""

from __future__ import annotations

import runpy

import yaml

from components.observability.dashboards import BOARDS
from components.settings import layer_kinds
from tests.unit.components.recorded import CONTAINER, TREE, Graph, Request, canary, configuration, platform, run

IMAGE = "docker:index/remoteImage:RemoteImage"
PARTS = ("prometheus", "alertmanager", "node-exporter", "redis-exporter", "opensearch-exporter", "postgres-exporter-mlflow",
         "postgres-exporter-airflow")


def text_of(request: Request, path: str) -> str:
    """An uploaded file."""
    return next(str(upload["content"]) for upload in request.inputs["uploads"] if upload["file"] == path)


def targets(graph: Graph | None = None) -> dict[str, str]:
    """The path of each target's metrics, by its address."""
    found = yaml.safe_load(text_of((graph or platform()).of_type(CONTAINER)["prometheus"], "/run/config/prometheus.yml"))
    return {entry["targets"][0]: entry["labels"]["__metrics_path__"] for entry in found["scrape_configs"][0]["static_configs"]}


def test_every_target_is_a_container_of_the_stack() -> None:
    """A target that cannot answer hides one that does not."""
    containers = platform().of_type(CONTAINER)
    hosts = {address.partition(":")[0] for address in targets()}
    assert hosts <= set(containers) and len(hosts) == len(targets())
    assert {*PARTS, "monitoring-service", "log-shipper", "minio", "clinical-mq", "model-serving", "airflow-webserver"} <= hosts


def test_every_application_of_ours_is_scraped() -> None:
    """All of them answer /metrics."""
    ours = {name for name, request in platform().of_type(CONTAINER).items()
            if "-m" in request.inputs["command"] and request.inputs["restart"] != "no"}
    assert ours and ours <= {address.partition(":")[0] for address in targets()}


def test_no_password_of_metrics_and_alerts_leaves_its_file() -> None:
    """Neither a command nor a variable nor a configuration file holds one."""
    containers = platform().of_type(CONTAINER)
    for name in PARTS:
        inputs = containers[name].inputs
        shown = [inputs["command"], inputs["envs"], inputs["labels"],
                 [upload["content"] for upload in inputs.get("uploads") or [] if not upload["file"].startswith("/run/secrets/")]]
        assert "canary" not in str(shown)
    assert text_of(containers["alertmanager"], "/run/secrets/alert-webhook") == canary("alert-webhook")


def test_exporters_wait_for_what_they_log_in_to() -> None:
    needs = {name: request.needs for name, request in platform().of_type(CONTAINER).items()}
    assert f"{CONTAINER}::redis" in needs["redis-exporter"]
    assert f"{CONTAINER}::postgres-airflow" in needs["postgres-exporter-airflow"]


def test_databases_are_measured_by_a_role_that_owns_none() -> None:
    inputs = platform().of_type(CONTAINER)["postgres-exporter-airflow"].inputs
    assert "DATA_SOURCE_USER=exporter" in inputs["envs"]


def test_grafana_comes_where_images_are_pulled_and_is_scraped_there() -> None:
    assert "grafana" not in platform().of_type(CONTAINER)
    grafana = platform(images="pull").of_type(CONTAINER)["grafana"]
    assert {f"/run/config/dashboards/{board.uid}.json" for board in BOARDS} <= {u["file"] for u in grafana.inputs["uploads"]}
    assert text_of(grafana, "/run/secrets/admin-password") == canary("grafana")


def test_one_image_is_built_for_all_of_them_and_each_is_pulled() -> None:
    """Six names, one folder: it is built once."""
    kinds = {"prometheus", "alertmanager", "node-exporter", "redis-exporter", "postgres-exporter", "elasticsearch-exporter"}
    built = {name.removesuffix("-image") for name in platform().of_type(IMAGE)}
    pulled = {name.removesuffix("-image") for name in platform(images="pull").of_type(IMAGE)}
    assert kinds & built == {"prometheus"} and kinds <= pulled


def test_a_layer_that_is_stopped_is_no_target() -> None:
    """Else stopping one on purpose would be an alert."""
    layers = {**dict.fromkeys(layer_kinds(), "running"), "ml": "stopped", "orchestration": "stopped"}
    graph = run(lambda: runpy.run_path(str(TREE / "__main__.py"), run_name="__main__"), configuration(layers=layers))
    hosts = {address.partition(":")[0] for address in targets(graph)}
    assert "kafka-consumer" in hosts and not hosts & {"model-serving", "mlflow-server", "airflow-webserver"}
