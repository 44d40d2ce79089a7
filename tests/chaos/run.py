"""One run: a stack of its own, events that flow, fault after fault, and what became of every event."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import docker
from botocore.exceptions import BotoCoreError, ClientError
from deltalake.exceptions import DeltaError

from applications.clinical.models import INGRESS
from components.settings import layer_kinds
from tests.chaos.bronze import Bronze
from tests.chaos.disks import SIZES_MB, Disks
from tests.chaos.faults import Faults
from tests.chaos.planner import Fault, Kind, plan, shares
from tests.chaos.report import BRONZE_SECONDS, LIMITS, PATIENCE, UNDISTURBED, Outcome, Summary, named
from tests.chaos.sending import Ledger, Sender, client
from tests.chaos.verdict import Ending, Verdict
from tests.e2e.flow import at_rest
from tests.e2e.lake import Lake
from tests.e2e.stack import Stack

SENDERS = ("kafka-producer", "clinical-data-generator")
KINDS = ("patient-vitals", "lab-results")
POLL_SECONDS, WARM_SECONDS, END_SECONDS = 2, 1200, 900
CONFIG = {"producerRate": "8", "generatorRate": "1", "bronzeFlushSeconds": "5", "simulatedPatients": "200",
          "faultMalformed": "0.02", "faultWrongUnit": "0.02", "faultDuplicate": "0.03"}
"""Slow senders, since it is not their number that matters, with faults that fill the quarantine; and bronze soon enough to look."""


def configuration(layers: Sequence[str]) -> dict[str, str]:
    """The settings of a stack with these layers."""
    return {**CONFIG, **{f"layers.{layer}": "running" if layer in layers else "absent" for layer in layer_kinds()}}


class Run:
    """The faults of some seeds in one stack."""

    def __init__(self, stack: Stack, disks: Disks) -> None:
        self._stack, self._faults = stack, Faults(stack, disks)
        self._ledger, self._lake, self._bronze = Ledger(), Lake(stack), Bronze(stack)
        self._sender = Sender(client(stack.port("clinical-data-gateway"), stack.secrets["gateway-key-site"]), self._ledger,
                              time.monotonic)
        self._services = set(stack.containers())
        self._doubled: frozenset[object] = frozenset()
        self._undisturbed = 0.0
        self.outcomes: list[Outcome] = []

    def strike(self, seeds: Sequence[int], count: int) -> None:
        """Sends, and makes one fault after the other; ends early after one that the platform did not recover from."""
        begin = datetime.now(UTC)
        self._sender.start()
        if not until(lambda: self._healthy() and self._flowing(begin), WARM_SECONDS):
            raise TimeoutError(f"no event came to silver within {WARM_SECONDS} s, before any fault: read {self._stack.logs}")
        self._undisturbed = statistics.median(self._undisturbed_once() for _ in range(UNDISTURBED))
        say(f"without a fault new events are in silver after {self._undisturbed:.0f} s")
        for seed, share in shares(count, seeds).items():
            for fault in plan(seed, share, self._services, set(SIZES_MB) & self._services):
                self.outcomes.append(self._one(fault))
                if self.outcomes[-1].recovered is None:
                    return

    def _undisturbed_once(self) -> float:
        begin, moment = time.monotonic(), datetime.now(UTC)
        if not until(lambda: self._healthy() and self._flowing(moment), WARM_SECONDS):
            raise TimeoutError(f"events stopped coming to silver before any fault: read {self._stack.logs}")
        return time.monotonic() - begin

    def _one(self, fault: Fault) -> Outcome:
        time.sleep(fault.quiet)
        say(f"seed {fault.seed} fault {fault.number}: {named(fault)} {fault.seconds} s")
        before, begin = self._started(), time.monotonic()
        self._faults.strike(fault)
        end, moment = time.monotonic(), datetime.now(UTC)
        anew = {Kind.KILL: set(fault.targets), Kind.RESTART: self._services}.get(fault.kind, set())

        def well() -> bool:
            now = self._started()
            return self._healthy() and all(now[name] != before[name] for name in anew) and self._flowing(moment)

        back = until(well, LIMITS[fault.kind] * PATIENCE)
        now = time.monotonic()
        states = "" if back else self._states()
        if not back:
            self._stack.keep_logs()
        verdict = self._in_bronze(now)
        fresh = verdict.doubled - self._doubled
        self._doubled = verdict.doubled
        outcome = Outcome(fault=fault, recovered=now - end if back else None, accepted=self._ledger.between(begin, now),
                          lost=len(verdict.lost), doubled=len(fresh), states=states)
        say(f"  well again: {outcome.recovered and round(outcome.recovered)} s, accepted {outcome.accepted}, lost {outcome.lost}, "
            f"doubled {outcome.doubled} {states}")
        return outcome

    def finish(self) -> Summary:
        """Lets everything come to rest, and compares what every store holds with what was promised."""
        self._sender.stop()
        say("the senders rest; waiting until everything is where it belongs")
        for service in SENDERS:
            self._stack.containers()[service].stop(timeout=60)
        until(lambda: at_rest(self._stack, self._lake), END_SECONDS)
        kafka = self._lake.topics()
        endings: list[Ending] = []

        def settled() -> bool:
            self._bronze.read()
            endings.append(Ending(
                promised={one.event_id for one in self._ledger.all()}, kafka=kafka, bronze=self._bronze.records,
                copies=self._bronze.copies, silver={kind: self._lake.table(f"silver/{kind}", ["event_id"]) for kind in INGRESS},
                quarantine=self._lake.table("quarantine/events", ["source_topic", "source_partition", "source_offset", "raw"])))
            return not any(verdict.lost for verdict in endings[-1].verdicts().values())

        until(settled, END_SECONDS)
        accepted = self._ledger.all()
        verdicts = {"every accepted event and alert in bronze": self._bronze.verdict(self._ledger.promised()),
                    **endings[-1].verdicts()}
        return Summary(undisturbed=self._undisturbed, accepted=len(accepted), alerts=sum(one.alert is not None for one in accepted),
                       records=len(kafka), repeated=endings[-1].repeated(), answers=dict(self._ledger.answers),
                       surprises=self._ledger.surprises, verdicts=verdicts)

    def _in_bronze(self, moment: float) -> Verdict:
        promised = self._ledger.promised(until=moment)

        def there() -> bool:
            self._bronze.read()
            return not self._bronze.verdict(promised).lost

        until(there, BRONZE_SECONDS)
        return self._bronze.verdict(promised)

    def _started(self) -> dict[str, str]:
        return {name: container.attrs["State"]["StartedAt"] for name, container in self._stack.containers().items()}

    def _healthy(self) -> bool:
        return set(self._stack.containers()) == self._services and not self._stack.unhealthy()

    def _flowing(self, moment: datetime) -> bool:
        """Whether events of both kinds that were made after the moment stand in silver."""
        fresh = [one for one in self._ledger.all() if one.made > moment]
        return all({one.event_id for one in fresh if one.event_type == kind} & self._lake.recent(f"silver/{kind}", moment)
                   for kind in KINDS)

    def _states(self) -> str:
        unhealthy = ", ".join(f"{name} {state}" for name, state in sorted(self._stack.unhealthy().items()))
        return unhealthy or "every container is healthy, and no new event comes to silver"


def until(true: Callable[[], bool], seconds: float) -> bool:
    """Waits for a condition, which counts as not so while a store or Docker does not answer; whether it came in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if true():
                return True
        except (OSError, DeltaError, BotoCoreError, ClientError, docker.errors.APIError, AssertionError) as error:
            say(f"  not yet: {type(error).__name__}: {str(error)[:200]}")
        time.sleep(POLL_SECONDS)
    return False


def say(text: str) -> None:
    """Progress, with the time."""
    print(f"{datetime.now():%H:%M:%S} {text}", flush=True)
