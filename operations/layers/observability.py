"""Probes of the observability layer, and its own commands: open alerts, and where what is drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Annotated, Any

import requests
import typer

from components.infrastructure.tables import DATABASES
from components.observability.settings import ObservabilitySettings
from components.settings import Settings
from operations import inside
from operations.faults import OperationError
from operations.options import DEFAULT_STACK, Json, StackName
from operations.probes import Probe
from operations.running import settings_while_running
from operations.showing import show
from operations.stack import PROJECT_FOLDER, open_stack, outputs

SECONDS = 10
SEARCH_PORT = 9200
CONTROL_ROOM = "monitoring-service"
SECTION = re.compile(r'<section id="([\w-]+)"[^>]*><h2[^>]*>([^<]+)</h2>')
SEVERITIES = ("critical", "warning")
ALERT_COLUMNS = {"severity": "severity", "alert": "alert", "service": "about", "since": "since (UTC)", "summary": "what is seen"}
# Prometheus has its pages elsewhere in Debian's build and in each major release; all of them begin at the first.
OTHER_PAGES = {"prometheus": {"": "what is scraped, every rule and its state, queries"},
               "alertmanager": {"": "open alerts, silences"},
               "airflow-webserver": {"monitoring/": "reports of quality, model and backup"},
               "mlflow-server": {"": "runs and versions of the model"}, "spark-master": {"": "workers and applications"},
               "grafana": {"": "dashboards"}}
"""What other pages draw, by path."""
EXPORTERS = ("node-exporter", "redis-exporter", "opensearch-exporter",
             *(f"postgres-exporter-{server.removeprefix('postgres-')}" for server in dict.fromkeys(d.server for d in DATABASES)))


def probes(settings: Settings) -> Iterator[Probe]:
    """One probe a service. What publishes no port is asked from inside; exporters are, as ever, by Prometheus."""
    layer, address = settings.of(ObservabilitySettings), settings.platform.bind_address
    container = f"{settings.catalog.project}-{layer.stack}-{{}}".format
    metrics = f"http://{address}:{layer.port('prometheus')}"
    yield Probe("prometheus", partial(targets, metrics))
    yield Probe("alertmanager", partial(alerts, f"http://{address}:{layer.port('alertmanager')}"))
    for exporter in EXPORTERS:
        yield Probe(exporter, partial(scraped, metrics, exporter))
    yield Probe("opensearch", partial(search, container("opensearch")))
    for service in ("log-shipper", "monitoring-service"):
        yield Probe(service, partial(inside.health, container(service)))


def query(url: str, expression: str) -> list[dict[str, object]]:
    """The series of an instant query. Raises requests.RequestException where Prometheus does not answer."""
    answer = requests.get(f"{url}/api/v1/query", {"query": expression}, timeout=SECONDS)
    answer.raise_for_status()
    return list(answer.json()["data"]["result"])


def targets(url: str) -> str:
    """How many services are scraped. Raises RuntimeError with those that do not answer."""
    answer = requests.get(f"{url}/api/v1/targets", {"state": "active"}, timeout=SECONDS)
    answer.raise_for_status()
    found = {target["labels"]["service"]: target for target in answer.json()["data"]["activeTargets"]}
    down = sorted(service for service, target in found.items() if target["health"] == "down")
    if down:
        raise RuntimeError(f"cannot scrape {', '.join(down)}: {found[down[0]]['lastError']}")
    return f"scrapes {len(found)} services"


def alerts(url: str) -> str:
    """How many alerts are open."""
    names = sorted({alert["labels"]["alertname"] for alert in open_alerts(url)})
    return f"open alerts: {', '.join(names)}" if names else "no open alert"


def open_alerts(url: str, *, silenced: bool = False) -> list[dict[str, Any]]:
    """Alertmanager's open alerts; those that somebody silenced only when told. Raises requests.RequestException."""
    which = {"active": "true", "silenced": str(silenced).lower(), "inhibited": "false"}
    answer = requests.get(f"{url}/api/v2/alerts", which, timeout=SECONDS)
    answer.raise_for_status()
    return list(answer.json())


def scraped(url: str, service: str) -> str:
    """Whether Prometheus gets metrics of a service. Raises RuntimeError where it does not."""
    found = query(url, f'up{{service="{service}"}}')
    if not found or str(found[0]["value"][1]) != "1":  # type: ignore[index]
        raise RuntimeError("Prometheus gets no metrics of it; look at `./pipeline observability logs`")
    return "is scraped"


def search(container: str) -> str:
    """The state of the log store. Raises RuntimeError where it cannot be used."""
    status, body = inside.get(container, "/_cluster/health", SEARCH_PORT)
    found = json.loads(body) if status == requests.codes.ok else {}
    if found.get("status") not in ("green", "yellow"):
        raise RuntimeError(f"answers {status}, its cluster is {found.get('status', 'unknown')}")
    return f"{found['status']}, {found['active_primary_shards']} shards"


def alert_rows(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Open alerts as rows: what is critical first, then the oldest."""
    rows = [{"severity": alert["labels"].get("severity", "none"), "alert": alert["labels"]["alertname"],
             "service": alert["labels"].get("service") or alert["labels"].get("dag") or alert["labels"].get("topic"),
             "since": datetime.fromisoformat(alert["startsAt"]), "summary": alert["annotations"].get("summary"),
             "description": alert["annotations"].get("description"), "runbook": alert["annotations"].get("runbook_url"),
             "silenced": bool(alert.get("status", {}).get("silencedBy")), "labels": alert["labels"]} for alert in found]
    place = {name: index for index, name in enumerate(SEVERITIES)}
    return sorted(rows, key=lambda row: (place.get(row["severity"], len(place)), row["since"]))


def dashboards(pages: dict[str, str]) -> list[dict[str, str]]:
    """Everything that is drawn, with its address, given the pages that there are: the control room by its sections, then others."""
    found = []
    if CONTROL_ROOM in pages:
        text = (PROJECT_FOLDER / "applications" / "monitoring" / "control_room" / "index.html").read_text()
        root = pages[CONTROL_ROOM].rstrip("/")
        found = [{"page": "control room", "shows": title, "url": f"{root}/#{name}"} for name, title in SECTION.findall(text)]
        found.append({"page": "control room", "shows": "what each alert means and what to do", "url": f"{root}/runbook"})
    for page, paths in OTHER_PAGES.items():
        found += [{"page": page, "shows": shows, "url": f"{pages[page].rstrip('/')}/{path}"} for path, shows in paths.items()
                  if page in pages]
    return found


def add_commands(group: typer.Typer) -> None:
    """Adds alerts and dashboards."""

    @group.command("alerts")
    def show_alerts(stack: StackName = DEFAULT_STACK,
                    silenced: Annotated[bool, typer.Option("--silenced", help="Also those that somebody silenced.")] = False,
                    as_data: Json = False) -> None:
        """The open alerts, what is critical first; exit status 1 where one is critical."""
        settings = settings_while_running(ObservabilitySettings, stack)
        url = f"http://{settings.platform.bind_address}:{settings.of(ObservabilitySettings).port('alertmanager')}"
        try:
            rows = alert_rows(open_alerts(url, silenced=silenced))
        except requests.RequestException as error:
            raise OperationError(f"Alertmanager does not answer on {url} ({type(error).__name__}), so nobody knows what is open; "
                                 f"`./pipeline observability start --stack {stack}` brings it back") from None
        show(rows, ALERT_COLUMNS, as_data=as_data, nothing="no open alert")
        if any(row["severity"] == "critical" and not row["silenced"] for row in rows):
            raise typer.Exit(1)

    @group.command("dashboards")
    def show_dashboards(stack: StackName = DEFAULT_STACK, as_data: Json = False) -> None:
        """What is drawn where: the control room's parts, and the pages of Prometheus, Airflow, MLflow and Spark."""
        settings_while_running(ObservabilitySettings, stack)
        show(dashboards(outputs(open_stack(stack)).get("urls") or {}), {"page": "page", "shows": "shows", "url": "address"},
             as_data=as_data, nothing=f"no page is there; `./pipeline observability start --stack {stack}` brings them back")
