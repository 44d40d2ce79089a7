"""Grafana's dashboards, one module for each need."""

from __future__ import annotations

from components.observability.dashboards import airflow, ingestion, kafka, lake, logs, machine, model, overview, spark
from components.observability.dashboards.making import Board, queries, rendered

BOARDS: tuple[Board, ...] = tuple(module.BOARD for module in (
    overview, ingestion, kafka, lake, spark, model, airflow, logs, machine))

__all__ = ["BOARDS", "Board", "queries", "rendered"]
