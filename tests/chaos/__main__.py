"""`python -m tests.chaos`: faults at random while events flow; writes docs/chaos.md, and ends with 1 unless all came back whole."""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import docker

from components.settings import layer_kinds
from tests.chaos.disks import Disks, remove_disks
from tests.chaos.report import problems, report
from tests.chaos.run import Run, configuration, say
from tests.e2e.ports import free_offset
from tests.e2e.stack import TREE, Stack, remove_leftovers

OFFSET, PREFIX, LOCK = 28_000, "chaos-", "clinical-chaos.lock"
BASE = ("infrastructure", "storage", "ingestion", "processing")
COMMANDS = ("nsenter", "iptables", "mkfs.ext4", "mount")
REPORT = TREE / "docs" / "chaos.md"


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """What the command line says. Ends with status 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="each draws its share of the faults")
    parser.add_argument("--faults", type=int, default=20, help="how many in all")
    parser.add_argument("--layers", nargs="+", default=list(BASE), choices=list(layer_kinds()), help="which layers run")
    parser.add_argument("--report", type=Path, default=REPORT, help="the page that is written")
    found = parser.parse_args(words)
    if missing := [layer for layer in BASE if layer not in found.layers]:
        parser.error(f"--layers lacks {', '.join(missing)}: events that shall come to silver need {', '.join(BASE)}")
    if found.faults < len(found.seeds) or len(set(found.seeds)) < len(found.seeds):
        parser.error("each seed must be another one and needs at least one fault: give fewer seeds or more faults")
    return found


def lacking() -> list[str]:
    """What this machine lacks for making faults, each with what to do."""
    found = [f"{name} is not installed: apt-get install util-linux iptables e2fsprogs mount" for name in COMMANDS
             if shutil.which(name) is None]
    if os.geteuid() != 0:
        found.append("only root kills processes of containers, cuts their network and mounts file systems: sudo make chaos")
    if not os.environ.get("DOCKER_HOST", "unix://").startswith("unix://"):
        found.append("DOCKER_HOST is another machine: faults are made on the Docker host, so run this there")
    return found


@contextmanager
def alone() -> Iterator[None]:
    """Lets one run at a time have this machine. Raises BlockingIOError."""
    with (Path(tempfile.gettempdir()) / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def ended(number: int, _: object) -> None:
    """SIGTERM ends the run as Ctrl-C does: the stack goes with it."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def run(given: argparse.Namespace) -> int:
    """Brings the stack up, strikes, reports, and takes the stack down whatever happens."""
    docker_client = docker.from_env(timeout=180)
    for left in remove_leftovers(docker_client, PREFIX):
        say(f"removed what an earlier run left of the stack {left}")
    remove_disks()
    stack = Stack("", free_offset(OFFSET), docker_client, configuration(given.layers), prefix=PREFIX)
    try:
        disks = Disks(docker_client, stack)
        say(f"starting the stack {stack.name} with {', '.join(given.layers)}; logs: {stack.logs}")
        stack.up()
        chaos = Run(stack, disks)
        chaos.strike(given.seeds, given.faults)
        summary = chaos.finish()
        wrong = problems(chaos.outcomes, summary)
        if wrong:
            stack.keep_logs()
        given.report.write_text(report(chaos.outcomes, summary, docker_client.version()["Version"], given.layers))
        say(f"written: {given.report}")
        for problem in wrong:
            print(f"error: {problem}", file=sys.stderr)
        if wrong:
            print(f"error: logs of every container are in {stack.logs}", file=sys.stderr)
        return 1 if wrong else 0
    except Exception:
        stack.keep_logs()
        traceback.print_exc()
        print(f"error: the run broke off; logs of every container are in {stack.logs}", file=sys.stderr)
        return 1
    finally:
        # A second Ctrl-C must not leave half of it behind. Not SIG_IGN, which pulumi would inherit.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        say("taking the stack down")
        stack.remove()
        remove_disks()


def main() -> int:
    """Runs as the command line says."""
    given = arguments(sys.argv[1:])
    if faults := lacking():
        for fault in faults:
            print(f"error: {fault}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, ended)
    try:
        with alone():
            return run(given)
    except BlockingIOError:
        print("error: another chaos run is under way on this machine; wait until it ends", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
