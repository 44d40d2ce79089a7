"""The page docs/chaos.md, and whether the run was a good one."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.planner import Fault, Kind
from tests.chaos.verdict import Verdict

LIMITS = {Kind.KILL: 240, Kind.PAUSE: 240, Kind.CUT: 240, Kind.RESTART: 480, Kind.DISK: 300}
"""Seconds within which everything must be well again after each kind of fault, on the smallest machine that the platform runs on.
After a restart of all every query of the stream begins on a cold virtual machine at the same moment."""
UNDISTURBED = 3
"""How often the same is measured before any fault."""
PATIENCE = 2
"""How many times its limit a recovery is waited for, to tell what is late from what never comes."""
BRONZE_SECONDS = 120
"""Within which what was accepted must stand in bronze, once all is well."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a fault. `recovered` is in seconds from the end of its cause; None where it never did, and `states` says
    what was not well then."""

    fault: Fault
    recovered: float | None
    accepted: int
    lost: int
    doubled: int
    states: str = ""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The end of a run. `undisturbed` is what the same measure as a recovery's gives before any fault, in seconds."""

    undisturbed: float
    accepted: int
    alerts: int
    records: int
    repeated: int
    answers: Mapping[str, int]
    surprises: Sequence[str]
    verdicts: Mapping[str, Verdict]


def problems(outcomes: Sequence[Outcome], summary: Summary) -> list[str]:
    """Everything that was not as it must be, each in a sentence; empty after a good run."""
    found = []
    for one in outcomes:
        name = f"seed {one.fault.seed}, fault {one.fault.number} ({named(one.fault)})"
        limit = LIMITS[one.fault.kind]
        if one.recovered is None:
            found.append(f"{name}: not well again within {limit * PATIENCE} s: {one.states}")
        elif one.recovered > limit:
            found.append(f"{name}: well again after {one.recovered:.0f} s, the limit is {limit} s")
        if one.lost or one.doubled:
            found.append(f"{name}: {one.lost} lost and {one.doubled} doubled in bronze")
    for rule, verdict in summary.verdicts.items():
        if not verdict.well:
            found.append(f"at the end, {rule}: {len(verdict.lost)} lost, {len(verdict.doubled)} doubled, "
                         f"such as {sorted(verdict.lost | verdict.doubled, key=str)[:3]}")
    return found + [f"the gateway answered a valid event with {answer}" for answer in sorted(set(summary.surprises))]


def named(fault: Fault) -> str:
    """Kind and targets in words."""
    return f"{fault.kind.value}: {' and '.join(fault.targets)}" if fault.targets else fault.kind.value


def lasted(fault: Fault) -> str:
    """How long the fault lasted, for the table."""
    return {Kind.KILL: "", Kind.RESTART: f"{fault.seconds} s to end"}.get(fault.kind, f"{fault.seconds} s")


def report(outcomes: Sequence[Outcome], summary: Summary, docker_version: str, layers: Sequence[str]) -> str:
    """The page."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    machine = f"{os.cpu_count()} cores and {gib:.0f} GiB, {platform.system()} {platform.release().split('-')[0]}"
    seeds = ", ".join(str(seed) for seed in dict.fromkeys(one.fault.seed for one in outcomes))
    kinds = "\n".join(_kind(kind, found) for kind in Kind if (found := [one for one in outcomes if one.fault.kind is kind]))
    rules = "\n".join(f"| {rule} | {len(found.lost)} | {len(found.doubled)} |" for rule, found in summary.verdicts.items())
    wrong = problems(outcomes, summary)
    result = "What was wrong:\n\n" + "\n".join(f"- {problem}" for problem in wrong) if wrong else \
        "Nothing was lost, nothing doubled, and everything came back in time."
    return f"""# Chaos

Written by `make chaos`: {len(outcomes)} faults from the seeds {seeds}, on {machine}, Docker {docker_version}, in a stack of
its own with the layers {', '.join(layers)}.

{result}

| seed | fault | kind | what it hit | lasted | well again after | accepted meanwhile | lost | doubled |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(_row(one) for one in outcomes)}

| kind | times | median | longest | limit |
| --- | --- | --- | --- | --- |
| no fault | {UNDISTURBED} | {summary.undisturbed:.0f} s |  |  |
{kinds}

At the end, with the senders at rest:

| rule | lost | doubled |
| --- | --- | --- |
{rules}

From the run's own client {summary.accepted:,} events were accepted, {summary.alerts:,} of them critical, so that an alert had to
come; {summary.records:,} records stood in Kafka. Accepted events with more than one record there: {summary.repeated:,}. Those were
sent again before an answer came, or a queue gave them out twice: bronze keeps each, silver one. What the client heard:
{', '.join(f'{name} ({count:,})' for name, count in sorted(summary.answers.items()))}.

{HOW}"""


HOW = """## How it is measured

- A client of its own sends vital signs (gateway to Kafka) and laboratory results (gateway, queue, processor, Kafka), each event
  with its id. Answered with 202 or 200 it is accepted and stands in the client's ledger; else the client sends the same event
  again, as the gateway asks of every sender. The platform's simulated patients send, too, some of it invalid on purpose.
- A fault strikes while events flow. The seed draws its kind, its target, how long it lasts, and how long nothing strikes before.
  The run takes away its own fault (goes on with a paused container, opens the network, frees the disk) and mends nothing else.
- *Well again* counts from the end of the cause until every container is healthy, those that were killed have started anew, and
  events of both kinds that were made after the end stand in silver. The row "no fault" is the same measure before the first one.
- *Lost*: accepted, and not in bronze two minutes after all was well. The alert of a critical result counts like an event.
  *Doubled*: a position of Kafka that stands in bronze more than once.
- The table of rules is about every record, those of the simulated patients among them.
- A kill is SIGKILL to a container's first process. A cut drops every packet between two services that talk to each other. A full
  disk is a file system of its own below the service's volume, filled to its last block. A restart is `docker restart` of all at
  once; *to end* is how long they get before they are killed.

The same seeds give the same faults; `make chaos SEEDS="4 5" FAULTS=10` gives others. It needs root on the Docker host.
"""


def _row(one: Outcome) -> str:
    fault = one.fault
    well = "never" if one.recovered is None else f"{one.recovered:.0f} s"
    cells = (fault.seed, fault.number, fault.kind.value, ", ".join(fault.targets) or "all", lasted(fault), well, one.accepted,
             one.lost, one.doubled)
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _kind(kind: Kind, outcomes: Sequence[Outcome]) -> str:
    times = [one.recovered for one in outcomes if one.recovered is not None]
    middle, longest = (f"{statistics.median(times):.0f} s", f"{max(times):.0f} s") if times else ("", "")
    return f"| {kind.value} | {len(outcomes)} | {middle} | {longest} | {LIMITS[kind]} s |"
