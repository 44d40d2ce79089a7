"""A seeded run of simulated patients through both ways in, while services crash; and what became of every message."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from applications.clinical.simulation import Entry, read_journal
from applications.ingestion import generator, producer
from tests.e2e.lake import Lake
from tests.e2e.stack import Stack

POLL_SECONDS = 3
REST_SECONDS = 15
"""Longer than the queue's figures are old (5 s) and a batch of the processor takes."""
FAULTS = {"fault_duplicate": 0.03, "fault_late": 0.02, "fault_out_of_order": 0.02, "fault_alternate_unit": 0.02,
          "fault_wrong_unit": 0.01, "fault_malformed": 0.01}
LONGEST = 600
"""Seconds that anything here may take on a busy machine; what takes longer is broken."""


def wait_until(what: str, true: Callable[[], bool], seconds: float = LONGEST) -> None:
    """Waits for a condition. Raises AssertionError that names it."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"after {seconds} s still not so: {what}"
        time.sleep(POLL_SECONDS)


def crash(stack: Stack, service: str) -> None:
    """Kills a service's main process as a fault of its own would: Docker brings it back by itself."""
    container = stack.containers()[service]
    container.reload()
    restarts, pid = container.attrs["RestartCount"], container.attrs["State"]["Pid"]
    os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        container.reload()
        return bool(container.attrs["RestartCount"] > restarts and container.attrs["State"]["Running"])

    wait_until(f"{service} runs again after SIGKILL", back)


def healthy(stack: Stack) -> bool:
    """Whether every container is healthy."""
    return stack.unhealthy() == {}


def at_rest(platform: Stack, lake: Lake) -> bool:
    """Whether nothing waits in the queue, and nothing came to Kafka for a while: a processor that was killed may be behind."""
    ends = lake.ends()
    time.sleep(REST_SECONDS)
    queues = httpx.get(f"http://127.0.0.1:{platform.port('clinical-mq')}/api/queues",
                       auth=("monitor", platform.secrets["mq-monitor"])).raise_for_status().json()
    return bool(queues) and sum(queue["messages"] for queue in queues) == 0 and lake.ends() == ends


@dataclass
class Senders:
    """Two senders on the host, one straight to Kafka and one through the gateway, each with a journal of what was taken."""

    stack: Stack
    folder: Path
    events: int
    messages: int
    failures: list[BaseException] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begins to send."""
        for name, run in (("kafka", self._to_kafka), ("gateway", self._to_gateway)):
            self._threads.append(threading.Thread(target=self._guarded, args=(run,), name=name, daemon=True))
            self._threads[-1].start()

    def finish(self) -> list[Entry]:
        """Waits until all is sent and confirmed; the journals' entries. Raises what a sender raised."""
        for thread in self._threads:
            thread.join(LONGEST * 2)
            assert not thread.is_alive(), f"the sender to {thread.name} does not come to an end"
        if self.failures:
            raise self.failures[0]
        return [entry for name in ("kafka", "gateway") for entry in read_journal(self.folder / f"{name}.journal")]

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:  # a thread's own errors are nobody else's to see
            self.failures.append(error)

    def _to_kafka(self) -> None:
        summary = producer.run(producer.ProducerSettings(
            service="e2e-producer", kafka_bootstrap=f"127.0.0.1:{self.stack.port('kafka')}", rate=120, patients=200, seed=7,
            total_events=self.events, patient_prefix="X", stop_seconds=LONGEST, state_path=self.folder / "kafka.json",
            journal_path=self.folder / "kafka.journal", **FAULTS))
        assert summary.unconfirmed == 0, summary

    def _to_gateway(self) -> None:
        generator.run(generator.GeneratorSettings(
            service="e2e-generator", gateway_url=f"http://127.0.0.1:{self.stack.port('clinical-data-gateway')}",
            mllp_host="127.0.0.1", mllp_port=self.stack.port("gateway-mllp"), api_key=self.stack.secrets["gateway-key-site"],
            rate=40, patients=100, seed=8, total_events=self.messages, patient_prefix="Y",
            state_path=self.folder / "gateway.json", journal_path=self.folder / "gateway.journal", **FAULTS))
