"""An update as it goes on: what is being done now and for how long, what was done, and what went wrong."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType

from pulumi.automation import OpType, events
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

DOING = {OpType.CREATE: "creating", OpType.UPDATE: "updating", OpType.DELETE: "deleting",
         OpType.CREATE_REPLACEMENT: "replacing", OpType.DELETE_REPLACED: "replacing"}
# A replacement is three steps of the engine; it counts once, when the new one is there.
DONE = {OpType.CREATE: "created", OpType.UPDATE: "updated", OpType.CREATE_REPLACEMENT: "replaced", OpType.DELETE: "deleted"}
STACK, IMAGE = "pulumi:pulumi:Stack", "docker:index/remoteImage:RemoteImage"
INWARD = ("clinical:", "pulumi:providers:", STACK)
"""Types that stand for nothing outside of the engine: they take no time and tell a user nothing."""


class UpdateProgress:
    """Shows the engine's events on a console: a line for each thing done and, on a terminal, one for each in work.

    `faults` are the engine's errors, each with the resource it is about.
    """

    def __init__(self, console: Console) -> None:
        self.faults: list[str] = []
        self._console, self._start, self._done = console, time.monotonic(), Counter[str]()
        self._progress = Progress(SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn(),
                                  console=console, transient=True, disable=not console.is_terminal)
        self._in_work: dict[str, tuple[TaskID, float]] = {}

    def __enter__(self) -> UpdateProgress:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def event(self, seen: events.EngineEvent) -> None:
        """Takes one event of the engine."""
        if seen.resource_pre_event:
            self._begun(seen.resource_pre_event.metadata)
        elif seen.res_outputs_event:
            self._ended(seen.res_outputs_event.metadata, done=True)
        elif seen.res_op_failed_event:
            self._ended(seen.res_op_failed_event.metadata, done=False)
        elif seen.diagnostic_event and seen.diagnostic_event.severity == "error":
            fault = seen.diagnostic_event
            about = name_of(fault.urn) + ": " if fault.urn and not fault.urn.rpartition("::")[0].endswith(STACK) else ""
            # The stack's own "update failed" only repeats that there were others.
            if fault.message.strip() != "update failed":
                self.faults.append(about + fault.message.strip())

    def summary(self) -> str:
        """What was done in all, and how many seconds it took."""
        counts = ", ".join(f"{self._done[word]} {word}" for word in DONE.values() if self._done[word]) or "nothing to change"
        return f"{counts} ({time.monotonic() - self._start:.0f} s)"

    def _begun(self, step: events.StepEventMetadata) -> None:
        if step.op in DOING and not step.type.startswith(INWARD):
            task = self._progress.add_task(f"{DOING[step.op]} {name_of(step.urn)}", total=None)
            self._in_work[step.urn] = task, time.monotonic()

    def _ended(self, step: events.StepEventMetadata, *, done: bool) -> None:
        task, begun = self._in_work.pop(step.urn, (None, time.monotonic()))
        if task is not None:
            self._progress.remove_task(task)
        kept = step.op is OpType.DELETE and step.type == IMAGE  # leaves the state, and stays on the host for other stacks
        if done and step.op in DONE and not step.type.startswith(INWARD) and not kept:
            self._done[DONE[step.op]] += 1
            self._console.print(f"  {DONE[step.op]:<9} {name_of(step.urn)} ({time.monotonic() - begun:.1f} s)", highlight=False,
                                markup=False)


def name_of(urn: str) -> str:
    """The name of a resource in the program."""
    return urn.rpartition("::")[2]
