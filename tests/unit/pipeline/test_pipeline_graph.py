"""The stack graph is the engine's own: read from its resources, and drawn so that nothing of it is lost or made up."""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from operations import drawing
from operations.graph import Graph, direct, planned, ranks
from tests.unit.components.recorded import CONTAINER, Request, platform
from tests.unit.components.test_component_graph import MATRIX
from tests.unit.pipeline.conftest import Command, World
from tests.unit.pipeline.fakes import engine_error

SVG = "{http://www.w3.org/2000/svg}"


@cache
def resources() -> tuple[dict[str, Any], ...]:
    """The program's resources as the engine keeps them: with URNs that hold the types of all parents but the stack."""
    graph = platform()

    def chain(request: Request) -> str:
        parent = graph.requests.get(request.parent)
        return request.type if parent is None or parent.type == "pulumi:pulumi:Stack" else f"{chain(parent)}${request.type}"

    urns = {key: f"urn:pulumi:unit::clinical-mlops::{chain(request)}::{request.name}" for key, request in graph.requests.items()}
    return tuple({"urn": urns[key], "type": request.type, "dependencies": [urns[need] for need in request.needs if need in urns],
                  "outputs": {"state": "running"}} for key, request in graph.requests.items())


@pytest.fixture
def graph() -> Graph:
    """The platform's graph."""
    return Graph.of(resources())


def test_layers_need_what_the_matrix_says(graph: Graph) -> None:
    """A dependency on a layer's component stands in the state as one on all that it holds."""
    assert {layer: set(needs) for layer, needs in graph.layer_needs.items()} == MATRIX


def test_every_container_is_a_service_of_its_layer(graph: Graph) -> None:
    """None is forgotten, and each is where the program put it."""
    recorded = platform()
    assert graph.services == {name: recorded.layer_of(request) for name, request in recorded.of_type(CONTAINER).items()}


def test_services_need_what_their_containers_wait_for(graph: Graph) -> None:
    """As the program declared it."""
    assert set(graph.service_needs["model-serving"]) == {"kafka", "redis", "mlflow-server"}
    assert graph.service_needs["minio"] == ()


def test_a_layers_part_has_what_it_needs_and_nothing_else(graph: Graph) -> None:
    """What needs it is another layer's business; a layer without services is shown with the layers that it needs."""
    part = graph.around("ml")
    assert {"model-serving", "redis", "kafka"} <= set(part.services) and "airflow-init" not in part.services
    assert all(part.service_needs[name] == () for name, layer in part.services.items() if layer != "ml")
    assert set(part.layers) == set(part.services.values())
    assert set(graph.around("storage").layers) == {"storage", "infrastructure"}


def test_direct_needs_are_those_that_follow_from_no_other() -> None:
    """The rest would only be more lines."""
    needs = {"a": (), "b": ("a",), "c": ("a", "b"), "d": ("a",)}
    assert direct(needs) == {"a": (), "b": ("a",), "c": ("b",), "d": ("a",)}
    assert ranks(needs) == {"a": 0, "b": 1, "c": 2, "d": 1}


def test_mermaid_has_a_box_a_layer_and_an_arrow_a_need(graph: Graph) -> None:
    """Every name is quoted, so that words of Mermaid's own cannot break it."""
    text = drawing.mermaid(graph, services=False)
    lines = [line.strip() for line in text.splitlines()]
    assert lines[0].startswith("flowchart") and lines.count("end") == len(graph.layers)
    arrows = {tuple(line.split(" --> ")) for line in lines if "-->" in line}
    assert arrows == {(f"layer_{layer}", f"layer_{need}") for layer, needs in MATRIX.items() for need in needs}
    assert all(f'service_{name.replace("-", "_")}["{name}"]' in lines for name in graph.services)


def test_mermaid_says_which_layer_is_off() -> None:
    """The usual state is not said."""
    graph = Graph({"a": "running", "b": "stopped"}, {"one": "a"}, {"a": (), "b": ("a",)}, {"one": ()})
    text = drawing.mermaid(graph, services=False)
    assert '["a"]' in text and '["b (stopped)"]' in text and "no services of its own" in text


@pytest.mark.parametrize("layer", [None, *MATRIX])
def test_the_picture_is_whole_and_nothing_in_it_overlaps(graph: Graph, layer: str | None) -> None:
    """Each box has its heading inside, lies in the picture, and beside or within every other."""
    part = graph if layer is None else graph.around(layer)
    services = layer is not None and layer in part.services.values()
    root = ElementTree.fromstring(drawing.picture(part, services=services))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    boxes: dict[str, tuple[float, float, float, float]] = {}
    for group in root.iter(f"{SVG}g"):
        rect, text = group.find(f"{SVG}rect"), group.find(f"{SVG}text")
        assert rect is not None and text is not None
        x, y, w, h = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
        boxes[str(text.text)] = (x, y, x + w, y + h)
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
        assert len(str(text.text)) * drawing.CHARACTER <= w
    assert set(part.services) <= set(boxes)
    for name, a in boxes.items():
        for other, b in boxes.items():
            apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
            within = (a[0] <= b[0] and a[1] <= b[1] and a[2] >= b[2] and a[3] >= b[3]) or \
                (b[0] <= a[0] and b[1] <= a[1] and b[2] >= a[2] and b[3] >= a[3])
            assert name == other or apart or within, (name, other)
    needs = direct(part.service_needs if services else part.layer_needs)
    assert len(list(root.iter(f"{SVG}path"))) - 1 == sum(map(len, needs.values())), "an arrow a need, and its head"


@pytest.mark.parametrize("layer", [None, *MATRIX])
def test_no_arrow_between_layers_crosses_a_box(graph: Graph, layer: str | None) -> None:
    """It would look as if it began or ended there. An arrow touches the edges of its own two boxes, and is nowhere inside one."""
    part = graph if layer is None else graph.around(layer)
    root = ElementTree.fromstring(drawing.picture(part, services=False))
    boxes = [tuple(float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
             for group in root.iter(f"{SVG}g") for rect in group.iter(f"{SVG}rect")]
    drawn = [path.attrib["d"] for path in root.iter(f"{SVG}path") if "marker-end" in path.attrib]
    assert len(drawn) == sum(map(len, direct(part.layer_needs).values()))
    for line in drawn:
        crossed = [box for box in boxes for x, y in points(line)
                   if box[0] + 1 < x < box[0] + box[2] - 1 and box[1] + 1 < y < box[1] + box[3] - 1]
        assert not crossed, line


def points(line: str) -> list[tuple[float, float]]:
    """Many points of an arrow: of a cubic curve, or of a way across, along and across again."""
    shares = [step / 200 for step in range(201)]
    if curve := re.fullmatch(r"M(\S+) (\S+)C(\S+) (\S+) (\S+) (\S+) (\S+) (\S+)", line):
        x, y = ([float(value) for value in curve.groups()[part::2]] for part in (0, 1))
        return [(bezier(x, share), bezier(y, share)) for share in shares]
    lane = re.fullmatch(r"M(\S+) (\S+)H(\S+)V(\S+)H(\S+)", line)
    assert lane, line
    begin, top, beside, bottom, end = map(float, lane.groups())
    corners = [(begin, top), (beside, top), (beside, bottom), (end, bottom)]
    return [(a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share) for a, b in pairwise(corners) for share in shares]


def bezier(values: list[float], share: float) -> float:
    """One coordinate of a cubic Bézier curve."""
    a, b, c, d = values
    rest = 1 - share
    return rest**3 * a + 3 * rest**2 * share * b + 3 * rest * share**2 * c + share**3 * d


def test_names_cannot_break_the_picture() -> None:
    """They are escaped."""
    graph = Graph({"a<b": "running"}, {'x&"y': "a<b"}, {"a<b": ()}, {'x&"y': ()})
    assert 'x&"y' in "".join(ElementTree.fromstring(drawing.picture(graph, services=False)).itertext())


def test_a_plan_reads_as_a_state() -> None:
    """What the plan removes is not in it."""
    plan = {"resourcePlans": {str(r["urn"]): {"goal": {"dependencies": r["dependencies"]}} for r in resources()}}
    plan["resourcePlans"]["urn:pulumi:unit::clinical-mlops::clinical:layer:Gone::gone"] = {"steps": ["delete"]}  # type: ignore[dict-item]
    plan["resourcePlans"] = dict(sorted(plan["resourcePlans"].items()))  # as the engine writes it
    found = Graph.of(planned(plan))
    assert {layer: set(needs) for layer, needs in found.layer_needs.items()} == MATRIX
    assert found.as_data()["services"] == Graph.of(resources()).as_data()["services"], "in the same order, too"


def test_the_command_draws_the_state(world: World, pipeline: Command, tmp_path: Path) -> None:
    """Text, picture or data; into a file where one is named."""
    world()
    assert re.search(r'layer_infrastructure\["infrastructure"\]\n +service_kafka\["kafka"\]', pipeline("all", "graph").out)
    found = json.loads(pipeline("all", "graph", "--json").out)
    assert [layer["name"] for layer in found["layers"]] == ["infrastructure", "storage"]
    done = pipeline("infrastructure", "graph", "--format", "svg", "--output", str(tmp_path / "graph.svg"))
    assert done.status == 0 and "kafka" in (tmp_path / "graph.svg").read_text()
    done = pipeline("all", "graph", "--output", str(tmp_path / "none" / "graph.svg"))
    assert done.status == 1 and "--output" in done.err


def test_a_stack_that_was_never_brought_up_has_no_graph(world: World, pipeline: Command) -> None:
    """The message names what has one."""
    stack, _ = world()
    stack.resources = []
    done = pipeline("all", "graph")
    assert done.status == 1 and "make up STACK=fake" in done.err and "--preview" in done.err


def test_the_command_draws_what_an_update_would_make(world: World, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the engine's plan; a preview that fails says why."""
    stack, _ = world()

    def preview(plan: str, **_: object) -> None:
        Path(plan).write_text(json.dumps({"resourcePlans": {str(r["urn"]): {"goal": {"dependencies": r["dependencies"]}}
                                                            for r in resources()}}))

    monkeypatch.setattr(stack, "preview", preview, raising=False)
    assert len(json.loads(pipeline("all", "graph", "--preview", "--json").out)["layers"]) == len(MATRIX)

    def fails(**_: object) -> None:
        raise engine_error("error: the stack is currently locked by 1 lock(s)")

    monkeypatch.setattr(stack, "preview", fails)
    done = pipeline("all", "graph", "--preview")
    assert done.status == 1 and "pulumi cancel" in done.err
