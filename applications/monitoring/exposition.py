"""The newest reports, open alerts and the newest backup as Prometheus reads them. Reads small JSON objects and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from applications.monitoring import reports
from applications.monitoring.lake import LakeAccess

ALERTS = "alerts"
_NAME = re.compile(r"[^a-zA-Z0-9_:]")
Metric = Mapping[str, Any]


def collect(lake: LakeAccess, now: datetime) -> Iterator[Metric]:
    """The metrics of each kind of report with its age, and one `pipeline_alert_open` an open alert. Raises LakeError."""
    for kind in reports.kinds(lake):
        document = reports.latest(lake, kind)
        if document is not None:
            yield reports.metric("report_age_seconds", (now - datetime.fromisoformat(document["time"])).total_seconds(), kind=kind)
            yield from document["metrics"]
    yield from open_alerts(lake)


def open_alerts(lake: LakeAccess) -> Iterator[Metric]:
    """Of each open alert its task, and how many there are. Raises LakeError."""
    number = 0
    for found in lake.objects(reports.BUCKET, f"{ALERTS}/"):
        dag, _, task = found.key.removeprefix(f"{ALERTS}/").removesuffix(".json").partition("/")
        number += 1
        yield reports.metric("pipeline_alert_open", 1, dag=dag, task=task)
    yield reports.metric("pipeline_alerts_open", number)


def text(metrics: Iterable[Metric]) -> str:
    """Metrics in Prometheus's text format: gauges, those of one name together. One that was said twice counts once."""
    found: dict[str, dict[str, float]] = {}
    for each in metrics:
        labels = ",".join(f'{_NAME.sub("_", name)}="{_escaped(str(value))}"' for name, value in sorted(each["labels"].items()))
        found.setdefault(_NAME.sub("_", each["name"]), {})[f"{{{labels}}}" if labels else ""] = float(each["value"])
    lines = [line for name, series in sorted(found.items())
             for line in (f"# TYPE {name} gauge", *(f"{name}{labels} {value:.10g}" for labels, value in series.items()))]
    return "".join(f"{line}\n" for line in lines)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
