"""Rule: an update from nothing ends with the whole platform healthy, private to this machine and to this stack."""

from __future__ import annotations

from tests.e2e.flow import wait_until
from tests.e2e.stack import Stack

PUBLISHED = {"minio", "postgres-mlflow", "postgres-airflow", "redis", "redis-insight", "zookeeper", "kafka",
             "clinical-mq", "clinical-data-gateway", "spark-master", "spark-batch", "mlflow-server", "feature-engineering",
             "ml-training", "model-serving", "airflow-webserver"}
SERVICES = PUBLISHED | {"kafka-consumer", "kafka-producer", "clinical-data-generator", "lab-results-processor", "spark-worker",
                        "spark-streaming", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"}
WATCHING = {"opensearch", "log-shipper", "node-exporter", "redis-exporter", "opensearch-exporter", "postgres-exporter-mlflow",
            "postgres-exporter-airflow", "prometheus", "alertmanager", "monitoring-service"}
"""Services of the observability layer, where the run has it."""
SHOWN = {"prometheus", "alertmanager", "monitoring-service"}
ROOT = {"log-shipper"}
"""Docker's log files are root's; it has no capability, and nothing that it could write."""


def services(stack: Stack) -> set[str]:
    """What shall run."""
    return SERVICES | (WATCHING if stack.outputs()["layers"]["observability"] == "running" else set())


def test_every_service_is_healthy(platform: Stack) -> None:
    """A finished update means healthy, not merely started: the engine waits for each. On a machine that was busy with the start a
    check may come late once."""
    assert set(platform.containers()) == services(platform)
    wait_until("every service is healthy", lambda: platform.unhealthy() == {})
    assert {name: task.attrs["State"]["ExitCode"] for name, task in platform.tasks().items()} == {"airflow-init": 0}


def test_images_are_our_own_builds(platform: Stack) -> None:
    """In build mode no image comes from a container registry; what cannot be built is named in an output."""
    assert platform.images_outside("clinical-mlops/") == {}
    assert set(platform.outputs()["leftOut"]) == {"kafka-ui", "redis-insight", "grafana", "opensearch-dashboards"}


def test_every_volume_is_the_stacks_own(platform: Stack) -> None:
    """No data in anonymous volumes, which nobody finds again."""
    mounted = {
        m["Name"] for c in platform.containers().values() for m in c.attrs["Mounts"] if m["Type"] == "volume"
    }
    assert mounted
    assert [name for name in mounted if not name.startswith(platform.named(""))] == []


def test_ports_are_published_on_loopback_alone(platform: Stack) -> None:
    """Nobody reaches a service from another machine unless the stack says so."""
    bindings = {
        (service, b["HostIp"])
        for service, c in platform.containers().items()
        for published in c.attrs["NetworkSettings"]["Ports"].values()
        for b in published or []
    }
    assert {service for service, _ in bindings} == PUBLISHED | (SHOWN & services(platform))
    assert {address for _, address in bindings} == {"127.0.0.1"}


def test_hardening_holds_in_docker(platform: Stack) -> None:
    """What the program declares is what Docker runs: no capability, no way to more privileges, not root, bounded."""
    lax = {}
    for service, container in platform.containers().items():
        host = container.attrs["HostConfig"]
        rules = {
            "capabilities": host["CapDrop"] == ["ALL"] and not host["CapAdd"],
            "privileges": "no-new-privileges:true" in host["SecurityOpt"] and not host["Privileged"],
            "memory": 0 < host["Memory"] == host["MemorySwap"],
            "processors": host["NanoCpus"] > 0,
            "logs": "max-size" in host["LogConfig"]["Config"],
            "user": service in ROOT or platform.execute(service, "id", "-u").strip() != "0",
        }
        if broken := [rule for rule, kept in rules.items() if not kept]:
            lax[service] = broken
    assert lax == {}


def test_no_service_can_change_its_program_or_configuration(platform: Stack) -> None:
    """Whoever takes a service over can write its data and temporary files, and nothing that it runs from."""
    places = "/ /etc /usr /usr/bin /opt /run /run/config /run/config/* /run/secrets /run/secrets/*"
    look = f"for d in {places}; do [ ! -w $d ] || echo $d; done"
    writable = {service: platform.execute(service, "sh", "-c", look).split() for service in platform.containers()}
    assert {service: paths for service, paths in writable.items() if paths} == {}
