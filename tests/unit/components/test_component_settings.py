"""Each kind of wrong configuration gives a message of its own that names the key, and all of them come at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.settings import Settings, SettingsError, State, layer_kinds
from tests.unit.components.recorded import configuration, run

OFF = {"ingestion": "absent", "processing": "absent", "ml": "absent", "orchestration": "absent",
       "observability": "absent"}
"""Layers that would add faults of their own."""
UPPER = {"orchestration": "absent"}

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kafkaMod": "kraft"}, "clinical:kafkaMod: no setting has this name; did you mean kafkaMode?"),
    ({"kafkaMode": "raft"}, "clinical:kafkaMode: input should be 'zookeeper' or 'kraft'"),
    ({"kafkaBrokers": "three"}, "clinical:kafkaBrokers: input should be a valid integer"),
    ({"kafkaBrokers": "0"}, "clinical:kafkaBrokers: input should be greater than or equal to 1"),
    ({"kafkaReplication": "3"}, "clinical:kafkaReplication: 3 copies need as many brokers, kafkaBrokers is 1"),
    ({"kafkaMinInsyncReplicas": "2"}, "clinical:kafkaMinInsyncReplicas: 2 is more than kafkaReplication 1"),
    ({"zookeeperNodes": "2"}, "clinical:zookeeperNodes: 2 is even"),
    ({"images": "fetch"}, "clinical:images: input should be 'pull' or 'build'"),
    ({"registryMirror": "https://Mirror/"}, "clinical:registryMirror: string should match pattern"),
    ({"bindAddress": "localhost"}, "clinical:bindAddress: input is not a valid IPv4 address"),
    ({"portOffset": "-1"}, "clinical:portOffset: input should be greater than or equal to 0"),
    ({"protect": "perhaps"}, "clinical:protect: input should be a valid boolean"),
    ({"ports": {"minioo": 1}}, "clinical:ports.minioo: no service publishes a port of this name; did you mean minio?"),
    ({"ports": {"minio": 70000}}, "clinical:ports.minio: a port is between 1 and 65535, this is 70000"),
    ({"ports": {"minio": 6379}}, "clinical:ports: 6379 is used by minio and redis; give one of them another port"),
    ({"ports": {"zookeeper": 9093}, "kafkaBrokers": "2"}, "clinical:ports: 9093 is used by kafka-2 and zookeeper"),
    ({"layers": {**OFF, "infrastructure": "stopped"}}, "clinical:layers.storage: storage is to run but needs infrastructure"),
    ({"layers": {**OFF, "infrastructure": "absent", "storage": "stopped"}}, "clinical:layers.storage: storage keeps data in"),
    ({"layers": {"infrastructur": "running"}}, "clinical:layers.infrastructur: no layer has this name"),
    ({"layers": {"storage": "paused"}}, "clinical:layers.storage: input should be 'running', 'stopped' or 'absent'"),
    ({"layers": {**UPPER, "ingestion": "stopped", "ml": "absent"}},
     "clinical:layers.processing: processing is to run but needs ingestion"),
    ({"layers": {**UPPER, "processing": "stopped"}}, "clinical:layers.ml: ml is to run but needs processing"),
    ({"layers": {"ml": "stopped"}}, "clinical:layers.orchestration: orchestration is to run but needs ml"),
    ({"airflowSchedules": {"backups": "0 * * * *"}}, "clinical:airflowSchedules.backups: no DAG with a schedule has this name"),
    ({"airflowSchedules": {"backup": "hourly"}}, "clinical:airflowSchedules.backup: 'hourly' is no cron expression"),
    ({"featuresGridHours": "5"}, "clinical:featuresGridHours: input should be 1, 2, 3, 4, 6, 8, 12 or 24"),
    ({"servingMaxMissingShare": "2"}, "clinical:servingMaxMissingShare: input should be less than or equal to 1"),
    ({"faultLate": "1"}, "clinical:faultDuplicate and the other shares of faults are 1.044 together"),
    ({"streamingCores": "4"}, "clinical:streamingCores: 4 of 4 cores leave none for jobs"),
    ({"oldVersionsDays": "0"}, "clinical:oldVersionsDays: input should be greater than or equal to 1"),
]


def faults(**settings: Any) -> list[str]:
    """What is wrong with a configuration."""
    try:
        Settings.parse("p", "unit", configuration(**settings))
    except SettingsError as error:
        return error.faults
    return []


@pytest.mark.parametrize(("settings", "message"), WRONG, ids=[m.split(":")[1] + str(i) for i, (_, m) in enumerate(WRONG)])
def test_a_wrong_value_gives_its_message(settings: dict[str, Any], message: str) -> None:
    """One fault, one line, which names the key."""
    found = faults(**settings)
    assert len(found) == 1 and found[0].startswith(message)


def test_a_right_configuration_has_no_fault() -> None:
    """The committed stacks are right."""
    for file in ("dev", "prod"):
        Settings.parse("p", file, configuration(file))


@pytest.mark.parametrize(("value", "message"), [
    (None, "not set; `make up` generates"), ("short", "must be 16 or more"), ("with spaces in it here", "must be 16 or more")])
def test_a_secret_is_there_and_strong(value: str | None, message: str) -> None:
    """A missing or weak password is refused, and never shown."""
    config = configuration()
    secrets = {key: text for key, text in config["clinical:secrets"].items() if key != "redis"}
    config["clinical:secrets"] = {**secrets, **({"redis": value} if value else {})}
    with pytest.raises(SettingsError) as error:
        Settings.parse("p", "unit", config)
    assert len(error.value.faults) == 1 and message in error.value.faults[0]
    assert value is None or value not in str(error.value)


def test_an_unknown_secret_is_named() -> None:
    """A secret that no layer uses is a typing error."""
    config = configuration()
    config["clinical:secrets"] = {**config["clinical:secrets"], "rediss": "0123456789abcdef"}
    with pytest.raises(SettingsError, match=r"clinical:secrets\.rediss: no layer uses a secret of this name; did you mean redis"):
        Settings.parse("p", "unit", config)


def test_ten_faults_give_ten_lines() -> None:
    """All faults are in one message."""
    found = faults(kafkaMod="x", kafkaMode="raft", kafkaBrokers="none", zookeeperNodes="2", images="fetch", portOffset="-1",
                   protect="perhaps", oldVersionsDays="0", ports={"minioo": 1},
                   layers={**OFF, "infrastructure": "stopped"})
    assert len(found) == 10


def test_a_fault_does_not_bring_others_that_follow_from_it() -> None:
    """Three copies need three brokers, but not while the number of brokers cannot be read."""
    assert len(faults(kafkaBrokers="none", kafkaReplication="3")) == 1


def test_nothing_is_registered_when_the_configuration_is_wrong() -> None:
    """The check comes before the first resource."""
    with pytest.raises(SettingsError):
        run(lambda: Settings.load(), configuration(images="fetch"))


def test_values_may_be_text_or_json() -> None:
    """Pulumi hands objects over as JSON text."""
    config = configuration(kafkaBrokers="3", kafkaReplication="3")
    config["clinical:layers"] = json.dumps({"storage": "stopped"})
    settings = Settings.parse("p", "unit", config)
    states = {layer.layer: layer.state for layer in settings.layers()}
    assert states == {**dict.fromkeys(layer_kinds(), State.RUNNING), "storage": State.STOPPED}


def test_layers_are_found_in_the_order_of_need() -> None:
    """What a layer needs comes before it, without a list of layers anywhere."""
    order = list(layer_kinds())
    assert all(order.index(need) < order.index(name) for name, kind in layer_kinds().items() for need in kind.needs)
