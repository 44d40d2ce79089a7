"""Rule: every secret that can be changed is changed at once on the running platform, which goes on with the new ones alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from applications.clinical.models import INGRESS
from components.settings import layer_kinds
from operations.rotating import BY_HAND
from tests.e2e.accounts import Accounts, positions
from tests.e2e.airflow_pages import page, token
from tests.e2e.command import ALL, Command
from tests.e2e.doors import DOORS, lets_in, secrets_of
from tests.e2e.effects import renewed, seen
from tests.e2e.flow import healthy, wait_until
from tests.e2e.lake import Ends, Lake, Position
from tests.e2e.markers import Markers
from tests.e2e.stack import Stack
from tests.e2e.workflows import Workflows

DAGS = "/api/v2/dags"


@dataclass(frozen=True)
class Changed:
    """The secrets before, a token of Airflow's from before, the ends of the topics before, and which containers are new."""

    before: Mapping[str, str]
    token: str
    ends: Ends
    renewed: set[str]


@pytest.fixture(scope="module")
def changed(platform: Stack, command: Command) -> Changed:
    """New values for all, while the platform's own senders send."""
    before, old, ends = seen(platform), dict(platform.secrets), Lake(platform).ends(INGRESS)
    earlier = token(platform)
    assert page(platform, DAGS, earlier).status_code == 200
    command(ALL, "rotate-secrets", "--every", "--yes")
    platform.secrets = secrets_of(platform)
    return Changed(old, earlier, ends, renewed(before, seen(platform)))


def test_every_secret_is_new_but_those_that_need_a_hand(platform: Stack, changed: Changed) -> None:
    """Of layers that do not run, too: they start with it."""
    new = {name for name, value in platform.secrets.items() if value != changed.before[name]}
    assert new == {name for kind in layer_kinds().values() for name in kind.secrets} - set(BY_HAND)


def test_the_new_ones_are_let_in_and_the_old_ones_are_not(platform: Stack, command: Command, changed: Changed) -> None:
    """By every store and service that runs, and a token from before opens Airflow no more."""
    running = command.running_layers()
    asked = [name for name in DOORS for layer, kind in layer_kinds().items() if name in kind.secrets and layer in running]
    assert {name: (lets_in(platform, name, platform.secrets[name]), lets_in(platform, name, changed.before[name]))
            for name in asked} == dict.fromkeys(asked, (True, False))
    assert page(platform, DAGS, changed.token).status_code == page(platform, DAGS, "nonsense").status_code == 403


def test_what_needs_no_secret_is_left_alone(platform: Stack, markers: Markers, changed: Changed) -> None:
    """Brokers have none; everything is healthy with its data."""
    assert changed.renewed.isdisjoint({"kafka", "zookeeper", "kafka-producer"})
    wait_until("every service is healthy", lambda: healthy(platform))
    assert markers.missing() == []


def test_what_came_meanwhile_is_in_silver_or_quarantine_once(platform: Stack, changed: Changed) -> None:
    """The consumer and the stream were replaced in the middle of it; none of their records is missing or there twice."""
    lake, moment = Lake(platform), datetime.now(UTC)
    wait_until("new events come to silver", lambda: bool(lake.recent("silver/patient-vitals", moment)))
    records, doubled = lake.bronze(changed.ends)
    assert records and doubled == []
    due = Accounts({position: record for position, record in records.items() if position[0] in INGRESS})

    def stored() -> list[str]:
        return [row["event_id"] for kind in INGRESS for row in lake.table(f"silver/{kind}", ["event_id"])]

    def refused() -> list[Position]:
        return positions(lake.table("quarantine/events", ["source_topic", "source_partition", "source_offset"]))
    wait_until("every valid event of bronze stands in silver", lambda: set(due.valid) <= set(stored()))
    wait_until("every refusal stands in quarantine", lambda: due.refused <= set(refused()))
    assert max(Counter(stored()).values()) == 1
    assert [position for position, count in Counter(refused()).items() if position in due.refused and count > 1] == []


def test_models_and_workflows_go_on(platform: Stack, command: Command, changed: Changed) -> None:
    """A prediction, jobs with their new keys, and a DAG that uses Airflow's connections to the lake and both databases."""
    command(ALL, "health")
    assert 0.0 <= command("ml", "predict", "--json").data()["probability"] <= 1.0
    assert command("ml", "features", "online", "--json").data()["status"] == "succeeded"
    assert command("orchestration", "trigger", "backup", "--wait", "--json").data()["state"] == "success"
    assert Workflows(platform).airflow.import_errors() == {}
