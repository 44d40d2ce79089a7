"""A stack and a Docker daemon that answer as the real ones do, and remember what they were asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

from docker.models.containers import Container
from pulumi import automation as auto
from pulumi.automation import OpType, events

from components import settings as stack_settings
from components.settings import Platform, keys_of
from operations.stack import CONTAINER, IMAGE
from tests.unit.components.recorded import configuration

STACK = "fake"
INFRASTRUCTURE, SERVICE = "clinical:layer:Infrastructure", "clinical:service:Service"
SERVICES = ("kafka", "redis")
Event = Callable[[events.EngineEvent], Any]


def urn(kind: str, name: str) -> str:
    """A URN of the fake stack."""
    return f"urn:pulumi:{STACK}::clinical-mlops::{kind}::{name}"


def layer(name: str, state: str = "running") -> dict[str, Any]:
    """A layer's component in the stack's state."""
    kind = f"clinical:layer:{name.capitalize()}"
    return {"type": kind, "urn": urn(kind, name), "outputs": {"state": state}}


def service(name: str, kind: str = INFRASTRUCTURE) -> list[dict[str, Any]]:
    """A service and its container in the stack's state."""
    part = f"{kind}$clinical:infrastructure:Part${SERVICE}"
    return [{"type": SERVICE, "urn": urn(part, name)},
            {"type": CONTAINER, "id": f"{name}-1", "urn": urn(f"{part}${CONTAINER}", name)}]


def engine_error(text: str) -> auto.CommandError:
    """What the Automation API raises when `pulumi` writes `text`."""
    return auto.CommandError(cast(Any, f"\n code: 255\n stdout: \n stderr: {text}\n"))


def step(op: OpType, name: str, kind: str = CONTAINER) -> SimpleNamespace:
    """What an event says of one step."""
    return SimpleNamespace(metadata=SimpleNamespace(op=op, urn=urn(kind, name), type=kind))


def event(**what: Any) -> events.EngineEvent:
    """One event of the engine."""
    kinds = dict.fromkeys(("resource_pre_event", "res_outputs_event", "res_op_failed_event", "diagnostic_event"))
    return cast(events.EngineEvent, SimpleNamespace(**{**kinds, **what}))


def fault(message: str, name: str | None = None) -> events.EngineEvent:
    """The engine's error about a resource."""
    about = urn(CONTAINER, name) if name else None
    return event(diagnostic_event=SimpleNamespace(severity="error", message=message, urn=about))


class FakeStack:
    """A stack with both layers. `calls` has the name of each thing done, in order; `up` does what `on_up` says."""

    name = STACK

    def __init__(self, states: Mapping[str, str], **settings: Any) -> None:
        # The stack file has settings of layers that are not there in these tests.
        known = {f"clinical:{key}" for model in (Platform, *stack_settings.layer_kinds().values()) for key in keys_of(model)}
        given = {key: value for key, value in configuration().items() if key in known}
        self.config = {**given, **{f"clinical:{key}": value for key, value in settings.items()}, "clinical:layers": dict(states)}
        self.resources = [layer(name, state) for name, state in states.items()]
        if states["infrastructure"] == "running":
            self.resources += [r for name in SERVICES for r in service(name)]
            self.resources.append({"type": IMAGE, "urn": urn(IMAGE, "kafka-image")})
        self.pages = {"redis-insight": "http://127.0.0.1:5540", "minio-console": "http://127.0.0.1:9001"}
        self.calls: list[str] = []
        self.refreshed: list[str] = []
        self.replaced: list[str] = []
        self.removed_by_hand: set[str] = set()
        self.results = [("refresh", "succeeded"), ("update", "succeeded"), ("update", "failed")]
        self.on_up: Callable[[Event], None] = lambda event: None

    @property
    def states(self) -> dict[str, str]:
        """The wanted states, as they were written."""
        return cast(dict[str, str], self.config["clinical:layers"])

    def get_all_config(self) -> dict[str, auto.ConfigValue]:
        """As Pulumi hands it over: objects as JSON."""
        return {k: auto.ConfigValue(json.dumps(v) if isinstance(v, dict) else str(v)) for k, v in self.config.items()}

    def set_config(self, key: str, value: auto.ConfigValue, path: bool = False) -> None:
        """Layers are set by path, other values by their key."""
        if not path:
            self.calls.append(f"set {key} {value.value}")
            self.config[key] = value.value
            return
        name, _, inner = key.partition(".")
        assert name == "clinical:layers", key
        self.calls.append(f"set {inner} {value.value}")
        self.states[inner] = value.value

    def export_stack(self) -> Any:
        """The stack's state."""
        return SimpleNamespace(deployment={"resources": self.resources})

    def history(self, page_size: int, show_secrets: bool) -> list[Any]:
        """What was done to the stack, the last first."""
        return [SimpleNamespace(kind=kind, result=result) for kind, result in self.results]

    def outputs(self) -> dict[str, Any]:
        """The pages."""
        return {"urls": SimpleNamespace(value=self.pages)}

    def refresh(self, target: list[str], **_: Any) -> None:
        """What was removed by hand leaves the state."""
        self.calls.append("refresh")
        self.refreshed = target
        self.resources = [r for r in self.resources
                          if r["type"] != CONTAINER or r["urn"].rpartition("::")[2] not in self.removed_by_hand]

    def up(self, on_event: Event, on_output: Callable[[str], Any], replace: list[str], **_: Any) -> None:
        """An update."""
        self.calls.append("up")
        self.replaced = replace
        on_output("the engine's output")
        self.on_up(on_event)


def container(name: str, status: str = "running", health: str | None = "healthy", *, of: str = "infrastructure",
              policy: str = "unless-stopped", exit_code: int = 0, lines: tuple[str, ...] = (), number: int = 1) -> Container:
    """What Docker says of a container, the first or a later one of its service. `done` has what was done to it."""
    def logs(tail: int, **_: Any) -> Iterator[bytes]:
        return (f"{line}\n".encode() for line in lines[-tail:])

    state = {"Status": status, "StartedAt": "2026-11-25T10:00:00.123Z", "ExitCode": exit_code,
             **({"Health": {"Status": health}} if health else {})}
    attributes = {"State": state, "RestartCount": 2, "Config": {"Image": "sha256:01"},
                  "HostConfig": {"RestartPolicy": {"Name": policy}},
                  "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}], "81/tcp": None}}}
    labels = {"clinical.layer": of, "clinical.service": name}
    done: list[str] = []
    return cast(Container, SimpleNamespace(
        id=f"{name}-{number}", attrs=attributes, labels=labels, logs=logs, done=done, stop=lambda: done.append("stop"),
        remove=lambda force: done.append("remove")))


class FakeDocker:
    """A daemon with these containers."""

    def __init__(self, *containers: Container) -> None:
        self.all = list(containers)
        self.containers = SimpleNamespace(list=lambda **_: self.all)
        self.images = SimpleNamespace(get=lambda tag: tag)
        self.api = SimpleNamespace(images=lambda: [{"Id": "sha256:01", "RepoTags": ["clinical-mlops/kafka:1"]},
                                                   {"Id": "sha256:02", "RepoTags": None}])
