"""Rule: a seed gives one plan, whatever the order of its inputs, and the plan strikes only what is there."""

from __future__ import annotations

import pytest

from components.settings import layer_kinds
from tests.chaos.disks import SIZES_MB
from tests.chaos.planner import QUIET_SECONDS, ROUND, SECONDS, TALKING, Kind, plan, shares

SERVICES = sorted({name for pair in TALKING for name in pair})
DISKS = sorted(SIZES_MB)


def test_a_seed_always_gives_the_same_faults() -> None:
    """A run that found something can be repeated."""
    assert plan(1, 20, SERVICES, DISKS) == plan(1, 20, list(reversed(SERVICES)), set(DISKS))


def test_seeds_differ() -> None:
    """Else three seeds would prove no more than one."""
    plans = [[(fault.kind, fault.targets, fault.seconds) for fault in plan(seed, 7, SERVICES, DISKS)] for seed in (1, 2, 3)]
    assert plans[0] != plans[1] != plans[2] != plans[0]


def test_a_longer_plan_begins_with_every_kind() -> None:
    """No seed is spared a kind for long: seven faults hold each."""
    for seed in range(30):
        assert sorted(fault.kind for fault in plan(seed, 7, SERVICES, DISKS)) == sorted(ROUND)
    assert set(ROUND) == set(Kind)


@pytest.mark.parametrize("count", [1, 6, 7, 8, 20])
def test_there_are_as_many_as_asked_for(count: int) -> None:
    """Numbered from one."""
    assert [fault.number for fault in plan(3, count, SERVICES, DISKS)] == list(range(1, count + 1))


def test_only_what_is_there_is_struck() -> None:
    """A cut is between two that talk, a disk one that can be filled, and everything lasts as long as its kind may."""
    services, disks = ["kafka", "zookeeper", "redis"], ["zookeeper"]
    for seed in range(50):
        for fault in plan(seed, 7, services, disks):
            assert set(fault.targets) <= set(services)
            assert fault.kind is not Kind.CUT or fault.targets == ("zookeeper", "kafka")
            assert fault.kind is not Kind.DISK or fault.targets == ("zookeeper",)
            assert (fault.targets == ()) is (fault.kind is Kind.RESTART)
            low, high = SECONDS[fault.kind]
            assert low <= fault.seconds <= high
            assert QUIET_SECONDS[0] <= fault.quiet <= QUIET_SECONDS[1]


def test_faults_are_shared_out_among_the_seeds() -> None:
    """All of them, as equally as can be."""
    assert shares(20, [1, 2, 3]) == {1: 7, 2: 7, 3: 6}
    assert shares(3, [9]) == {9: 3}


def test_names_are_those_of_services() -> None:
    """A name that no service has would never be struck, in silence. Copies of ports and images tell what there is."""
    known = {port for kind in layer_kinds().values() for port in kind.default_ports} | {
        "kafka-producer", "clinical-data-generator", "lab-results-processor", "kafka-consumer", "spark-worker", "spark-streaming"}
    assert {*SERVICES, *DISKS} - known == set()
