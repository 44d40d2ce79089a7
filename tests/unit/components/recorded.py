"""The real program under mocks, with every register request kept as the engine would get it."""

from __future__ import annotations

import asyncio
import functools
import json
import runpy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import mocks
from pulumi.runtime.rpc import _special_secret_sig, _special_sig_key, deserialize_properties

from components.settings import layer_kinds

TREE = Path(__file__).parents[3]
PROJECT, STACK = "clinical-mlops", "unit"
CONTAINER, VOLUME, NETWORK = "docker:index/container:Container", "docker:index/volume:Volume", "docker:index/network:Network"
COMPUTED = {"docker:index/remoteImage:RemoteImage": {"imageId": "sha256:0"},
            CONTAINER: {"exitCode": 0, "containerLogs": ""}}


def canary(name: str) -> str:
    """A secret that can be found again wherever it leaks to."""
    return f"canary{name.replace('-', '')}0123456789"


def configuration(file: str = "dev", **settings: Any) -> dict[str, Any]:
    """The settings of a committed stack file with canary secrets, and some changed."""
    given = yaml.safe_load((TREE / f"Pulumi.{file}.yaml").read_text())["config"]
    secrets = {name: canary(name) for kind in layer_kinds().values() for name in kind.secrets}
    given["clinical:layers"] = dict.fromkeys(layer_kinds(), "running")  # whatever an operator switched off on this machine
    return {**given, "clinical:secrets": secrets, **{f"clinical:{key}": value for key, value in settings.items()}}


class Request:
    """One register request: what the program asked the engine for."""

    def __init__(self, request: Any, urn: str) -> None:
        self.name, self.type, self.custom, self.urn = request.name, request.type, request.custom, urn
        self.inputs: dict[str, Any] = opened(deserialize_properties(request.object, keep_unknowns=False) or {})
        self.raw = request.object
        self.parent = short(request.parent)
        self.needs = {short(dependency) for dependency in request.dependencies}
        self.protect, self.deleted_with = request.protect, short(request.deletedWith)
        self.replaces_first = request.deleteBeforeReplace


def opened(value: Any) -> Any:
    """A value with what the engine holds as a secret in the open, to look for leaks."""
    if isinstance(value, dict):
        if value.get(_special_sig_key) == _special_secret_sig:
            return opened(value["value"])
        return {key: opened(inner) for key, inner in value.items()}
    return [opened(inner) for inner in value] if isinstance(value, list) else value


def short(urn: str) -> str:
    """`type::name` of a URN."""
    return "::".join((urn.split("::")[2].split("$")[-1], urn.split("::")[-1])) if urn else ""


class Answers(mocks.Mocks):
    """The engine's answers: inputs come back, and what only a server knows is made up."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Every resource exists at once."""
        return f"{args.name}-id", {**args.inputs, **COMPUTED.get(args.typ, {})}

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        """No function is called."""
        return {}


class Monitor(mocks.MockMonitor):
    """Keeps what Pulumi's own mocks drop: dependencies, protection, deleted_with, delete_before_replace."""

    def __init__(self) -> None:
        super().__init__(Answers())
        self.seen: list[Request] = []

    def RegisterResource(self, request: Any) -> Any:
        """Notes the request down."""
        answer = super().RegisterResource(request)
        self.seen.append(Request(request, answer.urn))
        return answer


class Graph:
    """All requests of one run of the program."""

    def __init__(self, requests: list[Request]) -> None:
        self.requests = {f"{request.type}::{request.name}": request for request in requests}
        assert len(self.requests) == len(requests), "two resources have one name"

    def of_type(self, *kinds: str) -> dict[str, Request]:
        """The requests of some types, by name."""
        return {request.name: request for request in self.requests.values() if request.type in kinds}

    def starting(self, prefix: str) -> list[Request]:
        """The requests whose type starts so."""
        return [request for request in self.requests.values() if request.type.startswith(prefix)]

    def layer_of(self, request: Request) -> str:
        """The layer that a resource belongs to; empty for what belongs to none."""
        while not request.type.startswith("clinical:layer:") and request.parent in self.requests:
            request = self.requests[request.parent]
        return request.name if request.type.startswith("clinical:layer:") else ""

    def below(self, request: Request) -> Iterator[Request]:
        """Everything that a resource depends on, directly or not."""
        seen: set[str] = set()
        queue = [request]
        while queue:
            for need in queue.pop().needs - seen:
                seen.add(need)
                if need in self.requests:
                    queue.append(self.requests[need])
                    yield self.requests[need]


def run(program: Any, config: Mapping[str, Any]) -> Graph:
    """Runs a program under mocks, in a loop and with a configuration of its own."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.settings.reset_options()
    monitor = Monitor()
    mocks.set_mocks(Answers(), project=PROJECT, stack=STACK, monitor=monitor)
    pulumi.runtime.set_all_config({key: value if isinstance(value, str) else yaml_text(value) for key, value in config.items()})
    pulumi.runtime.test(program)()
    return Graph(monitor.seen)


def yaml_text(value: Any) -> str:
    """A value as Pulumi hands it over: JSON for objects, small letters for truth."""
    return json.dumps(value) if isinstance(value, dict | list | bool) else str(value)


@functools.cache
def platform(file: str = "dev", **settings: str) -> Graph:
    """The platform's own graph; layers=… switches all of them."""
    changed: dict[str, Any] = dict(settings)
    if "layers" in changed:
        changed["layers"] = dict.fromkeys(layer_kinds(), changed["layers"])
    return run(lambda: runpy.run_path(str(TREE / "__main__.py"), run_name="__main__"), configuration(file, **changed))
