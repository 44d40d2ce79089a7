"""What depends on what, what goes with what, and what nobody shares."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from components.settings import comes_after, layer_kinds
from tests.unit.components.recorded import CONTAINER, NETWORK, PROJECT, STACK, TREE, VOLUME, platform

MATRIX = {"infrastructure": set(), "storage": {"infrastructure"}, "ingestion": {"infrastructure"},
          "processing": {"infrastructure", "ingestion"}, "ml": {"infrastructure", "ingestion", "processing"},
          "orchestration": {"infrastructure", "ingestion", "processing", "ml"},
          "observability": {"infrastructure", "storage", "ingestion", "processing", "ml", "orchestration"}}
INSIDE = ("minio:index/", "postgresql:index/", "kafka:index/")
GRAPHS = [("dev", "build"), ("dev", "pull"), ("prod", "pull")]


@pytest.mark.parametrize(("file", "images"), GRAPHS)
def test_layers_depend_on_each_other_as_the_matrix_says(file: str, images: str) -> None:
    """Declared dependencies between layers are the matrix's, and the settings'."""
    graph = platform(file, images=images)
    for layer in layer_kinds():
        assert set(comes_after(layer)) == MATRIX[layer]
        request = next(r for r in graph.starting("clinical:layer:") if r.name == layer)
        assert {graph.layer_of(graph.requests[need]) for need in request.needs} == MATRIX[layer]


@pytest.mark.parametrize("state", ["running", "stopped", "absent"])
def test_the_chain_of_layers_holds_in_every_state(state: str) -> None:
    """A dependent layer's resources come after every resource of the layers it needs; an empty layer would break that."""
    graph = platform(layers=state)
    for layer, kind in layer_kinds().items():
        component = next(r for r in graph.starting("clinical:layer:") if r.name == layer)
        below = {request.name for request in graph.below(component)}
        for need in kind.needs:
            every = {r.name for r in graph.requests.values() if r.custom and graph.layer_of(r) == need}
            assert f"{need}-state" in every
            assert every <= below


def test_no_layer_imports_another() -> None:
    """A layer is given what it needs; __main__ alone knows several."""
    for layer in layer_kinds():
        for file in (TREE / "components" / layer).rglob("*.py"):
            modules = [node.module or "" for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
            others = [m for m in modules for other in layer_kinds() if other != layer and m.startswith(f"components.{other}")]
            assert others == [], file


def test_the_program_has_no_application_logic() -> None:
    """Components import Pulumi, pydantic, jinja2, Grafana's builders and the standard library, and talk to no server."""
    allowed = {"components", "pulumi", "pulumi_docker", "pulumi_kafka", "pulumi_minio", "pulumi_postgresql", "pydantic", "jinja2",
               "grafana_foundation_sdk"}
    for file in (TREE / "components").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else \
                [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.split(".")[0]
                assert top in allowed or is_standard(top), f"{file}: {name}"


def is_standard(module: str) -> bool:
    """Whether a module is of the standard library."""
    return module in sys.stdlib_module_names


@pytest.mark.parametrize(("file", "images"), GRAPHS)
def test_what_is_declared_inside_a_service_goes_with_its_volume(file: str, images: str) -> None:
    """Buckets, users, rules, roles, databases, grants and topics are deleted with the data's volume, and wait for the container."""
    graph = platform(file, images=images)
    inside = [request for request in graph.requests.values() if request.type.startswith(INSIDE)]
    assert len(inside) == 8 + 3 * 9 + 2 + 5 + 2 * 2 + 2 * 2 + 3 * 3 + 8
    for request in inside:
        kind, service = request.deleted_with.split("::")
        assert kind == VOLUME and service.endswith("-data")
        assert f"{CONTAINER}::{service.removesuffix('-data')}" in request.needs, request.name


@pytest.mark.parametrize(("file", "images"), GRAPHS)
def test_names_on_the_docker_host_are_the_stacks_own(file: str, images: str) -> None:
    """Containers, volumes and networks are named project-stack-service, each once; the host name is the service's."""
    graph = platform(file, images=images)
    things = graph.of_type(CONTAINER, VOLUME, NETWORK)
    names = [request.inputs["name"] for request in graph.requests.values() if request.type in (CONTAINER, VOLUME, NETWORK)]
    assert len(set(names)) == len(names)
    assert all(name.startswith(f"{PROJECT}-{STACK}-") for name in names)
    for name, request in things.items():
        if request.type == CONTAINER:
            assert request.inputs["hostname"] == name == request.inputs["networksAdvanced"][0]["aliases"][0]


def test_two_stacks_share_no_port() -> None:
    """portOffset moves every published port."""
    def ports(**settings: str) -> list[int]:
        containers = platform(**settings).of_type(CONTAINER).values()
        return [port["external"] for container in containers for port in container.inputs.get("ports", [])]
    assert len(ports(images="pull")) == len(set(ports(images="pull"))) == 24
    assert sorted(ports(images="pull", portOffset="10000")) == sorted(port + 10000 for port in ports(images="pull"))


def test_prod_protects_what_holds_data_and_dev_does_not() -> None:
    """Volumes and buckets of prod cannot be deleted by mistake."""
    for file, protected in (("prod", True), ("dev", False)):
        holders = [r for r in platform(file).requests.values() if r.type in (VOLUME, "minio:index/s3Bucket:S3Bucket")]
        assert holders and {request.protect for request in holders} == {protected}


def test_stopped_keeps_the_identity_of_everything_that_holds_data() -> None:
    """A stopped layer has the same volumes, network, buckets, databases and topics, and no container."""
    running, stopped = platform(), platform(layers="stopped")
    kept = [key for key, r in running.requests.items() if r.type in (VOLUME, NETWORK) or r.type.startswith(INSIDE)]
    assert set(kept) <= set(stopped.requests)
    assert all(running.requests[key].inputs == stopped.requests[key].inputs for key in kept)
    assert stopped.of_type(CONTAINER) == {}
    assert all(stopped.requests[key].deleted_with == running.requests[key].deleted_with for key in kept)


def test_absent_leaves_components_and_the_record_of_state_alone() -> None:
    """Nothing that holds data or runs is declared."""
    customs = {request.type for request in platform(layers="absent").requests.values() if request.custom}
    assert customs == {"pulumi:index:Stash"}


def test_no_file_is_longer_than_three_hundred_lines() -> None:
    """A file that one reads in one go."""
    for pattern in ("*.py", "*.sh", "*.go", "Dockerfile"):
        for file in [f for folder in ("applications", "components", "operations", "policies", "toolchain", "images", "tests")
                     for f in Path(TREE / folder).rglob(pattern)]:
            assert len(file.read_text().splitlines()) <= 300, file
