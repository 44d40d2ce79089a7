"""Airflow's plugin: the application at /monitoring, and an entry in the navigation that shows it.

Every process of Airflow imports this file, tasks too: the application itself is imported by the first request.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

PREFIX = "/monitoring"


async def application(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """The application, as the web server mounts it (ASGI)."""
    from applications.orchestration.web import app
    await app(scope, receive, send)


class MonitoringPlugin(AirflowPlugin):
    """What is added to Airflow."""

    name = "monitoring"
    fastapi_apps: ClassVar[list[dict[str, Any]]] = [{"app": application, "url_prefix": PREFIX, "name": "Monitoring"}]
    external_views: ClassVar[list[dict[str, Any]]] = [
        {"name": "Monitoring", "href": f"{PREFIX}/", "url_route": "monitoring", "destination": "nav"}]
