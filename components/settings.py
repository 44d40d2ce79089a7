"""The stack's configuration (`clinical:*`), read once, typed, and checked before any resource is registered.

Common settings are fields of `Platform`; a layer's own are fields of the `LayerSettings` class in its folder's
`settings.py`, found there without a list of layers anywhere. Every fault is reported, all of them in one message.
"""

from __future__ import annotations

import difflib
import importlib
import json
import pkgutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

import pulumi
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic.alias_generators import to_camel

from components.catalog import Catalog

NAMESPACE = "clinical"
SHORTEST_SECRET = 16


class State(StrEnum):
    """What a layer shall be."""

    RUNNING = "running"
    STOPPED = "stopped"
    """Containers are gone; volumes, buckets, databases, topics and their data stay."""
    ABSENT = "absent"
    """Destroyed with its data."""


class SettingsError(pulumi.RunError):
    """The stack's configuration has faults; `faults` holds each as `key: what is wrong and what to do`."""

    def __init__(self, stack: str, faults: list[str]) -> None:
        self.faults = sorted(faults)
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"Pulumi.{stack}.yaml has {count}:\n" + "\n".join(f"  {f}" for f in self.faults))


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True,
                              arbitrary_types_allowed=True)


class Platform(_Model):
    """Settings that all layers share."""

    images: Literal["pull", "build"] = "build"
    """Where third-party images come from: their registries, or our own builds from package registries."""
    registry_mirror: str | None = Field(None, pattern=r"^[a-z0-9.:/_-]*[a-z0-9]$")
    """A registry that stands in for every upstream one, as `host[:port][/path]`."""
    ca_bundle: str | None = None
    """File of extra certificate authorities, for networks that inspect TLS."""
    bind_address: IPv4Address = IPv4Address("127.0.0.1")
    """Host address on which ports are published."""
    port_offset: int = Field(0, ge=0, le=50_000)
    """Added to every published port, so that two stacks can share a machine."""
    ports: dict[str, int] = {}
    """Published ports that differ from the defaults, by name; `portOffset` is not added to these."""
    docker_folder: str = Field("/var/lib/docker", pattern=r"^/[^:]*[^:/]$")
    """Where Docker keeps its data, and so the logs of its containers; `docker info` says."""
    protect: bool = False
    """Whether Pulumi refuses to delete volumes and buckets."""
    policies: Literal["mandatory", "advisory"] = "mandatory"
    """Whether a broken rule of the policy pack ends a preview or is only reported."""
    layers: dict[str, State] = {}
    """The wanted state of each layer; a layer that is not named runs."""
    leave_out: frozenset[str] = frozenset()
    """Services that the stack does without, for networks that cannot have their images."""
    secrets: dict[str, str] = Field({}, repr=False)
    """Generated passwords, each an encrypted value of the stack. Set-up makes the ones that are missing."""


class LayerSettings(_Model):
    """Settings of one layer. A subclass adds its fields, each configured as `clinical:<camelCase name>`."""

    layer: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    """The layers that must run for this one to run."""
    watches: ClassVar[bool] = False
    """Whether it comes after all other layers, since it watches them. It goes on without those that it does not need."""
    default_ports: ClassVar[Mapping[str, int]] = {}
    secrets: ClassVar[tuple[str, ...]] = ()
    optional_secrets: ClassVar[tuple[str, ...]] = ()
    """Secrets of somebody else's, which a stack may have and set-up cannot make."""
    images: ClassVar[tuple[str, ...]] = ()
    """The images of its services, by their names in the catalog; none for a layer without services."""

    _platform: Platform = PrivateAttr()
    _catalog: Catalog = PrivateAttr()
    _stack: str = PrivateAttr()

    @property
    def platform(self) -> Platform:
        """Settings that all layers share."""
        return self._platform

    @property
    def catalog(self) -> Catalog:
        """The images of this stack."""
        return self._catalog

    @property
    def stack(self) -> str:
        """The stack's name."""
        return self._stack

    @property
    def state(self) -> State:
        """The wanted state of this layer."""
        return self._platform.layers.get(self.layer, State.RUNNING)

    def published(self) -> dict[str, int]:
        """Every port that this layer publishes, by name. A subclass adds those whose number is a setting."""
        return {name: self.port(name) for name in self.default_ports}

    def port(self, name: str, index: int = 0) -> int:
        """The host port of `name`; of its `index`-th copy where it has several."""
        own = self._platform.ports.get(name)
        return (own if own is not None else self.default_ports[name] + self._platform.port_offset) + index

    def secret(self, name: str) -> pulumi.Output[str]:
        """A generated password, as a secret."""
        return pulumi.Output.secret(self._platform.secrets[name])

    def given(self, name: str) -> pulumi.Output[str] | None:
        """An optional secret; None where the stack has none."""
        found = self._platform.secrets.get(name)
        return pulumi.Output.secret(found) if found else None

    def faults(self) -> Iterator[str]:
        """What is wrong between fields that are right alone, as `key: message`."""
        yield from ()

    def bind(self, platform: Platform, catalog: Catalog, stack: str) -> Self:
        """Gives the layer what all layers share."""
        self._platform, self._catalog, self._stack = platform, catalog, stack
        return self


S = TypeVar("S", bound=LayerSettings)


@cache
def layer_kinds() -> dict[str, type[LayerSettings]]:
    """The settings class of each layer that exists, what others need first."""
    folder = Path(__file__).parent
    found: dict[str, type[LayerSettings]] = {}
    for package in sorted(m.name for m in pkgutil.iter_modules([str(folder)]) if m.ispkg):
        module = importlib.import_module(f"components.{package}.settings")
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, LayerSettings) and kind.__module__ == module.__name__:
                found[kind.layer] = kind
    ordered: dict[str, type[LayerSettings]] = {}
    while len(ordered) < len(found):
        free = [n for n, k in found.items() if n not in ordered and all(d in ordered or d not in found for d in k.needs)]
        ordered.update({name: found[name] for name in free})
    return dict(sorted(ordered.items(), key=lambda item: item[1].watches))


def comes_after(layer: str) -> tuple[str, ...]:
    """The layers on which a layer depends in the graph: those that it needs, or all others if it watches."""
    return tuple(name for name in layer_kinds() if name != layer) if layer_kinds()[layer].watches else layer_kinds()[layer].needs


class Settings:
    """The whole configuration of a stack."""

    def __init__(self, platform: Platform, layers: Mapping[type[LayerSettings], LayerSettings], catalog: Catalog) -> None:
        self.platform, self.catalog, self._layers = platform, catalog, layers

    def of(self, kind: type[S]) -> S:
        """The settings of one layer."""
        found = self._layers[kind]
        assert isinstance(found, kind)
        return found

    def layers(self) -> list[LayerSettings]:
        """The settings of every layer, what others need first."""
        return list(self._layers.values())

    @classmethod
    def load(cls) -> Settings:
        """Reads the running program's configuration. Raises SettingsError with every fault."""
        return cls.parse(pulumi.get_project(), pulumi.get_stack(), pulumi.runtime.config.CONFIG.get())

    @classmethod
    def parse(cls, project: str, stack: str, config: Mapping[str, Any]) -> Settings:
        """Checks `config` (full keys, values as Pulumi hands them over). Raises SettingsError with every fault."""
        values = {k.removeprefix(f"{NAMESPACE}:"): decoded(v) for k, v in config.items() if k.startswith(f"{NAMESPACE}:")}
        kinds = list(layer_kinds().values())
        faults, broken = list(_unknown(values, [Platform, *kinds])), set[str]()
        platform = _fill(Platform, values, faults, broken)
        catalog = Catalog(project, platform.images, platform.registry_mirror, platform.leave_out)
        layers = {kind: _fill(kind, values, faults, broken).bind(platform, catalog, stack) for kind in kinds}
        across = [*_across(platform, list(layers.values())), *_switch_faults(platform), *_secret_faults(platform, kinds)]
        # A fault that follows from a broken value's default would mislead.
        faults += [fault for fault in across if not any(key in fault for key in broken)]
        if faults:
            raise SettingsError(stack, faults)
        return cls(platform, layers, catalog)


def decoded(value: Any) -> Any:
    """A configuration value as Pulumi hands it over: text, and JSON where it is an object or a list."""
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def keys_of(model: type[BaseModel]) -> dict[str, str]:
    """Field names of a model by their configuration keys."""
    return {field.alias or name: name for name, field in model.model_fields.items()}


M = TypeVar("M", bound=BaseModel)


def _fill(model: type[M], values: Mapping[str, Any], faults: list[str], broken: set[str]) -> M:
    """The model from its keys; a key with a fault is noted as broken and has its default, so that the rest is checked, too."""
    given = {key: values[key] for key in keys_of(model) if key in values}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            path = ".".join(str(part) for part in fault["loc"])
            faults.append(f"{NAMESPACE}:{path}: {fault['msg'][:1].lower() + fault['msg'][1:]}")
            broken.add(str(fault["loc"][0]))
        return model.model_validate({key: value for key, value in given.items() if key not in broken})


def _unknown(values: Mapping[str, Any], models: Iterable[type[BaseModel]]) -> Iterator[str]:
    known = [key for model in models for key in keys_of(model)]
    for key in values:
        if key not in known:
            yield f"{NAMESPACE}:{key}: no setting has this name{_did_you_mean(key, known)}"


def _did_you_mean(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _across(platform: Platform, layers: list[LayerSettings]) -> Iterator[str]:
    for layer in layers:
        yield from (f"{NAMESPACE}:{fault}" for fault in layer.faults())
    names = [name for layer in layers for name in layer.default_ports]
    for name, port in platform.ports.items():
        if name not in names:
            yield f"{NAMESPACE}:ports.{name}: no service publishes a port of this name{_did_you_mean(name, names)}"
        if not 1 <= port <= 65535:
            yield f"{NAMESPACE}:ports.{name}: a port is between 1 and 65535, this is {port}"
    published = [item for layer in layers for item in layer.published().items()]
    for port, count in Counter(port for _, port in published).items():
        if count > 1:
            users = " and ".join(sorted(name for name, taken in published if taken == port))
            yield f"{NAMESPACE}:ports: {port} is used by {users}; give one of them another port"


def _switch_faults(platform: Platform) -> Iterator[str]:
    kinds = layer_kinds()
    for layer in platform.layers:
        if layer not in kinds:
            yield f"{NAMESPACE}:layers.{layer}: no layer has this name{_did_you_mean(layer, kinds)}"
    for name, kind in kinds.items():
        state = platform.layers.get(name, State.RUNNING)
        for need in kind.needs:
            base = platform.layers.get(need, State.RUNNING)
            if state is State.RUNNING and base is not State.RUNNING:
                yield f"{NAMESPACE}:layers.{name}: {name} is to run but needs {need}, which is to be {base}; " \
                      f"run {need} too, or stop {name}"
            if state is State.STOPPED and base is State.ABSENT:
                yield f"{NAMESPACE}:layers.{name}: {name} keeps data in {need}, which is to be absent; make {name} absent too"


def _secret_faults(platform: Platform, kinds: Iterable[type[LayerSettings]]) -> Iterator[str]:
    wanted = [secret for kind in kinds for secret in kind.secrets]
    for name in wanted:
        value = platform.secrets.get(name)
        if value is None:
            yield f"{NAMESPACE}:secrets.{name}: not set; `make up` generates every missing secret"
        elif len(value) < SHORTEST_SECRET or not value.isalnum():
            yield f"{NAMESPACE}:secrets.{name}: must be {SHORTEST_SECRET} or more letters and digits"
    wanted += [secret for kind in kinds for secret in kind.optional_secrets]
    for name in platform.secrets:
        if name not in wanted:
            yield f"{NAMESPACE}:secrets.{name}: no layer uses a secret of this name{_did_you_mean(name, wanted)}"
