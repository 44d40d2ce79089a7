"""`python -m operations.setup [tools|up|preview|destroy]`: what `make up` and its sisters run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import docker
import pulumi
from rich.console import Console
from rich.markup import escape

import toolchain
from components.settings import Settings
from operations import remote
from operations.environment import environment
from operations.faults import OperationError
from operations.images import ImageError
from operations.setup.base_image import ensure_base
from operations.setup.checks import SetupError, answered, machine, problems
from operations.setup.docker_engine import ensure_docker, memory, silent
from operations.setup.stack import (
    PROJECT,
    decide_images,
    ensure_backend,
    ensure_stack,
    settings_before_secrets,
)
from policies.configuration import write_configuration

FOLDER = Path(__file__).parent.parent.parent
LOGS = FOLDER / ".logs"


def own_ports(stack: str) -> set[int]:
    """Host ports that containers of this stack hold already."""
    client = docker.from_env(timeout=30)
    labels: dict[str, str | list[str] | bool] = {"label": [f"clinical.project={PROJECT}", f"clinical.stack={stack}"]}
    found = [binding for container in client.containers.list(filters=labels)
             for bindings in (container.ports or {}).values() for binding in bindings or []]
    return {int(binding["HostPort"]) for binding in found}


def check(settings: Settings | None, stack: str) -> None:
    """Raises SetupError with every problem of Docker's machine. Without settings only the tools' needs are checked."""
    why, tunnel = silent(), remote.elsewhere()
    wanted: dict[str, int] = {}
    if settings is not None:
        for layer in settings.layers():
            wanted |= layer.published() if layer.state == "running" else {}
    own = own_ports(stack) if why is None else set()
    address = str(settings.platform.bind_address) if settings else "127.0.0.1"
    here = machine(FOLDER, why, memory() if why is None else None, elsewhere=tunnel is not None)
    found = problems(here, wanted, address, own, answered if tunnel else None)
    if found:
        raise SetupError(f"{tunnel.host if tunnel else 'this machine'} cannot run the platform yet:\n" +
                         "\n".join(f"  {fault}" for fault in found))


def tools(console: Console, bundle: Path | None = None) -> Mapping[str, str]:
    """Docker, the engine with its plugins, and the base image; returns the environment to run Pulumi in."""
    LOGS.mkdir(exist_ok=True)
    ensure_docker(console, LOGS)
    toolchain.install(console)
    ensure_base(console, bundle)
    return environment(FOLDER)


def prepare(stack: str, console: Console) -> Mapping[str, str]:
    """Everything before an update: checks, tools, stack, secrets."""
    settings = settings_before_secrets(FOLDER, stack)
    check(settings, stack)
    variables = tools(console, Path(settings.platform.ca_bundle) if settings.platform.ca_bundle else None)
    ensure_backend(variables)
    ensure_stack(FOLDER, stack, variables, console)
    decide_images(FOLDER, stack, variables, docker.from_env(timeout=10), console)
    return variables


def pack_options(stack: str) -> list[str]:
    """The policy pack, as strict as the stack says."""
    platform = settings_before_secrets(FOLDER, stack).platform
    told = write_configuration(LOGS / f"policies-{stack}.json", platform.policies, str(platform.bind_address))
    return ["--policy-pack", "policies", "--policy-pack-config", str(told)]


def run(command: str, stack: str, arguments: list[str], console: Console) -> int:
    """Runs one of the commands and returns its exit status."""
    if command == "tools":
        check(None, stack)
        tools(console)
        return 0
    variables = prepare(stack, console)
    if command == "up":
        from operations.stack import open_stack, refresh_containers
        # What was killed or removed by hand comes back: a plain update would notice nothing.
        refresh_containers(open_stack(stack))
    options = pack_options(stack) if command == "preview" else ["--skip-preview", "--yes"]
    return subprocess.run(["pulumi", command, "--stack", stack, *options, *arguments], cwd=FOLDER, env=dict(variables),
                          check=False).returncode


def main(arguments: list[str]) -> int:
    """The exit status: 0, or 1 after a message."""
    console = Console(stderr=True)
    command, stack = arguments[0], os.environ.get("STACK") or os.environ.get("PULUMI_STACK") or "dev"
    try:
        with remote.reached(stack, ports=command != "tools"):
            return run(command, stack, arguments[1:], console)
    except (SetupError, ImageError, OperationError, toolchain.ToolchainError, pulumi.RunError) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
