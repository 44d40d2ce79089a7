"""Dashboards as data, and how Grafana's own builders make JSON of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common as options
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

SOURCE = models.DataSourceRef(type_val="prometheus", uid="prometheus")
GREEN, RED, GREY = "#3a9d5d", "#d64545", "#8e8e8e"
WIDTH = 24
"""Columns of Grafana's grid."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Curves over time: `queries` by legend, in which `{{label}}` stands for a label's value. `unit` is one of Grafana's."""

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    stacked: bool = False
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Number:
    """One number. It is red from `red_from` on, or below `red_below`."""

    title: str
    query: str
    unit: str = "short"
    red_from: float | None = None
    red_below: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Lights:
    """A tile for each series, named by `legend`: green for 1, red for 0."""

    title: str
    legend: str
    query: str
    note: str = ""


Panel = Graph | Number | Lights


@dataclass(frozen=True, kw_only=True)
class Board:
    """A dashboard: rows of panels, by the row's title."""

    uid: str
    title: str
    rows: Mapping[str, Sequence[Panel]]


def queries(board: Board) -> list[str]:
    """Every query of every panel, as Prometheus takes it."""
    return [query for panels in board.rows.values() for panel in panels for _, query in _asked(panel)]


def rendered(board: Board) -> str:
    """The dashboard's JSON."""
    made = (dashboard.Dashboard(board.title).uid(board.uid).tags(["clinical-mlops"]).readonly().refresh("30s")
            .time("now-3h", "now").tooltip(models.DashboardCursorSync.CROSSHAIR))
    for title, panels in board.rows.items():
        made = made.with_row(dashboard.Row(title))
        for panel in panels:
            made = made.with_panel(_built(panel, len(panels)))
    return JSONEncoder(sort_keys=True, indent=1).encode(made.build())


def _asked(panel: Panel) -> Iterator[tuple[str, str]]:
    """The queries of a panel with their legends."""
    if isinstance(panel, Graph):
        yield from panel.queries.items()
    else:
        yield panel.legend if isinstance(panel, Lights) else panel.title, panel.query


def _built(panel: Panel, beside: int) -> timeseries.Panel | stat.Panel:
    """A panel of Grafana, as wide as those beside it leave room for."""
    found = _graph(panel) if isinstance(panel, Graph) else _tiles(panel)
    found = found.title(panel.title).description(panel.note).datasource(SOURCE).span(max(4, WIDTH // beside))
    for number, (legend, query) in enumerate(_asked(panel)):
        found = found.with_target(prometheus.Dataquery().expr(query).legend_format(legend).datasource(SOURCE)
                                  .ref_id(chr(ord("A") + number)))
    return found


def _graph(panel: Graph) -> timeseries.Panel:
    found = (timeseries.Panel().unit(panel.unit).height(8).min(0).line_width(1).fill_opacity(10)
             .show_points(common.VisibilityMode.NEVER)
             .legend(options.VizLegendOptions().show_legend(True).placement(common.LegendPlacement.BOTTOM)
                     .display_mode(common.LegendDisplayMode.LIST))
             .tooltip(options.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)))
    return found.stacking(options.StackingConfig().mode(common.StackingMode.NORMAL)) if panel.stacked else found


def _tiles(panel: Number | Lights) -> stat.Panel:
    found = stat.Panel().color_mode(common.BigValueColorMode.BACKGROUND_SOLID).graph_mode(common.BigValueGraphMode.NONE)
    if isinstance(panel, Lights):
        return found.height(6).text_mode(common.BigValueTextMode.NAME).thresholds(_steps((None, RED), (1, GREEN)))
    found = found.height(4).unit(panel.unit).text_mode(common.BigValueTextMode.VALUE)
    if panel.red_from is not None:
        return found.thresholds(_steps((None, GREEN), (panel.red_from, RED)))
    if panel.red_below is not None:
        return found.thresholds(_steps((None, RED), (panel.red_below, GREEN)))
    return found.thresholds(_steps((None, GREY)))


def _steps(*steps: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(
        [models.Threshold(value=value, color=color) for value, color in steps])
