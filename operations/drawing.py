"""The stack graph as text (Mermaid) and as a picture (SVG)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape, quoteattr

from operations.graph import Graph, direct, ranks

COLOURS = ("#dbeafe", "#dcfce7", "#fef9c3", "#ffedd5", "#ede9fe", "#fce7f3", "#e0f2fe", "#f1f5f9")
CHARACTER, LINE = 7.2, 16
"""Width of a character and height of a line of the picture's type, in pixels."""
MARGIN, GAP, BETWEEN = 24, 12, 44
IN_A_ROW = 6
ARROW = 'fill="none" stroke="#475569" marker-end="url(#arrow)"'


@dataclass(frozen=True)
class Box:
    """A rectangle with a heading; `about` is what the pointer shows."""

    x: float
    y: float
    width: float
    height: float
    title: str
    colour: str
    about: str = ""
    large: bool = False

    @property
    def middle(self) -> float:
        """Across."""
        return self.x + self.width / 2

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.x + self.width

    def svg(self) -> str:
        """The rectangle and its heading."""
        style = f'fill="{self.colour}" stroke="#475569" rx="6"'
        place = (f'x="{self.x + GAP:.0f}" y="{self.y + LINE + 4:.0f}" font-weight="bold"' if self.large else
                 f'x="{self.middle:.0f}" y="{self.y + self.height / 2 + 4:.0f}" text-anchor="middle"')
        return (f'<g><title>{escape(self.about or self.title)}</title><rect x="{self.x:.0f}" y="{self.y:.0f}" '
                f'width="{self.width:.0f}" height="{self.height:.0f}" {style}/><text {place}>{escape(self.title)}</text></g>')


def picture(graph: Graph, *, services: bool) -> str:
    """The graph as SVG: of layers or, with `services`, of services."""
    return services_picture(graph) if services else layers_picture(graph)


def mermaid(graph: Graph, *, services: bool) -> str:
    """The graph in Mermaid's language: a box a layer with its services; arrows point to what is needed, of layers or, with
    `services`, of services."""
    lines = ["flowchart BT"]
    for layer in graph.layers:
        lines.append(f'  subgraph {node(layer, "layer")}["{label(graph, layer)}"]')
        lines += [f'    {node(name)}["{name}"]' for name, of in graph.services.items() if of == layer]
        if layer not in graph.services.values():
            lines.append(f'    {node(layer, "empty")}["no services of its own"]')
        lines.append("  end")
    if services:
        lines += [f"  {node(name)} --> {node(need)}" for name, needs in direct(graph.service_needs).items() for need in needs]
    else:
        lines += [f'  {node(name, "layer")} --> {node(need, "layer")}'
                  for name, needs in graph.layer_needs.items() for need in needs]
    return "\n".join(lines) + "\n"


def node(name: str, kind: str = "service") -> str:
    """An identifier of Mermaid's: several of its words, such as `end`, are none."""
    return f"{kind}_{name.replace('-', '_')}"


def label(graph: Graph, layer: str) -> str:
    """A layer's name, and its state where that is not the usual one."""
    state = graph.layers[layer]
    return layer if state in ("running", "") else f"{layer} ({state})"


def layers_picture(graph: Graph) -> str:
    """All layers, what others need below, each with its services. An arrow that follows from others is left out; each layer
    names all that it needs."""
    rank, needs = ranks(graph.layer_needs), direct(graph.layer_needs)
    colours = dict(zip(graph.layers, COLOURS * len(graph.layers), strict=False))
    # A lane beside the boxes for arrows that pass other layers.
    lanes = MARGIN * sum(rank[name] - rank[need] > 1 for name, own in needs.items() for need in own)
    boxes: dict[str, Box] = {}
    chips: list[Box] = []
    y: float = MARGIN
    for level in sorted(set(rank.values()), reverse=True):
        x: float = MARGIN + lanes
        for layer in (name for name in graph.layers if rank[name] == level):
            inside = rows_of([name for name, of in graph.services.items() if of == layer], x + GAP, y + 2 * LINE + GAP, graph)
            about = f"needs {', '.join(graph.layer_needs[layer])}" if graph.layer_needs[layer] else "needs no other layer"
            title = f"{label(graph, layer)}: {about}"
            right = max([x + len(title) * CHARACTER * 1.1 + 2 * GAP, *(chip.x + chip.width + GAP for chip in inside)])
            bottom = max([y + 2 * LINE + GAP, *(chip.y + chip.height + GAP for chip in inside)])
            boxes[layer] = Box(x, y, right - x, bottom - y, title, colours[layer], about, large=True)
            chips += inside
            x = right + BETWEEN
        lowest = max(box.y + box.height for box in boxes.values())
        # Boxes of one row end together, so that the arrows of the lower row have the space between rows to themselves.
        boxes |= {name: replace(box, height=lowest - y) for name, box in boxes.items() if box.y == y}
        y = lowest + BETWEEN
    return svg([*boxes.values(), *chips], arrows(boxes, [(name, need) for name, own in needs.items() for need in own]), lanes)


def rows_of(names: list[str], x: float, y: float, graph: Graph) -> list[Box]:
    """Services side by side, some in a row."""
    found: list[Box] = []
    for start in range(0, len(names), IN_A_ROW):
        found += row(names[start:start + IN_A_ROW], x, y + start // IN_A_ROW * (2 * LINE + GAP), "#ffffff", graph)
    return found


def row(names: Iterable[str], x: float, y: float, colour: str, graph: Graph) -> list[Box]:
    """Services in one row."""
    found: list[Box] = []
    for name in names:
        needs = graph.service_needs[name]
        width = len(name) * CHARACTER + 2 * GAP
        found.append(Box(x, y, width, 2 * LINE, name, colour, f"{name} needs {', '.join(needs) or 'no other service'}"))
        x += width + GAP
    return found


def services_picture(graph: Graph) -> str:
    """Services by how much they stand on, in their layer's colour, with an arrow to each that is needed directly."""
    colours = dict(zip(graph.layers, COLOURS * len(graph.layers), strict=False))
    needs = direct(graph.service_needs)
    rank = ranks(graph.service_needs)
    boxes: dict[str, Box] = {}
    y: float = MARGIN
    for level in sorted(set(rank.values()), reverse=True):
        x: float = MARGIN
        for layer in graph.layers:
            own = row([n for n, of in graph.services.items() if of == layer and rank[n] == level], x, y, colours[layer], graph)
            boxes |= {box.title: box for box in own}
            x = max([x, *(box.x + box.width + BETWEEN for box in own)])
        y += 2 * LINE + 2 * BETWEEN
    legend = [Box(MARGIN + 150 * place, y - BETWEEN, 140, 2 * LINE, label(graph, layer), colours[layer])
              for place, layer in enumerate(graph.layers)]
    return svg([*boxes.values(), *legend], arrows(boxes, [(name, need) for name, own in needs.items() for need in own]))


def arrows(boxes: dict[str, Box], pairs: list[tuple[str, str]]) -> list[str]:
    """A line from each box to the one below that it needs; where others lie between, in a lane of its own on the side from which
    nothing stands before the box that is needed."""
    lines: list[str] = []
    left, right = MARGIN / 2, max((box.right for box in boxes.values()), default=0) + MARGIN
    for name, need in pairs:
        upper, lower = boxes[name], boxes[need]
        between = any(upper.y + upper.height < box.y and box.y + box.height < lower.y for box in boxes.values())
        if between and upper.large:
            begin, end = f"{upper.y + upper.height / 2:.0f}", f"{lower.y + lower.height / 2:.0f}"
            if any(box.y == lower.y and box.x < lower.x for box in boxes.values()):
                lines.append(f'<path d="M{upper.right:.0f} {begin}H{right:.0f}V{end}H{lower.right:.0f}" {ARROW}/>')
                right += MARGIN
            else:
                lines.append(f'<path d="M{upper.x:.0f} {begin}H{left:.0f}V{end}H{lower.x:.0f}" {ARROW}/>')
                left += MARGIN
        else:
            top, bottom = upper.y + upper.height, lower.y
            lines.append(f'<path d="M{upper.middle:.0f} {top:.0f}C{upper.middle:.0f} {(top + bottom) / 2:.0f} {lower.middle:.0f} '
                         f'{(top + bottom) / 2:.0f} {lower.middle:.0f} {bottom:.0f}" {ARROW}/>')
    return lines


def svg(boxes: list[Box], lines: list[str], beside: float = 0,
        title: str = "The stack graph: arrows point to what is needed") -> str:
    """A whole picture, on white whatever the page's colour is, with some space `beside` the boxes."""
    width = max((box.right for box in boxes), default=0) + MARGIN + beside
    height = max((box.y + box.height for box in boxes), default=0) + MARGIN
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'role="img" aria-label={quoteattr(title)} font-family="ui-monospace, monospace" font-size="12" fill="#0f172a">',
        f"<title>{escape(title)}</title>",
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#475569"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#ffffff"/>', *(box.svg() for box in boxes), *lines, "</svg>"]) + "\n"
