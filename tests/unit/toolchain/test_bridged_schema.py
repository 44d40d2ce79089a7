"""The docker and kafka plugins have the types and property names of the official Python SDKs."""

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from typing import Any

import pulumi
import pytest
from pulumi._types import input_type_py_to_pulumi_names

import toolchain
from toolchain.parts import PLUGINS

BRIDGED = [part for part in PLUGINS if part.name in ("docker", "kafka")]
NOT_SERVED = {
    # Implemented by the official plugin itself, beside the bridged provider; RemoteImage builds images too.
    "docker:index/image:Image",
}
NOT_SERVED_TYPES = {"CacheFrom", "DockerBuild", "Registry"}  # used by docker.Image alone
NOT_SERVED_PROPERTIES = {
    # Newer than the release of the provider that the Go module proxy serves.
    "kafka:index/userScramCredential:UserScramCredential": {"passwordWo", "passwordWoVersion"},
}


def resource_classes(package: str) -> dict[str, type]:
    """The resource classes of an SDK by their type tokens."""
    module = importlib.import_module(package)
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, pulumi.CustomResource)
        and not issubclass(value, pulumi.ProviderResource)
    ]
    found = {}
    for value in classes:
        token = re.search(r"'(\w+:index/\w+:\w+)'", inspect.getsource(vars(value)["_internal_init"]))
        assert token, f"{value} names no type token"
        found[token.group(1)] = value
    return found


@pytest.fixture(scope="module", params=BRIDGED, ids=lambda part: part.name)
def plugin(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The name of a plugin's SDK, and the schema that the installed plugin gives."""
    part = request.param
    command = ["pulumi", "package", "get-schema", f"{part.name}@{part.version}"]
    env = {**os.environ, **toolchain.environment()}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return f"pulumi_{part.name}", json.loads(done.stdout)


def test_every_resource_of_the_sdk_is_served_under_its_token(plugin: tuple[str, dict[str, Any]]) -> None:
    """A token that differed would make the engine fail on a resource that the SDK offers."""
    package, schema = plugin
    classes = resource_classes(package)
    assert len(classes) >= 4, f"{package}: the test no longer finds the SDK's resources"
    assert set(classes) - NOT_SERVED - set(schema["resources"]) == set()


def test_resources_have_the_inputs_of_the_sdk(plugin: tuple[str, dict[str, Any]]) -> None:
    """A property under another name would be refused, or worse, ignored."""
    package, schema = plugin
    for token, resource in resource_classes(package).items():
        if token in NOT_SERVED:
            continue
        arguments = getattr(sys.modules[resource.__module__], f"{resource.__name__}Args")
        wanted = set(input_type_py_to_pulumi_names(arguments).values())
        served = set(schema["resources"][token]["inputProperties"])
        assert wanted - NOT_SERVED_PROPERTIES.get(token, set()) == served, token


def test_nested_types_have_the_properties_of_the_sdk(plugin: tuple[str, dict[str, Any]]) -> None:
    """The same for the objects inside inputs, such as a container's ports and health check."""
    package, schema = plugin
    importlib.import_module(package)
    types = schema.get("types", {})
    served = {token.rsplit(":", 1)[-1]: set(kind["properties"]) for token, kind in types.items()}
    assert nested_types(package).items() <= served.items()
    if package == "pulumi_docker":
        assert "ContainerHealthcheck" in nested_types(package), "the test no longer finds the SDK's types"


def nested_types(package: str) -> dict[str, set[str]]:
    """The objects inside the inputs of an SDK, each with the names of its properties."""
    inputs = vars(sys.modules[f"{package}._inputs"]) if f"{package}._inputs" in sys.modules else {}
    return {
        name.removesuffix("Args"): set(input_type_py_to_pulumi_names(kind).values())
        for name, kind in inputs.items()
        if name.endswith("Args")
        and inspect.isclass(kind)
        and name.removesuffix("Args") not in NOT_SERVED_TYPES
    }
