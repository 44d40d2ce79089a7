"""Airflow's API and pages, as whoever has a token, or has none, sees them."""

from __future__ import annotations

import httpx

from tests.e2e.stack import Stack

ADMIN = "admin"
PATIENCE = 60


def address(stack: Stack) -> str:
    """Where Airflow is."""
    return f"http://127.0.0.1:{stack.port('airflow-webserver')}"


def login(stack: Stack, user: str, secret: str) -> httpx.Response:
    """What Airflow answers to a password: 201 and a token, or 401."""
    return httpx.post(f"{address(stack)}/auth/token", json={"username": user, "password": secret}, timeout=PATIENCE)


def token(stack: Stack) -> str:
    """A token of the administrator's."""
    found: str = login(stack, ADMIN, stack.secrets["airflow-admin"]).raise_for_status().json()["access_token"]
    return found


def page(stack: Stack, path: str, bearer: str = "") -> httpx.Response:
    """A page, asked for with a token or with none."""
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    return httpx.get(f"{address(stack)}{path}", headers=headers, timeout=PATIENCE)
